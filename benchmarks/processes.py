"""What processes a program consists of, and how much memory they hold together (Linux: read from /proc)."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
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
    peak: dict[str, int] = field(default_factory=dict)
    at_card: dict[str, int] = field(default_factory=dict)

    def sample(self) -> dict[str, int]:
        """Return the bytes that each part holds now, and keep the largest sum."""
        others = set(self.except_for)
        for process in self.except_for:
            others |= descendants(process)
        ours = (descendants(os.getpid()) | {os.getpid()}) - others
        held: Counter[str] = Counter()
        for process in ours:
            held[part(process)] += memory_bytes(process)
        if held.total() > sum(self.peak.values()):
            self.peak = dict(held)
        return dict(held)

    def sample_card(self) -> None:
        """Sample while a card is shown, and keep the largest sum of those."""
        held = self.sample()
        if sum(held.values()) > sum(self.at_card.values()):
            self.at_card = held

    async def watch(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.to_thread(self.sample)
            await asyncio.sleep(SAMPLE_SECONDS)


def part(process: int) -> str:
    """Return which part of the assistant a process is, by its command line."""
    if process == os.getpid():
        return "agent"
    try:
        words = Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return "ended"
    if "-m" in words:
        return words[words.index("-m") + 1]
    return "ansible" if any("ansible" in word or "warm" in word for word in words) else "other"
