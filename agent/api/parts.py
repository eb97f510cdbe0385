"""What the routes are given: built once, handed over when it is ready, and until then every route says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import Request

from agent.api.hub import Hub
from agent.api.identity.principal import Principal
from agent.api.log import Log, Thread
from agent.api.ports import Assistant, Decide
from agent.api.problems import Problem
from agent.api.runs import Runs
from agent.journal.store import Journal


class Lab(Protocol):
    """What a demo adds: an estate that may be broken on purpose."""

    async def about(self) -> dict[str, Any]:
        """Return what can be broken, who is there, and whether all is well."""

    async def break_something(self, fault: str, variant: int) -> dict[str, Any]:
        """Break something and file the ticket; return its number."""


@dataclass(frozen=True)
class Parts:
    """Everything a route may need."""

    assistant: Assistant
    decide: Decide
    log: Log
    hub: Hub
    runs: Runs
    signing: Callable[[], Awaitable[bool]]
    """Whether the approvals process answers."""
    lab: Lab | None = None

    @property
    def journal(self) -> Journal:
        """What happened."""
        return self.assistant.journal


def parts(request: Request) -> Parts:
    """Return the parts, or say that the server is still starting."""
    found: Parts | None = request.app.state.parts
    if found is None:
        raise Problem(
            503, "starting", "the server is still starting; try again in a moment", headers={"Retry-After": "1"}
        )
    return found


def own_thread(one: Parts, name: str, principal: Principal) -> Thread:
    """Return a conversation of this principal; somebody else's does not exist for them."""
    thread = one.log.thread(name)
    if thread is None or not principal.owns(thread.owner, thread.origin):
        raise Problem(404, "unknown_thread", f"you have no conversation {name[:40]}")
    return thread


def may_see(one: Parts, incident: str, principal: Principal) -> None:
    """Return when this principal may see an incident: who may not read, or comes with a host page's token, those of
    their own conversations alone."""
    if not principal.own_only and "read" in principal.permissions:
        return
    mine = one.log.threads(principal.person, principal.origin)
    if not any(incident == thread.incident or incident in one.log.was_about(thread.id) for thread in mine):
        raise Problem(404, "unknown_incident", f"there is no incident {incident[:40]} in your conversations")
