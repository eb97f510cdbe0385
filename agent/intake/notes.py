"""The note writer: takes notes that the journal says are due and adds them to their tickets, each once."""

from __future__ import annotations

import json
from collections.abc import Callable

from agent.core.errors import CountersignError
from agent.core.proposal import AGENT
from agent.gateway.gateway import Tickets
from agent.journal.store import Journal


async def write_due(journal: Journal, tickets: Tickets, stamp: Callable[[], str]) -> list[str]:
    """Write every note that is due; return one sentence for each that could not be written (it stays due).

    A crash between writing and recording writes nothing twice: the ticket server knows the key of the note.
    """
    problems = []
    for entry in journal.due_notes():
        note = json.loads(entry.data)
        try:
            written = await tickets.add_note(note["ticket"], note["text"], note["key"])
        except CountersignError as error:
            problems.append(f"the note on {note['ticket']} is not written yet: {error}")
            continue
        journal.append(
            stamp(),
            AGENT,
            entry.incident,
            "note_written",
            {"key": note["key"], "ticket": note["ticket"], "note": str(written.get("note", ""))},
        )
    return problems
