"""Running another program to look at something: argument vector, no shell, bounded time and output, no orphans."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

MAX_OUTPUT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Finished:
    """How a program ended. `output` is its standard output, with standard error in it where that was asked for."""

    exit_code: int
    output: bytes


class TooSlow(Exception):
    """The program did not end in time and was killed, with all it had started."""


async def run_program(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout: float,
    stdin: bytes = b"",
    with_stderr: bool = False,
) -> Finished:
    """Run `argv` in a process group of its own and return how it ended; output past 4 MiB is dropped.

    `timeout` is in seconds. Raises TooSlow, and OSError when the program cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT if with_stderr else asyncio.subprocess.DEVNULL,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    try:
        with anyio.fail_after(timeout):
            output, _ = await asyncio.gather(_read(process), _feed(process, stdin))
            return Finished(await process.wait(), output)
    except TimeoutError as error:
        raise TooSlow from error
    finally:
        # Also what the program left running behind it; the group outlives its leader.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await process.wait()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    kept = bytearray()
    while chunk := await process.stdout.read(65536):
        kept += chunk[: max(0, MAX_OUTPUT_BYTES - len(kept))]
    return bytes(kept)


async def _feed(process: asyncio.subprocess.Process, stdin: bytes) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(stdin)
        await process.stdin.drain()
        process.stdin.close()
