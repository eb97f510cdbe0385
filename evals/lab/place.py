"""The lab's directory: claiming it, its locks, its record, and removing what a lab wrote there."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from evals.lab.errors import LabBusy, LabError
from evals.lab.layout import Layout, lock_path
from evals.lab.postgres import make_passable

MARKER = "lab.json"

_OWNER_LOCK = "owner.lock"
_OURS = (
    "etc",
    "log",
    "var",
    "tls",
    "secrets",
    "inventory.yaml",
    "supervisord.conf",
    "supervisord.pid",
    "supervisor.sock",
)
_NEEDED_BYTES = 150 * 1024 * 1024


def claim(place: Path) -> None:
    """Make the directory, or check that it is ours to use."""
    if place.exists() and not place.is_dir():
        raise LabError(f"{place} is not a directory: choose another one")
    make_passable(place)
    others = {entry.name for entry in place.iterdir()} - {_OWNER_LOCK, lock_path(place).name}
    if others and MARKER not in others:
        raise LabError(f"the directory {place} holds files that are no lab's: choose an empty or new one")
    free = shutil.disk_usage(place).free
    if free < _NEEDED_BYTES:
        raise LabError(
            f"only {free // 2**20} MB are free in {place}, and the lab needs {_NEEDED_BYTES // 2**20}: free some space"
        )


def mark(place: Path) -> None:
    """Note that the directory is a lab's, before anything else is written there."""
    write(place / MARKER, "{}\n", 0o644)


def owner_lock(place: Path) -> IO[str]:
    """Take the lock of the one owner of a lab; raises LabBusy while another process has it."""
    handle = (place / _OWNER_LOCK).open("a+", encoding="utf-8")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        owner = handle.read().strip() or "unknown"
        handle.close()
        raise LabBusy(
            f"the lab in {place} is in use by process {owner}: end that first, or choose another directory"
        ) from None
    handle.truncate(0)
    handle.write(f"{os.getpid()}\n")
    handle.flush()
    return handle


def attached_lock(place: Path) -> IO[str]:
    """Take the shared lock that tells the keeper that somebody uses the lab."""
    handle = lock_path(place).open("a+", encoding="utf-8")
    # The keeper tries for the exclusive lock now and then, and holds it for a moment when it gets it.
    for _ in range(50):
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return handle
    handle.close()
    raise LabBusy(f"the lock {lock_path(place)} is held by another program: choose another directory")


def release(locks: list[IO[str]]) -> None:
    """Give locks back."""
    while locks:
        locks.pop().close()


def write_marker(layout: Layout, base: str, pid: int, idle_seconds: float) -> None:
    """Write the record of a running lab, from which another process can take it up."""
    record = {
        "started_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "supervisord_pid": pid,
        "idle_seconds": idle_seconds,
        "base_revision": base,
        "ports": {role.value: service.port for role, service in layout.services.items()},
        "estate": layout.estate.model_dump(mode="json"),
    }
    write(layout.directory / MARKER, json.dumps(record, indent=1) + "\n", 0o644)


def read_marker(place: Path) -> dict[str, Any]:
    """Read the record of a running lab."""
    record = json.loads((place / MARKER).read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError("not an object")
    return record


def remove_files(place: Path) -> None:
    """Delete what a lab wrote in its directory, and nothing else."""
    for link in (place / "var").glob("*"):
        if link.is_symlink():  # The database's files, where they had to stand outside.
            shutil.rmtree(link.resolve(), ignore_errors=True)
    for name in _OURS:
        path = place / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def tidy(place: Path) -> None:
    """Delete record and locks as well, and the directory when nothing else stands in it."""
    for name in (MARKER, lock_path(place).name, _OWNER_LOCK):
        (place / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        place.rmdir()


def write(path: Path, text: str, mode: int) -> None:
    """Write a file that never, not even for a moment, is open to more people than `mode` says."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def plain_errors(place: Path) -> Iterator[None]:
    """Turn the operating system's refusals into one sentence."""
    try:
        yield
    except OSError as error:
        where = error.filename or place
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LabError(
                f"the disk is full, {where} cannot be written: free some space, or choose another directory"
            ) from error
        raise LabError(f"cannot set up the lab in {place}: {where}: {error.strerror or error}") from error


def tail(path: Path) -> str:
    """Return the end of a log, or nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")[-4000:]
    except OSError:
        return ""


def last_line(path: Path) -> str:
    """Return the last line of a log that says something."""
    lines = [line.strip() for line in tail(path).splitlines() if line.strip()]
    return lines[-1] if lines else f"it said nothing in {path}"
