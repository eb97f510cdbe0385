"""The whole interface on a real lab, in this process: real servers, a real approvals process, real sockets."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import httpx
from fastapi import FastAPI

from agent.api.identity import keys
from agent.api.identity.guard import COOKIE, Guard
from agent.api.identity.secret_file import read_secret
from agent.api.identity.store import stamp
from agent.api.identity.widget_token import LEAST_KEY_BYTES, mint
from agent.api.parts import Parts
from agent.app import App
from agent.company.browser import BrowserSide, open_browser_side
from agent.company.lab import Desk
from agent.journal.store import Journal, StoredProposal
from agent.settings import Settings
from agent.stage import on_stage
from agent.terminal import Terminal
from evals.lab.faults import FAULTS, Fault
from evals.lab.lab import Lab
from tests.agent.api.client import Answered, Client
from tests.labs import lab_directory

APPROVER = ("approver", "operator", "auditor")
FAR = "9999-12-31T23:59:59Z"


class Interface:
    """A served interface, and credentials for it."""

    def __init__(self, api: FastAPI, origin: str, http: httpx.AsyncClient) -> None:
        self.api, self.origin, self.http = api, origin, http

    @property
    def parts(self) -> Parts:
        """What the routes work with."""
        parts: Parts = self.api.state.parts
        return parts

    @property
    def journal(self) -> Journal:
        """What happened."""
        return self.parts.journal

    @property
    def guard(self) -> Guard:
        """Who is let in."""
        guard: Guard = self.api.state.guard
        return guard

    @property
    def anybody(self) -> Client:
        """Nobody: a client without a credential."""
        return Client(self.http)

    def session(self, person: str, roles: Sequence[str] = APPROVER, via: str = "session") -> Client:
        """A browser in which a person has signed in: its cookie, and the origin of our own page."""
        secret, _ = self.guard.store.sign_in(
            person=person,
            name=person.replace(".", " ").title(),
            roles=roles,
            via=via,
            subject=person,
            signed_in_at=stamp(datetime.now(UTC)),
            idle=timedelta(hours=1),
            life=timedelta(hours=8),
        )
        # By hand: httpx keeps Secure cookies to itself on http, where browsers send them to loopback.
        return Client(self.http, person, {"Cookie": f"{COOKIE}={secret}", "Origin": self.origin})

    def key(self, *scopes: str, person: str = "", machine: str = "") -> Client:
        """A program with an API key."""
        secret, _ = keys.create(self.guard.store, person, machine, scopes, 1)
        return Client(self.http, person or f"machine:{machine}", {"Authorization": f"Bearer {secret}"})

    def widget(self, person: str) -> Client:
        """A host page's script with the token that its backend minted for a person."""
        (host,) = self.api.state.serving.hosts
        token = mint(
            read_secret(host.key, LEAST_KEY_BYTES),
            host=host.name,
            audience=self.origin,
            person=person,
            origin=host.origin,
            now=datetime.now(UTC),
        )
        return Client(self.http, person, {"Authorization": f"Bearer {token}", "Origin": host.origin})

    async def frame(self, session: Client) -> Client:
        """The frame that a session's popup handed a token to."""
        answer = await session.post("/api/frame-token")
        assert answer.status_code == 200, answer.text
        bearer = {"Authorization": f"Bearer {answer.json()['token']}", "Origin": self.origin}
        return Client(self.http, session.person, bearer)

    def events_of(self, incident: str) -> list[str]:
        """Return what the journal says of an incident, in order."""
        return [one.event for one in self.journal.entries(incident)]


class World(Interface):
    """The demo's two sites on a running lab, with nobody at its terminal."""

    def __init__(
        self,
        api: FastAPI,
        http: httpx.AsyncClient,
        side: BrowserSide,
        lab: Lab,
        settings: Settings,
        app: App,
        desk: Desk,
    ) -> None:
        super().__init__(api, side.origin, http)
        self.side, self.lab, self.settings, self.app, self.desk = side, lab, settings, app, desk
        self.dana = self.session("dana.meyer")
        self.sam = self.session("sam.okafor")
        self.lee = self.session("lee.brandt", ("responder",))
        self.ines = self.session("ines.costa", ("responder",))

    def report(self, fault: Fault, variant: int = 0) -> str:
        """Return what somebody writes who feels a fault."""
        written = fault.ticket(self.lab.estate, variant)
        return f"{written.subject}\n{written.body}"

    async def waiting(self, client: Client, fault: Fault, thread: str = "", variant: int = 0) -> Answered:
        """Report a fault in chat and return the run that ended with a card."""
        run = await client.say(self.report(fault, variant), thread)
        assert run.interrupts, run.text or run.end
        return run

    def stored(self, run: Answered) -> StoredProposal:
        """Return the proposal that a run ended with."""
        return self.journal.proposal(run.interrupts[0]["metadata"]["digest"])

    async def well(self, fault: Fault) -> bool:
        """Look at the estate from outside, as its users do."""
        return (await asyncio.to_thread(fault.oracle, self.lab)).ok

    def operations(self, digest: str) -> list[str]:
        """Return the states of a proposal's operations in the remediation server's own journal."""
        with closing(sqlite3.connect(self.settings.state / "remediation.db")) as raw:
            rows = raw.execute("SELECT state FROM operations WHERE id = ?", (digest,))
            return [str(row[0]) for row in rows]

    async def until_incident(self, incident: str, *states: str, seconds: float = 30) -> str:
        """Wait until an incident is in one of these states."""
        async with asyncio.timeout(seconds):
            while (state := self.journal.incident(incident).state) not in states:
                await asyncio.sleep(0.05)
        return state

    async def card_of(self, ticket: str, seconds: float = 40) -> dict[str, Any]:
        """Wait until a ticket's card waits for a person and return it."""
        async with asyncio.timeout(seconds):
            while True:
                cards = (await self.dana.get("/api/proposals"))["proposals"]
                found = [card for card in cards if card["ticket"] == ticket]
                if found:
                    return dict(found[0])
                await asyncio.sleep(0.05)

    async def notes(self, ticket: str, number: int, seconds: float = 20) -> list[str]:
        """Wait until so many notes stand on a ticket and return them."""
        async with asyncio.timeout(seconds):
            while len(found := await self.app.context.tickets.notes(ticket)) < number:
                await asyncio.sleep(0.05)
        return [str(note["text"]) for note in found]

    async def clear(self) -> None:
        """Let every open card expire and wait for what goes on, so that the next test finds a quiet place."""
        for level in list(self.journal.stopped()):
            self.journal.go_on(self.app.stamp(), level, "dana.meyer")
        self.journal.expire(FAR)
        async with asyncio.timeout(30):
            while self.journal.live_incidents() or self.parts.runs.going_on:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def lab_world() -> AsyncIterator[World]:
    """Put up the demo's stage and its two sites for as long as the block runs."""
    with lab_directory() as directory:
        async with AsyncExitStack() as stack:
            side = await stack.enter_async_context(open_browser_side(directory, 0))
            lab, settings, app = await stack.enter_async_context(
                on_stage(directory, None, Terminal(file=StringIO()), serving=side.serving)
            )
            desk = await stack.enter_async_context(side.show(lab, settings, app))
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=side.origin, timeout=30, verify=False))
            api = side.front.behind
            assert isinstance(api, FastAPI)
            yield World(api, http, side, lab, settings, app, desk)


@asynccontextmanager
async def broken(world: World, name: str, variant: int = 0) -> AsyncIterator[Fault]:
    """Break something for as long as the block runs."""
    fault = FAULTS[name]
    await asyncio.to_thread(fault.inject, world.lab, variant)
    try:
        yield fault
    finally:
        await asyncio.to_thread(fault.undo, world.lab)


class Gate:
    """Holds up a coroutine of the program until the test opens it."""

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name, self._real = owner, name, getattr(owner, name)
        self.reached, self._open = asyncio.Event(), asyncio.Event()

    def __enter__(self) -> Gate:
        async def held(*arguments: Any, **named: Any) -> Any:
            self.reached.set()
            await self._open.wait()
            return await self._real(*arguments, **named)

        setattr(self._owner, self._name, held)
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        delattr(self._owner, self._name)

    def open(self) -> None:
        """Let everybody pass."""
        self._open.set()
