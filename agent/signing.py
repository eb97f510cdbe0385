"""Starting the approvals process beside the program that needs it, and ending it with that program."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from agent.core.errors import CountersignError
from agent.settings import Settings


@asynccontextmanager
async def approvals_process(settings: Settings, make_key: bool = True) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Run the approvals process of this installation; it ends when its standard input closes.

    `make_key`: the process makes the key pair when there is none. Yields a function that waits until the process is
    ready; it raises CountersignError with what the process said.
    """
    keys = settings.public_key.parent
    command = (
        *(sys.executable, "-m", "agent.approvals", "--journal", str(settings.journal)),
        *("--inventory", str(settings.inventory), "--audience", settings.audience),
        *("--key", str(keys / "grant-key.pem"), "--public-key", str(settings.public_key)),
        *(("--make-key",) if make_key else ()),
        *("--people", str(keys / "people.json"), "--socket", str(settings.socket)),
    )
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    out, err = process.stdout, process.stderr

    async def ready() -> None:
        if not await out.readline():
            said = (await err.read()).decode(errors="replace").strip()
            raise CountersignError(f"the approvals process did not start: {said}")

    try:
        yield ready
    finally:
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def already_signing(settings: Settings) -> bool:
    """True when an approvals process listens already: one that was started apart, by another user perhaps."""
    try:
        _, writer = await asyncio.open_unix_connection(str(settings.socket))
    except OSError:
        return False
    writer.close()
    return True
