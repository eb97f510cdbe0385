"""The approvals process: `python -m agent.approvals`. It signs, and runs neither graph nor model nor tools.

It listens on a Unix socket. Who speaks is the operating-system user that the kernel names; which people that user may
decide as stands in the configuration, so a front end cannot claim to be someone else. One JSON object a line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from agent.approvals.decide import Approvals
from agent.approvals.grant import load_key, make_key
from agent.approvals.peer import user_id
from agent.core.display import one_line
from agent.core.errors import CountersignError, Refused
from agent.core.lifecycle import Decision
from agent.inventory import load_estate
from agent.journal.store import Journal

LINE_LIMIT = 64 * 1024
MOST_SECONDS = 7 * 24 * 3600


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and serve until standard input closes (the parent is gone) or a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m agent.approvals", description=__doc__)
    parser.add_argument("--journal", type=Path, required=True, help="the journal's database")
    parser.add_argument("--inventory", type=Path, required=True, help="the Ansible inventory: who may approve")
    parser.add_argument("--key", type=Path, required=True, help="the Ed25519 signing key, readable by this user alone")
    parser.add_argument("--public-key", type=Path, required=True, help="where its public half stands")
    parser.add_argument("--make-key", action="store_true", help="make the key pair if there is none")
    parser.add_argument("--audience", required=True, help="the remediation server that grants are made for")
    parser.add_argument(
        "--people",
        type=Path,
        required=True,
        help='JSON: which people each operating-system user may decide as, {"1000": ["dana.meyer"]}; "*" in place of '
        "the list for a front end that signs people in itself",
    )
    parser.add_argument("--socket", type=Path, required=True, help="the Unix socket to listen on")
    arguments = parser.parse_args(argv)
    try:
        asyncio.run(_serve(arguments))
    except (CountersignError, OSError, ValueError) as error:
        print(f"approvals: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


async def _serve(arguments: argparse.Namespace) -> None:
    if arguments.make_key:
        make_key(arguments.key, arguments.public_key)
    approvals = Approvals(
        Journal(arguments.journal),
        load_key(arguments.key),
        arguments.audience,
        lambda: load_estate(arguments.inventory),
        lambda: datetime.now(UTC),
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        uid = user_id(writer.get_extra_info("socket"))
        try:
            while line := await reader.readline():
                writer.write(json.dumps(_answer(approvals, arguments.people, uid, line)).encode() + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError):
            pass  # a line over the limit or a peer that left: nothing was decided
        finally:
            writer.close()

    arguments.socket.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(serve, path=str(arguments.socket), limit=LINE_LIMIT)
    finally:
        os.umask(before)
    print("ready", flush=True)
    async with server:
        await _parent_gone()
    arguments.socket.unlink(missing_ok=True)


async def _parent_gone() -> None:
    """Return when standard input closes: whoever started this process has ended.

    Where it is no pipe (/dev/null under a supervisor) there is no such parent, and only a signal ends the process.
    """
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()):
        await asyncio.Event().wait()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


def _answer(approvals: Approvals, people: Path, uid: int, line: bytes) -> dict[str, Any]:
    """Answer one request; every error is a refusal with a code, and nothing of it is a traceback."""
    try:
        request = json.loads(line)
        if not isinstance(request, dict) or request.get("decision") not in get_args(Decision):
            raise Refused("bad_request", f"a decision is one of {', '.join(get_args(Decision))}")
        fields = {key: request.get(key, "") for key in ("digest", "person", "reason", "via")}
        if not all(isinstance(value, str) for value in fields.values()):
            raise Refused("bad_request", "digest, person, reason and via are text")
        # Read for each decision, so that whoever is taken out of the file is out.
        allowed = json.loads(people.read_text(encoding="utf-8"))
        if not isinstance(allowed, dict):
            raise CountersignError(f"{people} does not say which people each user may decide as")
        # "*": this user is a front end that signs people in itself. Whoever it names is still no approver unless the
        # inventory says so.
        mine = allowed.get(str(uid), [])
        if not fields["person"] or (mine != "*" and not (isinstance(mine, list) and fields["person"] in mine)):
            raise Refused("not_you", f"the user who asks (uid {uid}) may not decide as {fields['person'] or 'nobody'}")
        stored = approvals.decide(
            fields["digest"], request["decision"], fields["person"], fields["reason"], fields["via"], _seen(request)
        )
    except Refused as refusal:
        return {"ok": False, "code": refusal.code, "reason": str(refusal)}
    except Exception as error:  # whatever fails on the way to a decision, the answer is no, and says why
        return {"ok": False, "code": "failed", "reason": one_line(f"{error or type(error).__name__}", 300)}
    return {"ok": True, "digest": stored.digest, "state": stored.state, "approver": stored.approver}


def _seen(request: dict[str, Any]) -> dict[str, Any]:
    """Return what the front end says it had on screen, as far as it has the shape of that."""
    shown, seconds = request.get("shown"), request.get("seconds_on_screen")
    seen: dict[str, Any] = {}
    if isinstance(shown, str) and shown:
        seen["shown"] = one_line(shown, 80)
    if isinstance(seconds, int) and not isinstance(seconds, bool) and 0 <= seconds <= MOST_SECONDS:
        seen["seconds_on_screen"] = seconds
    return seen


if __name__ == "__main__":
    main()
