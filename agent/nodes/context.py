"""What travels along the path (plain JSON, nothing else) and what every station is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict

from agent.core.estate import Estate
from agent.core.event import Event
from agent.core.evidence import Check, Observation, summary
from agent.gateway.gateway import Acting, Looking
from agent.journal.store import Journal


class State(TypedDict, total=False):
    """Working memory of one incident. Losing it costs time and never truth: what counts stands in the journal."""

    incident: str
    ticket: str
    subject: str
    body: str
    requester: str
    service: str
    asked_for: str
    """The service the ticket names when the inventory does not know it."""
    sources: list[dict[str, Any]]
    similar: list[dict[str, Any]]
    observations: list[dict[str, Any]]
    rounds: int
    diagnosis: dict[str, Any]
    digest: str
    missing: list[str]
    again: str
    """Where reason wants to go again: investigate, or recall."""
    searches: int
    """How often the knowledge base was searched: first with the ticket's words, then with what the systems say."""


@dataclass(frozen=True)
class Context:
    """The parts, built once in app.py and handed to every station. There is no reasoner here: see investigation.py."""

    journal: Journal
    estate: Estate
    looking: Looking
    acting: Acting
    now: Callable[[], datetime]
    nonce: Callable[[], str]
    emit: Callable[[Event], None]
    proposal_life: timedelta
    verify_seconds: float
    origin: str
    """Where people find the approval pages; empty where nothing is served."""

    def stamp(self) -> str:
        """Return the time as text: UTC, ISO 8601, whole seconds."""
        return stamp(self.now())

    def say(self, kind: str, **data: Any) -> None:
        """Tell whoever watches."""
        self.emit(Event(kind, data))


def say_checking(context: Context, wanted: Mapping[str, Check], server: str = "diagnostics") -> None:
    """Tell whoever watches which checks are being made now."""
    for identifier, check in wanted.items():
        context.say("checking", id=identifier, tool=check.tool, args=dict(check.args), server=server)


def say_check(context: Context, one: Observation) -> None:
    """Tell whoever watches that a check was made, and what it showed."""
    context.say(
        "check",
        id=one.id,
        tool=one.check.tool,
        args=dict(one.check.args),
        took_ms=one.took_ms,
        made=one.made,
        says=summary(one),
        server=one.server,
    )


def stamp(moment: datetime) -> str:
    """Return a moment in UTC as `2026-11-20T23:54:00Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def observations(state: State) -> list[Observation]:
    """Return the observations of a state as values."""
    return [Observation.from_json(one) for one in state.get("observations", [])]
