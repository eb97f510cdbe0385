"""Moments and durations as the servers write them: UTC, ISO 8601 with `Z`, whole milliseconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def iso(moment: datetime) -> str:
    """Write an aware moment as UTC ISO 8601 with `Z`, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_micro(moment: datetime) -> str:
    """Write an aware moment as UTC ISO 8601 with `Z`, to the microsecond (it tells two sessions apart)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def iso_from_epoch(seconds: float) -> str:
    """Write seconds since 1970 as UTC ISO 8601; zero, which supervisors write for "never", becomes ""."""
    return iso(datetime.fromtimestamp(seconds, UTC)) if seconds > 0 else ""


def now_iso() -> str:
    """Return the current moment as UTC ISO 8601 with `Z`."""
    return iso(datetime.now(UTC))


class Watch:
    """Knows when an observation began and how long it has taken since."""

    def __init__(self) -> None:
        self.started_at = now_iso()
        self._start = time.perf_counter()

    def ms(self) -> int:
        """Milliseconds since the observation began."""
        return round((time.perf_counter() - self._start) * 1000)
