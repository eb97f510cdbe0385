"""One program under supervisord, spoken to over its Unix socket (XML-RPC). Standard library only."""

from __future__ import annotations

import datetime
import http.client
import socket
import time
import xmlrpc.client
from typing import Any

# What supervisord calls a process (http://supervisord.org/subprocess.html#process-states), as one word of ours.
# BACKOFF is a start that has just failed; that supervisord means to try again does not make it run.
STATES = {
    "STOPPED": "stopped",
    "STARTING": "starting",
    "RUNNING": "running",
    "BACKOFF": "failed",
    "STOPPING": "stopped",
    "FATAL": "failed",
}
ALREADY_STARTED, NOT_RUNNING = 60, 70
POLL_S = 0.05


class SupervisorError(Exception):
    """The supervisor cannot be asked or refused; the message is one sentence."""


class DidNotStart(Exception):
    """The program was started and does not run."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self._path = path
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(self._path, self._timeout)


class Observed:
    """What the supervisor says of a program: `state`, `pid`, `started` (ISO 8601, UTC, or nothing), `exit_code`."""

    def __init__(self, info: dict[str, Any]) -> None:
        name = info["statename"]
        self.exit_code = int(info["exitstatus"])
        self.state = STATES.get(name, "unknown")
        if name == "EXITED":
            self.state = "failed" if self.exit_code else "stopped"
        self.settled = name in ("STOPPED", "RUNNING", "FATAL", "EXITED")
        self.pid = int(info["pid"])
        self.started = ""
        if self.state == "running":
            started = datetime.datetime.fromtimestamp(int(info["start"]), datetime.timezone.utc)  # noqa: UP017  (a node may have Python 3.9)
            self.started = started.strftime("%Y-%m-%dT%H:%M:%SZ")

    def is_instance(self, instance: str) -> bool:
        """Whether this is the running instance that was started at `instance` (whole seconds count)."""
        return self.state == "running" and self.started[:19] == instance[:19]

    def volatile(self) -> dict[str, Any]:
        """What is worth seeing and changes from one look to the next."""
        return {"pid": self.pid, "started": self.started, "exit_code": self.exit_code}


class Program:
    """A program under a supervisord."""

    def __init__(self, socket_path: str, name: str, timeout: float = 5.0) -> None:
        self.name = name
        self._proxy = xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=_Transport(socket_path, timeout))

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return getattr(self._proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault:
            raise
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorError(f"The supervisor of {self.name!r} cannot be reached: {error}") from error

    def look(self) -> Observed:
        """Ask for the state of the program."""
        try:
            return Observed(self._call("getProcessInfo", self.name))
        except xmlrpc.client.Fault as fault:
            raise SupervisorError(
                f"The supervisor refuses to speak about {self.name!r}: {fault.faultString}"
            ) from fault

    def log_tail(self, length: int = 3000) -> str:
        """Return the end of what the program wrote; nothing where it has no log."""
        parts = []
        for method in ("tailProcessStdoutLog", "tailProcessStderrLog"):
            try:
                parts.append(self._call(method, self.name, 0, length)[0])
            except (xmlrpc.client.Fault, SupervisorError):
                continue
        return "\n".join(part.strip() for part in parts if part.strip())

    def stop(self, limit_s: float = 15.0) -> None:
        """Stop the program and wait for it. Raises SupervisorError when it still runs after `limit_s`."""
        try:
            self._call("stopProcess", self.name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != NOT_RUNNING:
                raise SupervisorError(f"The supervisor refuses to stop {self.name!r}: {fault.faultString}") from fault
        observed = self._wait(limit_s, lambda seen: seen.settled and seen.state != "running")
        if observed.state == "running" or not observed.settled:
            raise SupervisorError(f"{self.name!r} did not stop within {limit_s:g} seconds")

    def start(self, limit_s: float = 8.0) -> Observed:
        """Start the program and wait until it runs. Raises DidNotStart."""
        try:
            self._call("startProcess", self.name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ALREADY_STARTED:
                raise DidNotStart(f"The supervisor refuses to start {self.name!r}: {fault.faultString}") from fault
        observed = self._wait(limit_s, lambda seen: seen.settled)
        if observed.state != "running":
            raise DidNotStart(f"{self.name!r} was started and is {observed.state}")
        return observed

    def restart(self) -> Observed:
        """Stop the program where it runs or is about to, and start it."""
        if self.look().state not in ("stopped",):
            self.stop()
        return self.start()

    def _wait(self, limit_s: float, until: Any) -> Observed:
        deadline = time.monotonic() + limit_s
        observed = self.look()
        while not until(observed) and time.monotonic() < deadline:
            time.sleep(POLL_S)
            observed = self.look()
        return observed
