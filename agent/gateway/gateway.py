"""The three servers by what they are for. Whoever investigates gets `Looking`; only the effect path gets `Acting`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from agent.core.errors import CountersignError
from agent.core.evidence import Check, Observation
from agent.gateway.server import Server, ServerGone

LOOK_SECONDS = 10.0
REHEARSE_SECONDS = 40.0
EXECUTE_SECONDS = 120.0


class Looking:
    """Read-only: diagnostics. A check that fails is an observation that says so; it never stops the others."""

    def __init__(self, diagnostics: Server) -> None:
        self._diagnostics = diagnostics

    async def observe(self, check: Check, identifier: str) -> Observation:
        """Make one check. A server that died is started again once."""
        started = monotonic()
        result: dict[str, Any] | None = None
        error = ""
        for attempt in (1, 2):
            try:
                result = await self._diagnostics.call(check.tool, dict(check.args), LOOK_SECONDS)
                error = ""
            except ServerGone as gone:
                error = str(gone)
                if attempt == 1:
                    continue
            except CountersignError as failure:
                error = str(failure)
            break
        return Observation(
            id=identifier,
            check=check,
            at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            took_ms=round((monotonic() - started) * 1000),
            result=result,
            error=error,
        )

    async def observe_all(self, checks: dict[str, Check], on_done: Callable[[Observation], None]) -> list[Observation]:
        """Make checks side by side, by evidence id; report each as it is done; return them in the order asked."""
        done: dict[str, Observation] = {}

        async def one(identifier: str, check: Check) -> None:
            done[identifier] = await self.observe(check, identifier)
            on_done(done[identifier])

        async with asyncio.TaskGroup() as group:
            for identifier, check in checks.items():
                group.create_task(one(identifier, check))
        return [done[identifier] for identifier in checks]


class Tickets:
    """The ticket system: read, and add an internal note."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def get(self, ticket: str) -> dict[str, Any]:
        """Return one ticket."""
        return await self._server.call("get_ticket", {"ticket": ticket}, LOOK_SECONDS)

    async def newest(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest tickets, a line each."""
        answer = await self._server.call("search_tickets", {"query": "", "limit": limit}, LOOK_SECONDS)
        return list(answer.get("tickets", []))

    async def notes(self, ticket: str) -> list[dict[str, Any]]:
        """Return the internal notes on a ticket."""
        answer = await self._server.call("list_ticket_notes", {"ticket": ticket}, LOOK_SECONDS)
        return list(answer.get("notes", []))

    async def similar(self, text: str, service: str, exclude: str) -> list[dict[str, Any]]:
        """Return solved tickets that resemble `text`, best first."""
        answer = await self._server.call(
            "find_similar_tickets",
            {"text": text[:4000], "service": service, "limit": 3, "exclude": exclude},
            LOOK_SECONDS,
        )
        return list(answer.get("tickets", []))

    async def add_note(self, ticket: str, text: str, key: str) -> dict[str, Any]:
        """Add an internal note once: the same key again returns the note that is there."""
        return await self._server.call(
            "add_note", {"ticket": ticket, "text": text, "idempotency_key": key}, LOOK_SECONDS
        )


class Acting:
    """The remediation server: rehearse (read only), and execute what a person approved."""

    def __init__(self, remediation: Server) -> None:
        self._remediation = remediation

    async def action(self, action: str) -> dict[str, Any]:
        """Return what the catalogue promises of an action: title, description, schema of its parameters."""
        listed = await self._remediation.call("list_actions", {}, LOOK_SECONDS)
        for one in listed["actions"]:
            if one["id"] == action:
                return dict(one)
        raise CountersignError(f"the catalogue has no action {action}")

    async def rehearse(self, action: str, target: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return what the action would change, changing nothing."""
        return await self._remediation.call(
            "rehearse", {"action": action, "target": target, "params": params}, REHEARSE_SECONDS
        )

    async def execute(self, digest: str, proposal: dict[str, Any], grant: str) -> dict[str, Any]:
        """Run a proposal under its grant; the server checks both again and acts at most once."""
        return await self._remediation.call(
            "execute", {"operation_id": digest, "proposal": proposal, "grant": grant}, EXECUTE_SECONDS
        )

    async def operation(self, digest: str) -> dict[str, Any]:
        """Return what the remediation server's own journal says of an operation."""
        return await self._remediation.call("get_operation", {"operation_id": digest}, LOOK_SECONDS)
