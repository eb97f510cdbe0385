"""Run a program from an argument vector, with a time limit that ends its whole process group. Standard library only.

Ansible's own run_command has no time limit and expands `~` and `$NAME` in arguments, which come from an inventory here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess


class TookTooLong(Exception):
    """The program did not end within its time and was killed."""


class Outcome:
    """How a program ended: `rc`, and what it wrote, as bytes."""

    def __init__(self, rc: int, out: bytes, err: bytes) -> None:
        self.rc = rc
        self.out = out
        self.err = err


def run(
    argv: list[str], limit_s: float, cwd: str | None = None, env: dict[str, str] | None = None, data: bytes = b""
) -> Outcome:
    """Run `argv`, feeding it `data`. Raises TookTooLong, or OSError where it cannot be started."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=env,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(data, timeout=limit_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise TookTooLong(f"{argv[0]} did not end within {limit_s:g} seconds") from None
    return Outcome(process.returncode, out, err)
