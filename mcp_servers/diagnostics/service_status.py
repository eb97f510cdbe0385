"""service_status: what the supervisor says of the service, in one vocabulary whatever the supervisor calls it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
from pydantic import Field

from mcp_servers.diagnostics.log_files import LogUnreadable, tail
from mcp_servers.diagnostics.observation import CannotCheck, Observation, missing_facet
from mcp_servers.inventory import Service
from mcp_servers.moments import Watch, iso_from_epoch
from mcp_servers.supervisord import BAD_NAME, SupervisorFault, SupervisorUnreachable, acall

State = Literal["running", "stopped", "failed", "starting", "unknown"]

SUPERVISOR_TIMEOUT_S = 3.0
LAST_LINES = 20
LAST_CHARACTERS = 4000


class ServiceStatus(Observation):
    """The service's state, and the end of its logs."""

    state: State
    supervisor: str
    since: str = Field(description="when it entered this state, UTC, ISO 8601; empty when the supervisor does not say")
    pid: int = Field(description="0 when it does not run")
    exit_code: int = Field(description="of the last exit; -1 when a signal ended it, 0 also when none is known")
    restarts: int = Field(description="0 where the supervisor does not count them (supervisord does not)")
    last_log: str = Field(description="the last lines of its logs, oldest first")


def state_of(statename: str, exit_code: int) -> State:
    """Put supervisord's process state (https://supervisord.org/subprocess.html#process-states) in our word.

    BACKOFF is failed, not starting: the last start has failed, and its reason stands in the log already; that
    another try is due changes nothing about the cause. STOPPING is stopped: it was asked to go and serves no more.
    """
    if statename == "EXITED":
        return "stopped" if exit_code == 0 else "failed"
    states: dict[str, State] = {
        "RUNNING": "running",
        "STARTING": "starting",
        "BACKOFF": "failed",
        "FATAL": "failed",
        "STOPPING": "stopped",
        "STOPPED": "stopped",
    }
    return states.get(statename, "unknown")


async def service_status(service: Service) -> ServiceStatus:
    """Ask the supervisor about the service and read the end of its logs."""
    if service.supervisor is None:
        raise missing_facet(service.name, "supervisor")
    watch = Watch()
    program = service.supervisor.program
    try:
        info: dict[str, Any] = await acall(
            service.supervisor.socket, "supervisor.getProcessInfo", program, timeout=SUPERVISOR_TIMEOUT_S
        )
    except SupervisorFault as fault:
        if fault.code == BAD_NAME:
            raise CannotCheck(f"supervisord knows no program {program!r}; correct `supervisor.program`") from fault
        raise CannotCheck(f"{fault}; look at supervisord's own log") from fault
    except SupervisorUnreachable as error:
        raise CannotCheck(str(error)) from error
    state = state_of(str(info["statename"]), int(info["exitstatus"]))
    last_log = await anyio.to_thread.run_sync(last_lines, service.logs, abandon_on_cancel=True)
    return ServiceStatus(
        service=service.name,
        observed_at=watch.started_at,
        took_ms=watch.ms(),
        state=state,
        supervisor=service.supervisor.kind,
        since=iso_from_epoch(int(info["start" if state in ("running", "starting") else "stop"])),
        pid=int(info["pid"]),
        exit_code=int(info["exitstatus"]),
        restarts=0,
        last_log=last_log,
    )


def last_lines(logs: tuple[Path, ...]) -> str:
    """Return the last lines of several logs, each with an equal share, the most recently written log last."""
    share = max(5, LAST_LINES // max(1, len(logs)))
    lines: list[str] = []
    for path in sorted(logs, key=_written):
        try:
            lines += tail(path, share)
        except LogUnreadable as error:
            lines.append(f"[cannot read {error}]")
    return "\n".join(lines)[-LAST_CHARACTERS:]


def _written(path: Path) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
