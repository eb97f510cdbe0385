"""What the HTTP interface asks of the program behind it. It is handed in; nothing here knows how it is built."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from agent.chat.story import Story
from agent.core.estate import Estate
from agent.core.event import Event
from agent.core.lifecycle import Decision
from agent.journal.store import Incident, Journal, StoredProposal

Opened = Callable[[Incident], None]


class Assistant(Protocol):
    """The path from ticket to verified fix, as far as a front end may reach it."""

    @property
    def journal(self) -> Journal:
        """What happened."""

    @property
    def estate(self) -> Estate:
        """The services, as the inventory has them."""

    def stamp(self) -> str:
        """Return the time as text."""

    def watched_by(self, watch: Callable[[Event], None]) -> AbstractContextManager[None]:
        """Send to `watch` what happens on the path as far as this task starts it."""

    async def take_ticket(self, ticket: str, opened: Opened | None = None) -> Incident:
        """Work on a ticket until it waits for a person or is done."""

    async def reported_by(self, ticket: str) -> str:
        """Return who reported a ticket; CountersignError when there is none of that number."""

    async def take_question(
        self, text: str, service: str = "", requester: str = "", opened: Opened | None = None
    ) -> Incident:
        """Work on a question until it waits for a person or is done."""

    async def resume(self, incident: str) -> Incident:
        """Go on where an incident stands."""

    async def abandon(self, incident: str, person: str) -> None:
        """End an incident that a person stopped before anything was proposed."""

    async def edit(self, name: str, args: Mapping[str, str | int | bool], person: str) -> StoredProposal:
        """Put another proposal in the place of one that waits."""

    async def story(self, incident: str) -> Story:
        """Return what is known of an incident."""

    def search(self, text: str, limit: int = 5) -> list[dict[str, Any]]:
        """Return the pages that fit, as sources; blocks for some milliseconds."""


class Decide(Protocol):
    """The one door to a decision: the approvals process."""

    def __call__(
        self, digest: str, decision: Decision, person: str, reason: str, via: str, **seen: str | int
    ) -> Awaitable[dict[str, Any]]:
        """Record a decision. Raises Refused in its words."""
