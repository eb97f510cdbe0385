"""Something on the path that a person may want to watch as it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """`kind` is one of step, service, source, similar, checking, check, diagnosis, card, state, verify, progress,
    warning and note.

    `data` is plain JSON and inert: whoever shows it adds nothing and escapes nothing but its own markup.
    """

    kind: str
    data: dict[str, Any]
