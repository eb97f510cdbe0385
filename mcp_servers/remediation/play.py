"""Run one play in a process that outlives the server.

The play runs in a fork of a warm Ansible (`warm.py`), in its own session. The locks of an operation are open files
that it inherits: as long as it lives, nobody acts in its place. With `receipt`, the result is first written to that
file, so that a server which died meanwhile can still say how the play ended.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mcp_servers.remediation.proposal import Facts

GRACE_S = 10
"""How much longer than the play's own time limit the server waits for its result."""


class PlayRequest(BaseModel):
    """What to run, where, with which values, and for how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    play: Path
    inventory: Path
    node: str
    check: bool
    values: dict[str, Any]
    limit_s: int
    receipt: Path | None = None


class PlayResult(BaseModel):
    """How it ended. `timeout` and `broken` say nothing about the target; `failed` carries what the module said."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    status: Literal["ok", "failed", "timeout", "broken"]
    message: str = ""
    changed: bool = False
    before: Facts = {}
    after: Facts = {}
    diff: str = ""
    observed: Facts = {}
    undo: Facts = {}


_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from mcp_servers.remediation.warm import main; main()"
"""The warm process is isolated from the environment (`-I`), so the package's place is handed over as an argument."""


class Ansible:
    """A warm Ansible in a process of its own, started at the first need; one fork of it runs one play."""

    def __init__(self, code: Path) -> None:
        self._code = code
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the warm process if it does not run; it is ready about half a second later. Raises OSError."""
        with self._lock:
            self._started()

    def close(self) -> None:
        """Let the warm process go; a play that runs goes on, and the process ends after it."""
        with self._lock:
            if self._control is not None:
                self._control.close()
            self._control = None
            if self._process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=GRACE_S)
            self._process = None

    def run(self, request: PlayRequest, held: Sequence[int] = ()) -> PlayResult:
        """Run a play, handing it the open lock files `held`. Never raises: every way to end is a PlayResult."""
        try:
            answer = self._answer(request, held)
        except TimeoutError:
            return PlayResult(status="timeout", message=f"The play did not end within {request.limit_s} seconds.")
        except OSError as error:
            return PlayResult(status="broken", message=f"The play could not be run: {error.strerror}.")
        except ValueError as error:
            return PlayResult(status="broken", message=f"The play could not be sent: {error}.")
        try:
            return PlayResult.model_validate_json(answer)
        except ValueError:
            return PlayResult(status="broken", message="The play ended without a result.")

    def _answer(self, request: PlayRequest, held: Sequence[int]) -> bytes:
        sent = request.model_dump_json().encode()
        mine, theirs = socket.socketpair()
        with mine:
            with theirs, self._lock:
                self._send([theirs.fileno(), *held])
            mine.settimeout(request.limit_s + GRACE_S)
            mine.sendall(sent)
            mine.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: mine.recv(65536), b""))

    def _send(self, files: list[int]) -> None:
        try:
            socket.send_fds(self._started(), [b"p"], files)
        except (BrokenPipeError, ConnectionResetError):
            # It has died since the last play, and this one has not reached it: a new one takes its place.
            if self._control is not None:
                self._control.close()
            self._control = None
            socket.send_fds(self._started(), [b"p"], files)

    def _started(self) -> socket.socket:
        if self._control is not None:
            return self._control
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0)
        mine, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-c",
                    _BOOT,
                    str(Path(__file__).parents[2]),
                    str(theirs.fileno()),
                    str(self._code),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
            )
        self._control = mine
        return mine


def _environment() -> dict[str, str]:
    """What a play may see of the server's environment; the connection to a node may need the agent of SSH."""
    kept = ("PATH", "USER", "LOGNAME", "SSH_AUTH_SOCK", "TZ", "TMPDIR")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {"PATH": os.defpath, **found, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
