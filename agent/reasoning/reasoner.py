"""What every reasoner is: asked what else to look at, then asked for a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.core.estate import Estate
from agent.core.evidence import Check, Observation
from agent.core.verdict import Diagnosis
from knowledge.documents import Document


@dataclass(frozen=True)
class Page:
    """A page that was found for the ticket, and how well it fits (0 to 1); only a relevant one is reasoned with."""

    document: Document
    score: float
    relevant: bool


@dataclass(frozen=True)
class Case:
    """Everything a reasoner may know about an incident."""

    service: str
    estate: Estate
    pages: tuple[Page, ...]
    observations: tuple[Observation, ...]


class Reasoner(Protocol):
    """Two questions, both without side effects."""

    name: str

    async def plan(self, case: Case) -> tuple[Check, ...]:
        """Return the checks that should be made and were not yet; empty when enough is known."""
        ...

    async def diagnose(self, case: Case) -> Diagnosis:
        """Return the verdict over what was observed."""
        ...
