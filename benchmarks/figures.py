"""How figures are put down: times in seconds, memory in MiB."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.processes import KIB, descendants, memory_bytes

MIB = 1024 * 1024
Figures = dict[str, Any]


def summary(values: Sequence[float]) -> Figures:
    """Return median, 95th percentile and worst, in seconds."""
    p95 = quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]
    return {
        "median": round(median(values), 4),
        "p95": round(p95, 4),
        "worst": round(max(values), 4),
        "runs": len(values),
    }


def spread(values: Sequence[float]) -> str:
    """Say how values lie."""
    found = summary(values)
    return ", ".join(f"{which} {found[which] * 1000:.1f} ms" for which in ("median", "p95", "worst"))


def pressure() -> float:
    """Return the share of the last ten seconds, in percent, in which something waited for a processor; -1 if unknown.

    Linux tells it in /proc/pressure/cpu. On a machine that does nothing else it is near 0 before a measurement.
    """
    try:
        first = Path("/proc/pressure/cpu").read_text(encoding="utf-8").splitlines()[0]
    except OSError:
        return -1.0
    return float(first.split("avg10=")[1].split()[0])


def computed(process: int) -> float:
    """Return the seconds of processor time that a process has used (proc(5): utime and stime)."""
    words = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> dict[str, int]:
    """Return MiB of a process: proportional and resident set, what of it is anonymous, and its children's share."""
    found = {"pss": memory_bytes(process), "children_pss": sum(memory_bytes(one) for one in descendants(process))}
    for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        if name in {"Rss", "Pss_Anon", "Pss_File"}:
            found[name.lower()] = int(rest.split()[0]) * KIB
    return {name: round(held / MIB) for name, held in found.items()}
