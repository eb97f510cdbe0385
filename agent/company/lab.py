"""The lab as people see it from a browser: break something, report it, look at the tickets and the notes on them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from dataclasses import asdict
from typing import Any

from agent.app import App
from agent.core.errors import CountersignError, Refused
from agent.settings import Settings
from evals.lab.errors import LabError
from evals.lab.faults import FAULTS, permits_usable
from evals.lab.lab import Lab

LOG = logging.getLogger("countersign.demo")
SHOWN_TICKETS = 8


class Desk:
    """The help desk of the demo's company."""

    def __init__(self, lab: Lab, settings: Settings, app: App, address: str) -> None:
        self._lab, self._settings, self._app, self._address = lab, settings, app, address
        self._tasks: set[asyncio.Task[None]] = set()
        self._breaking = asyncio.Lock()
        self.people: dict[str, tuple[str, frozenset[str]]] = people_of(lab)

    @property
    def organisation(self) -> str:
        """The company's name."""
        return self._lab.estate.organisation

    async def about(self) -> dict[str, Any]:
        """Return what can be broken, who is there, where the company's page is, and whether all is well."""
        seen = await asyncio.to_thread(permits_usable, self._lab)
        return {
            "company": self._address,
            "organisation": self.organisation,
            "faults": [{"name": fault.name, "summary": fault.summary} for fault in FAULTS.values()],
            "people": [{"person": person, "roles": sorted(roles)} for person, (_, roles) in self.people.items()],
            "well": seen.ok,
            "says": seen.says,
        }

    async def break_something(self, fault: str, variant: int = 0) -> dict[str, Any]:
        """Break something really, file the ticket that follows, and let the assistant work on it; return its number."""
        if fault not in FAULTS:
            raise Refused("bad_args", f"there is no fault {fault[:40]!r}; choose one of {', '.join(FAULTS)}")
        if self._breaking.locked():
            raise Refused("busy", "something is being broken already; wait for its ticket")
        async with self._breaking:
            try:
                await asyncio.to_thread(FAULTS[fault].inject, self._lab, variant)
            except LabError as error:
                LOG.warning("%s could not be broken: %s", fault, error)
                says = "this cannot be broken as things stand; put everything right first, on the company's page"
                raise Refused("already_broken", says) from error
            written = FAULTS[fault].ticket(self._lab.estate, variant)
            return {"ticket": await self.report(**asdict(written))}

    async def mend(self) -> None:
        """Put everything right by hand, as an operator would who does not ask the assistant."""
        for fault in FAULTS.values():
            with contextlib.suppress(Exception):
                await asyncio.to_thread(fault.undo, self._lab)

    async def report(self, subject: str, body: str, requester: str, service: str | None = None) -> str:
        """File a ticket at the desk, and have the assistant look at it; return its number."""
        number = await file_ticket(self._settings, subject, body, requester, service or "")
        task = asyncio.create_task(self._work_on(number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return number

    async def tickets(self) -> list[dict[str, Any]]:
        """Return the newest tickets with the notes on them."""
        calls = self._app.context.tickets
        found = await calls.newest(SHOWN_TICKETS)
        notes = await asyncio.gather(*(calls.notes(one["ticket"]) for one in found))
        return [{**one, "notes": each} for one, each in zip(found, notes, strict=True)]

    async def close(self) -> None:
        """Stop working on tickets; they go on at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work_on(self, ticket: str) -> None:
        try:
            await self._app.take_ticket(ticket)
        except CountersignError as error:
            LOG.warning("%s could not be worked on: %s", ticket, error)


async def file_ticket(settings: Settings, subject: str, body: str, requester: str, service: str) -> str:
    """File a ticket as a person would, at the desk and not through the assistant's tools; return its number."""
    command = [sys.executable, "-m", "mcp_servers.tickets", "--database", str(settings.tickets), "create"]
    command += ["--subject", subject, "--requester", requester, "--body-file", "-"]
    command += ["--service", service] if service else []
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate(body.encode())
    if process.returncode:
        raise CountersignError(f"the ticket could not be filed: {err.decode(errors='replace').strip()}")
    return str(json.loads(out)["ticket"])


def people_of(lab: Lab) -> dict[str, tuple[str, frozenset[str]]]:
    """Return everybody of the lab's company with how they are called and what their roles are here."""
    services = lab.estate.services.values()
    roles: dict[str, set[str]] = {}
    for service in services:
        for person in service.approvers:
            roles.setdefault(person, set()).update({"approver", "operator", "auditor"})
        for person in service.responders:
            roles.setdefault(person, set()).add("responder")
    for person in lab.estate.requesters:
        roles.setdefault(person, set()).add("responder")
    return {person: (person.replace(".", " ").title(), frozenset(found)) for person, found in sorted(roles.items())}
