"""`countersign serve`, noting when each event began to be written and when each proposal was there.

    python -m benchmarks.watched NOTES --config FILE

The clock is the system's monotonic one, which all processes share, so a client can say how long an event took to it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from agent.api.log import Log
from agent.core.proposal import Proposal
from agent.journal.store import Journal
from agent.serve import run
from agent.settings import load


def main() -> None:
    """Serve with a notebook; `NOTES` gets lines of an event's number, or a digest, and a time in seconds."""
    notes, _, config = sys.argv[1:]
    with Path(notes).open("w", encoding="utf-8", buffering=1) as book:
        append, propose = Log.append, Journal.propose

        def noting_append(
            self: Log, thread: str, run: str, events: Sequence[Mapping[str, Any]], ends: str = ""
        ) -> list[tuple[int, str]]:
            began = monotonic()
            written = append(self, thread, run, events, ends)
            book.write("".join(f"{seq} {began}\n" for seq, _ in written))
            return written

        def noting_propose(self: Journal, at: str, proposal: Proposal, *others: Any, **named: Any) -> str:
            digest = propose(self, at, proposal, *others, **named)
            book.write(f"{digest} {monotonic()}\n")
            return digest

        Log.append = noting_append  # type: ignore[method-assign]
        Journal.propose = noting_propose  # type: ignore[method-assign]
        sys.exit(run(load(Path(config)), None))


if __name__ == "__main__":
    main()
