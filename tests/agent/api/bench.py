"""The interface without a lab: real routes, journal, log, streams and approvals; only the path behind it is acted.

What the actor does not do is look at systems and change them: an execution is a line in a list. So what it is good for
is everything that the interface itself promises, at the speed of a unit test.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, event

from agent.api.app import build_api, hand_over
from agent.api.follow import Follower
from agent.api.front import Front
from agent.api.hub import Hub
from agent.api.identity.demo import DemoSignIn
from agent.api.identity.guard import Guard
from agent.api.identity.store import Store
from agent.api.log import Log
from agent.api.parts import Parts
from agent.api.runs import Runs
from agent.approvals.decide import Approvals
from agent.chat.intents import Recogniser
from agent.chat.story import Story
from agent.core.errors import Refused
from agent.core.estate import Estate, Service
from agent.core.event import Event
from agent.core.evidence import Check, Observation
from agent.core.lifecycle import Decision, State
from agent.core.policy import may_decide, who_may
from agent.core.proposal import AGENT, Proposal
from agent.core.verdict import Cause, Diagnosis, Fix, Outcome, Truth
from agent.journal.store import Incident, Journal, StoredProposal
from agent.serve import bind, listening
from agent.settings import Host, Serving
from tests.agent.api.client import Answered, Client
from tests.agent.api.world import Interface
from tests.agent.proposals import proposal

INTRANET = "https://intranet.example.org"
KEY = b"0123456789abcdef0123456789abcdef"
PORTAL = Service(
    name="portal",
    kind="app",
    title="Town portal",
    owner="web",
    approvers=("dana.meyer", "sam.okafor"),
    responders=("lee.brandt",),
    facets=frozenset({"health", "supervisor"}),
)
LEDGER = Service(name="ledger", kind="app", title="Ledger", approvers=("dana.meyer",), responders=("lee.brandt",))
SCHEMA = {
    "type": "object",
    "properties": {"revision": {"type": "string", "pattern": "^[0-9a-f]{7,64}$", "description": "what to go back to"}},
    "required": ["revision"],
}
SOURCE = {
    "page": "RB-1",
    "title": "The portal is down",
    "score": 0.9,
    "relevant": True,
    "executable": True,
    "digest": "d" * 64,
    "passages": [{"heading": "Cause", "text": "It was stopped.", "digest": "e" * 64}],
}
_WATCHER: ContextVar[Callable[[Event], None] | None] = ContextVar("bench-watcher", default=None)


def at(later: timedelta = timedelta()) -> str:
    """Return this moment, or a later one, as the program writes it."""
    return (datetime.now(UTC) + later).strftime("%Y-%m-%dT%H:%M:%SZ")


class Actor:
    """Plays the path: whatever is asked, it looks once, finds the portal stopped and proposes a fix."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.estate = Estate([PORTAL, LEDGER])
        self.risk, self.params, self.life = "low", dict[str, str | int | bool](), timedelta(minutes=30)
        self.executed: list[str] = []
        self.looking, self.acting = asyncio.Event(), asyncio.Event()
        self.looking.set()
        self.acting.set()
        self.held: asyncio.Event = asyncio.Event()

    def stamp(self) -> str:
        """Return the time as text."""
        return at()

    @contextmanager
    def watched_by(self, watch: Callable[[Event], None]) -> Iterator[None]:
        """Send what happens to `watch`."""
        token = _WATCHER.set(watch)
        try:
            yield
        finally:
            _WATCHER.reset(token)

    async def take_ticket(self, ticket: str, opened: Callable[[Incident], None] | None = None) -> Incident:
        """Work on a ticket as on a question."""
        incident, new = self.journal.open_incident(at(), ticket, "", AGENT)
        if opened:
            opened(incident)
        return await self._look_and_propose(incident, "ines.costa") if new else incident

    async def take_question(
        self, text: str, service: str = "", requester: str = "", opened: Callable[[Incident], None] | None = None
    ) -> Incident:
        """Look once, propose a fix for the portal, and wait for a person."""
        incident, _ = self.journal.open_incident(at(), "", text[:80], AGENT)
        if opened:
            opened(incident)
        return await self._look_and_propose(incident, requester)

    async def _look_and_propose(self, incident: Incident, requester: str) -> Incident:
        self.journal.move_incident(at(), incident.id, "investigating", AGENT, "portal")
        self._say("step", name="investigate", says="looking")
        asked = {"id": "E1", "tool": "service_status", "args": {"service": "portal"}, "server": "diagnostics"}
        self._say("checking", **asked)
        self.held.set()
        await self.looking.wait()
        self._say("check", **asked, took_ms=3, made=True, says="state stopped")
        self.journal.keep_account(at(), AGENT, incident.id, {"service": "portal"})
        self.propose(incident.id, requester)
        return self.journal.incident(incident.id)

    def propose(self, incident: str, requester: str = "ines.costa", author: str = AGENT, **changed: Any) -> str:
        """Put up a proposal for an incident and return its digest."""
        made = proposal(
            **{
                "incident": incident,
                "risk": self.risk,
                "params": self.params,
                "requester": requester,
                "author": author,
                "created_at": at(),
                "expires_at": at(self.life),
                "nonce": secrets.token_hex(16),
                **changed,
            }
        )
        name = self.journal.propose(at(), made, self._beside(made))
        self.journal.move_incident(at(), incident, "awaiting_approval", AGENT, digest=name)
        return name

    def _beside(self, made: Proposal) -> dict[str, Any]:
        return {
            "why": "the portal is stopped",
            "page": "RB-1",
            "title": "The portal is down",
            "schema": SCHEMA if made.params else {},
            "may_approve": list(who_may(made, PORTAL)),
        }

    async def resume(self, incident: str) -> Incident:
        """Carry out what was approved, once; end what was decided otherwise."""
        stored = self.journal.current(incident)
        if stored is None:
            return await self._look_and_propose(self.journal.incident(incident), "ines.costa")
        if stored.state is State.APPROVED and self.journal.claim(at(), stored.digest, AGENT):
            self._say("state", digest=stored.digest, state="executing", says="running")
            self.journal.move_incident(at(), incident, "executing", AGENT)
            self.held.set()
            await self.acting.wait()
            self.executed.append(stored.digest)
            self.journal.finish(at(), stored.digest, State.EXECUTED, AGENT, {})
            self._say("step", name="verify", says="looking again from outside")
            check = {"id": "V1", "tool": "service_status", "service": "portal", "ok": True, "known": True, "says": "up"}
            self._say("verify", **check)
            self.journal.finish(at(), stored.digest, State.VERIFIED, AGENT, {"checks": [check]})
            self._say("state", digest=stored.digest, state="verified", says="")
        ended = self.journal.proposal(stored.digest).state
        if ended is not State.AWAITING and self.journal.incident(incident).state != str(ended):
            self.journal.move_incident(at(), incident, str(ended), AGENT)
        return self.journal.incident(incident)

    async def reported_by(self, ticket: str) -> str:
        """Return who reported a ticket; those whose number begins with X are somebody else's."""
        return "sam.okafor" if ticket.startswith("X") else "ines.costa"

    async def abandon(self, incident: str, person: str) -> None:
        """End an incident that a person stopped."""
        self.journal.move_incident(at(), incident, "withdrawn", f"person:{person}")

    async def edit(self, name: str, args: Mapping[str, str | int | bool], person: str) -> StoredProposal:
        """Put another proposal in the place of one."""
        old = self.journal.proposal(name)
        may_decide(old.proposal, person, PORTAL)
        if dict(args) == old.proposal.params:
            raise Refused("no_change", "these are the parameters that the proposal has already")
        if old.state is not State.AWAITING:
            raise Refused("already_decided", f"this proposal is already {old.state}")
        return self.journal.proposal(
            self.propose(old.incident, old.proposal.requester, person, params=dict(args), risk=old.proposal.risk)
        )

    async def story(self, incident: str) -> Story:
        """Return what is known of an incident."""
        known, stored = self.journal.incident(incident), self.journal.current(incident)
        seen = Observation("E1", Check.of("service_status", service="portal"), at(), 3, result={"state": "stopped"})
        cause = Cause("c1", "RB-1", "portal", "the portal is stopped", Truth.TRUE, ("E1",), (), Fix("x", "portal", {}))
        return Story(
            incident=incident,
            ticket=known.ticket,
            subject=known.subject,
            service="portal",
            scope=("portal",),
            observations=(seen,) if stored else (),
            sources=(SOURCE,) if stored else (),
            diagnosis=Diagnosis(Outcome.FIX, "the portal is stopped", (cause,)) if stored else None,
            proposal=stored.proposal if stored else None,
            digest=stored.digest if stored else "",
            beside=stored.card if stored else {},
            state=str(stored.state) if stored else "",
            incident_state=known.state,
            approver=stored.approver if stored else "",
            decided_at=stored.decided_at if stored else "",
            outcome=stored.outcome if stored else {},
            estate=("ledger", "portal"),
        )

    def search(self, text: str, limit: int = 5) -> list[dict[str, Any]]:
        """Find the one page there is."""
        return [dict(SOURCE)]

    def _say(self, kind: str, **data: Any) -> None:
        watch = _WATCHER.get()
        if watch:
            watch(Event(kind, data))


class Bench(Interface):
    """A served interface, the actor behind it, and what it keeps on disk."""

    def __init__(self, parts: Parts, actor: Actor, serving: Serving, api: Any, http: httpx.AsyncClient) -> None:
        super().__init__(api, serving.origin, http)
        self.actor = actor
        self._parts = parts
        self.dana = self.session("dana.meyer")
        self.sam = self.session("sam.okafor")
        self.lee = self.session("lee.brandt", ("responder",))
        self.ines = self.session("ines.costa", ("responder",))

    async def waiting(self, client: Client, thread: str = "") -> Answered:
        """Report that the portal is down and return the run that ended with a card."""
        run = await client.say("The portal is down", thread)
        assert run.interrupts, run.events
        return run

    def decided(self, digest: str) -> list[dict[str, Any]]:
        """Return what the journal says of decisions about a proposal."""
        return [
            {"event": one.event, "actor": one.actor, **json.loads(one.data)}
            for one in self.journal.entries()
            if one.event in {"approved", "rejected", "withdrawn"} and json.loads(one.data).get("digest") == digest
        ]


def _without_waiting_for_the_disk(engine: Engine) -> None:
    """These tests pull no plug: nothing has to be on the platter before the next step."""
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    engine.dispose()


def serving_on(folder: Path, port: int) -> Serving:
    """Return what a configuration says of an interface with one host page."""
    key = folder / "intranet.key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    return Serving(port=port, public_url=f"http://127.0.0.1:{port}", hosts=(Host("intranet", INTRANET, key),))


@asynccontextmanager
async def opened(folder: Path, demo: DemoSignIn | None = None) -> AsyncIterator[Bench]:
    """Serve what is kept in a folder for as long as the block runs; opened again, it is the server after a restart."""
    on = bind("127.0.0.1", 0)
    serving = serving_on(folder, on.getsockname()[1])
    store, journal = Store(folder / "identity.db"), Journal(folder / "journal.db")
    actor, log, hub, front = Actor(journal), Log(folder / "conversations.db"), Hub(), Front()
    for kept in (store, journal, log):
        _without_waiting_for_the_disk(kept._engine)
    api = build_api(serving, Guard(store, serving.origin, serving.hosts), demo)
    approvals = Approvals(
        journal, Ed25519PrivateKey.generate(), "bench", lambda: actor.estate, lambda: datetime.now(UTC)
    )

    async def decide(
        digest: str, decision: Decision, person: str, reason: str, via: str, **seen: str | int
    ) -> dict[str, Any]:
        stored = approvals.decide(digest, decision, person, reason, via, seen)
        return {"digest": stored.digest, "state": stored.state}

    runs = Runs(log, hub, actor, Recogniser())

    async def yes() -> bool:
        return True

    parts = Parts(actor, decide, log, hub, runs, yes)
    front.behind, front.closing = api, hub.close
    following = asyncio.create_task(Follower(actor, runs, hub).follow())
    try:
        hand_over(api, parts)
        async with listening(front, on), httpx.AsyncClient(base_url=serving.origin, timeout=20, verify=False) as http:
            yield Bench(parts, actor, serving, api, http)
    finally:
        hub.close()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await runs.close()
        log.close()
        journal.close()
        store.close()
