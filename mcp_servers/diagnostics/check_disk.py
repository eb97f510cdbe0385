"""check_disk: how full the filesystems are that the service writes to."""

from __future__ import annotations

import math
import os
from pathlib import Path

import anyio.to_thread
from pydantic import BaseModel, ConfigDict

from mcp_servers.diagnostics.observation import CannotCheck, Observation, missing_facet
from mcp_servers.inventory import Service
from mcp_servers.moments import Watch


class Filesystem(BaseModel):
    """One filesystem, with the space an ordinary user can still write."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    total_bytes: int
    free_bytes: int
    used_percent: int
    inodes_used_percent: int


class DiskCheck(Observation):
    """The filesystems behind the service's paths."""

    filesystems: list[Filesystem]
    fullest_percent: int


async def check_disk(service: Service) -> DiskCheck:
    """Ask each filesystem for its room; one that does not answer (a dead network mount) ends in the time limit."""
    if not service.disk:
        raise missing_facet(service.name, "disk")
    watch = Watch()
    found = [await anyio.to_thread.run_sync(measure, path, abandon_on_cancel=True) for path in service.disk]
    return DiskCheck(
        service=service.name,
        observed_at=watch.started_at,
        took_ms=watch.ms(),
        filesystems=found,
        fullest_percent=max(max(each.used_percent, each.inodes_used_percent) for each in found),
    )


def measure(path: Path) -> Filesystem:
    """Read one filesystem's figures; raises CannotCheck when the path is not there."""
    try:
        real = path.resolve(strict=True)
        figures = os.statvfs(real)
    except OSError as error:
        raise CannotCheck(f"cannot look at the filesystem of {path}: {error.strerror}; mend `disk`") from error
    used = figures.f_blocks - figures.f_bfree
    return Filesystem(
        path=str(real),
        total_bytes=figures.f_blocks * figures.f_frsize,
        free_bytes=figures.f_bavail * figures.f_frsize,
        used_percent=percent(used, used + figures.f_bavail),
        inodes_used_percent=percent(figures.f_files - figures.f_ffree, figures.f_files),
    )


def percent(used: int, of: int) -> int:
    """Percentage rounded up, as df does it: 100 means that nothing is left."""
    return math.ceil(100 * used / of) if of > 0 else 0
