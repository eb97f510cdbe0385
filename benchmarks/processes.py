"""What processes a program consists of, and how much memory they hold together (Linux: read from /proc)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

KIB = 1024
SAMPLE_SECONDS = 0.1


def descendants(root: int) -> set[int]:
    """Return the processes below `root`, without itself."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(entry.parent.name)] = int(entry.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it has ended meanwhile
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {root}} - found:
        found |= more
    return found


def memory_bytes(process: int) -> int:
    """Return the proportional set size of a process (proc(5), smaps_rollup: shared pages count in parts), 0 if gone."""
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * KIB
    except OSError:
        pass
    return 0


@dataclass
class Memory:
    """The memory of this process and all below it, except those that were there before (and what is below them)."""

    except_for: frozenset[int] = field(default_factory=lambda: frozenset(descendants(os.getpid())))
    peak_bytes: int = 0
    at_card_bytes: int = 0
    peak_processes: int = 0

    def sample(self) -> int:
        """Return the sum now, in bytes."""
        others = set(self.except_for)
        for process in self.except_for:
            others |= descendants(process)
        ours = (descendants(os.getpid()) | {os.getpid()}) - others
        total = sum_of(ours)
        if total > self.peak_bytes:
            self.peak_bytes, self.peak_processes = total, len(ours)
        return total

    async def watch(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.to_thread(self.sample)
            await asyncio.sleep(SAMPLE_SECONDS)


def sum_of(processes: Iterable[int]) -> int:
    """Return the proportional set sizes of processes added up, in bytes."""
    return sum(memory_bytes(process) for process in processes)
