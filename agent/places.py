"""Where the demo keeps its things, and how another terminal finds a demo that is running."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.core.errors import CountersignError
from agent.settings import NAME

MOST_DEMOS = 9


def home() -> Path:
    """Return the folder of this user's demos.

    It lies in /var/tmp: it survives a restart, its path is short enough for Unix sockets, and a database server that
    may not run as root can reach it. Raises CountersignError when somebody else made a folder of that name.
    """
    path = Path(os.environ.get("COUNTERSIGN_DEMO_HOME") or f"/var/tmp/countersign-{os.getuid()}")  # noqa: S108
    path.mkdir(mode=0o711, parents=True, exist_ok=True)
    found = path.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022 or path.is_symlink():
        raise CountersignError(
            f"{path} belongs to somebody else or can be written by others; name another folder with --dir"
        )
    return path


def candidates() -> Iterator[Path]:
    """Return the folders a demo may use, in order: the first, and others for a second demo beside it."""
    for number in range(1, MOST_DEMOS + 1):
        yield home() / ("demo" if number == 1 else f"demo-{number}")


@contextmanager
def claim(directory: Path | None) -> Iterator[Path]:
    """Hold a demo folder for as long as the block runs; the kernel gives it back when the process dies."""
    for path in [directory] if directory else candidates():
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
        file = (path / "demo.lock").open("a", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        try:
            yield path.resolve()
        finally:
            file.close()
        return
    raise CountersignError(
        f"another demo is running in {directory}; name another folder with --dir"
        if directory
        else f"{MOST_DEMOS} demos are running already; stop one, or name a folder with --dir"
    )


def running_demo() -> Path | None:
    """Return the configuration of a demo that is running now, if there is one."""
    for path in candidates():
        if not (path / NAME).exists():
            continue
        with (path / "demo.lock").open("a", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return path / NAME
    return None
