"""Ends a lab that nobody holds any more: runs under the lab's own supervisord.

Whoever uses a lab holds a shared lock on one file; the kernel gives it up when that process ends, however it ends. The
keeper tries for the exclusive lock. When it could have had it for the whole idle time, it makes supervisord shut down.
When supervisord itself is gone, it ends the programs that supervisord left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from evals.lab.errors import LabError
from evals.lab.supervision import Supervision, alive


def unheld(lock: Path) -> bool:
    """Tell whether nobody holds the lock now. A lab whose lock file was deleted is held by nobody."""
    try:
        with lock.open("r", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    return True


def keep(lock: Path, socket_path: Path, idle_seconds: float, parent: int) -> None:
    """Watch until the lab has been idle for long enough, or its supervisord is gone."""
    pause = min(1.0, idle_seconds / 4)
    supervision = Supervision(socket_path)
    children: list[int] = []
    since: float | None = None
    while os.getppid() == parent:
        with contextlib.suppress(LabError):
            children = [state.pid for state in supervision.states().values() if state.pid not in (0, os.getpid())]
        if not unheld(lock):
            since = None
        elif since is None:
            since = time.monotonic()
        elif time.monotonic() - since >= idle_seconds:
            print(f"nobody has held the lab for {idle_seconds:g} s: shutting it down", flush=True)
            _shut_down(supervision, parent)
            since = time.monotonic()
        time.sleep(pause)
    # Silently: stdout was a pipe to supervisord, and is broken.
    end([pid for pid in {*children, *session_members(os.getsid(0))} if pid != os.getpid()])


def _shut_down(supervision: Supervision, parent: int) -> None:
    """Stop every other program at once, since supervisord by itself stops one after the other; then supervisord."""
    with contextlib.suppress(LabError):
        supervision.halt(*(state.name for state in supervision.states().values() if state.pid != os.getpid()))
    os.kill(parent, signal.SIGTERM)


def session_members(session: int) -> list[int]:
    """Every process of a session, where /proc tells (Linux). The lab's supervisord began one of its own.

    Knows also what was started since supervisord was last asked.
    """
    members = []
    for process in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name in parentheses: state, parent, group, session (proc_pid_stat(5)).
            fields = process.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == session:
                members.append(int(process.parent.name))
    return members


def end(pids: list[int], grace: float = 5) -> None:
    """End processes politely, and after `grace` seconds not politely. SIGINT is PostgreSQL's fast shutdown."""
    for number in (signal.SIGINT, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + grace
        while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.1)
        pids = [pid for pid in pids if alive(pid)]


def main() -> int:
    """Run under supervisord until the lab ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", type=Path, required=True)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--idle-seconds", type=float, required=True)
    arguments = parser.parse_args()
    keep(arguments.lock, arguments.socket, arguments.idle_seconds, os.getppid())
    return 0


if __name__ == "__main__":
    sys.exit(main())
