"""Locks that outlive the process that took them: flock on an open file that a play inherits."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

POLL_S = 0.02


class Busy(Exception):
    """Somebody else holds the lock."""


@contextlib.contextmanager
def held(directory: Path, name: str, wait_s: float) -> Iterator[int]:
    """Hold the lock `name`, waiting for it up to `wait_s`; yields the open file to hand on. Raises Busy, OSError.

    A lock belongs to the open file: a child that inherited it keeps it when this process closes its own end or dies.
    """
    file = _open(directory, name)
    try:
        deadline = time.monotonic() + wait_s
        while not _try(file, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                raise Busy(name)
            time.sleep(POLL_S)
        yield file
    finally:
        os.close(file)


@contextlib.contextmanager
def watched(directory: Path, name: str) -> Iterator[None]:
    """Keep everybody from taking the lock `name` while one looks. Raises Busy at once where it is held, and OSError.

    Any number may watch at the same time.
    """
    file = _open(directory, name)
    try:
        if not _try(file, fcntl.LOCK_SH):
            raise Busy(name)
        yield
    finally:
        os.close(file)


def _open(directory: Path, name: str) -> int:
    stem = hashlib.sha256(name.encode()).hexdigest()
    return os.open(directory / f"{stem}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
