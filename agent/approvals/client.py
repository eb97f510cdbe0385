"""Asking the approvals process to record a decision. Whoever calls this holds no key."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from agent.core.errors import CountersignError, Refused
from agent.core.lifecycle import Decision


async def ask(
    socket: Path, digest: str, decision: Decision, person: str, reason: str, via: str, **seen: str | int
) -> dict[str, Any]:
    """Return the recorded decision. Raises Refused in its words, CountersignError when it is not there.

    `seen` may say what was on screen: `shown` (fingerprint of the card as drawn) and `seconds_on_screen`.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket))
    except OSError as error:
        raise CountersignError(
            "the approvals process is not running, so nothing can be signed; `countersign doctor` says how to start it"
        ) from error
    try:
        request = {"digest": digest, "decision": decision, "person": person, "reason": reason, "via": via, **seen}
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 15)
    except (OSError, TimeoutError) as error:
        raise CountersignError("the approvals process broke off; look at the card again before trying again") from error
    finally:
        writer.close()
    if not line:
        raise CountersignError("the approvals process broke off; look at the card again before trying again")
    answer: dict[str, Any] = json.loads(line)
    if not answer["ok"]:
        raise Refused(answer["code"], answer["reason"])
    return answer
