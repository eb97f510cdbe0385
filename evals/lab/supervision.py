"""supervisord as the lab uses it: its configuration, and its XML-RPC on a Unix socket."""

from __future__ import annotations

import http.client
import os
import shlex
import socket
import time
import xmlrpc.client
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.lab.errors import LabError

MOVING = frozenset({"STARTING", "BACKOFF", "STOPPING"})
_POLL_S = 0.04
"""supervisord looks at its children when a request comes, otherwise once a second: asking often makes it quick."""


@dataclass(frozen=True)
class Program:
    """One [program:x] section."""

    name: str
    command: Sequence[str]
    directory: str
    log: Path
    autostart: bool = False
    autorestart: str = "unexpected"
    exitcodes: str = "0"
    startsecs: int = 1
    startretries: int = 1
    stopsignal: str = "TERM"
    user: str = ""


@dataclass(frozen=True)
class ProgramState:
    """What supervisord says of a program; `started` is a Unix time in whole seconds, 0 if never."""

    name: str
    state: str
    pid: int
    started: int
    exit_status: int


def configuration(directory: Path, socket_path: Path, programs: Sequence[Program]) -> str:
    """Return the text of a supervisord.conf."""
    lines = [
        "[supervisord]",
        "nodaemon=true",
        f"logfile={directory / 'log' / 'supervisord.log'}",
        "logfile_maxbytes=1MB",
        "logfile_backups=1",
        f"pidfile={directory / 'supervisord.pid'}",
        f"childlogdir={directory / 'log'}",
        # Said aloud, because supervisord warns about running as root otherwise.
        *(["user=root"] if os.geteuid() == 0 else []),
        "[unix_http_server]",
        f"file={socket_path}",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for program in programs:
        lines += [
            f"[program:{program.name}]",
            f"command={shlex.join(program.command)}",
            f"directory={program.directory}",
            f"autostart={'true' if program.autostart else 'false'}",
            f"autorestart={program.autorestart}",
            f"exitcodes={program.exitcodes}",
            f"startsecs={program.startsecs}",
            f"startretries={program.startretries}",
            f"stopsignal={program.stopsignal}",
            "stopwaitsecs=5",
            "redirect_stderr=true",
            f"stdout_logfile={program.log}",
            "stdout_logfile_maxbytes=5MB",
            "stdout_logfile_backups=1",
            *([f"user={program.user}"] if program.user else []),
        ]
    return "\n".join(lines) + "\n"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path)
        self._connection = host, connection  # Where the base class looks for what it closes.
        return connection


class Supervision:
    """The programs under one supervisord. Safe to use from several threads: each call has its own connection."""

    def __init__(self, socket_path: Path) -> None:
        self.socket_path = socket_path

    def answers(self) -> bool:
        """Tell whether a supervisord is listening."""
        try:
            self._call("getState")
        except LabError:
            return False
        return True

    def states(self) -> dict[str, ProgramState]:
        """Return every program's state by name."""
        return {info["name"]: _state(info) for info in self._call("getAllProcessInfo")}

    def state(self, name: str) -> ProgramState:
        """Return one program's state."""
        return _state(self._call("getProcessInfo", name))

    def launch(self, *names: str) -> None:
        """Start programs that are not running, without waiting for them."""
        for name in names:
            self._tolerant("startProcess", name, False)

    def halt(self, *names: str) -> None:
        """Stop programs and wait until they are down."""
        for name in names:
            self._tolerant("stopProcess", name, False)
        self.until(
            lambda: not any(self.state(name).state == "STOPPING" for name in names), 15, f"{', '.join(names)} to stop"
        )

    def settle(self, name: str, timeout: float = 15) -> ProgramState:
        """Wait until a program is neither starting nor stopping, and return its state."""
        self.until(lambda: self.state(name).state not in MOVING, timeout, f"{name} to settle")
        return self.state(name)

    def restart(self, name: str) -> ProgramState:
        """Stop a program, start it, and return the state it settles in."""
        self.halt(name)
        self.launch(name)
        return self.settle(name)

    def clear_logs(self, *names: str) -> None:
        """Empty programs' log files."""
        for name in names:
            self._call("clearProcessLogs", name)

    def end(self) -> None:
        """Stop every program at once, then supervisord itself; does not wait for supervisord to be gone."""
        states = self.states()
        self.halt(*states)
        self._tolerant("shutdown")

    def until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait for a condition, at most `timeout` seconds; raises LabError naming `what`."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise LabError(f"waited {timeout:g} s in vain for {what}")
            time.sleep(_POLL_S)

    def _tolerant(self, method: str, *arguments: object) -> None:
        """Call, and take `it is so already` for done: NOT_RUNNING (70), ALREADY_STARTED (60), SHUTDOWN_STATE (6)."""
        try:
            self._call(method, *arguments)
        except LabError as error:
            fault = error.__cause__
            if not (isinstance(fault, xmlrpc.client.Fault) and fault.faultCode in (6, 60, 70)):
                raise

    def _call(self, method: str, *arguments: object) -> Any:
        proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_UnixTransport(self.socket_path))
        try:
            with proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as error:
            raise LabError(f"supervisord refused {method}: {error.faultString}") from error
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise LabError(f"supervisord does not answer at {self.socket_path}: {error}") from error


def _state(info: dict[str, Any]) -> ProgramState:
    return ProgramState(info["name"], info["statename"], info["pid"], info["start"], info["exitstatus"])


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and only waits for its parent to notice does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # No /proc here (macOS), or gone in this moment.
        return not Path("/proc/self").exists()
    return status.rpartition(")")[2].split()[:1] != ["Z"]
