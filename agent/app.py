"""The one place where the parts are built and joined."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.chat.story import Story
from agent.core.display import inert, one_line, redact
from agent.core.errors import CountersignError, Refused
from agent.core.event import Event
from agent.core.evidence import Observation
from agent.core.lifecycle import GOES_ON
from agent.core.lifecycle import State as Standing
from agent.core.policy import may_decide, who_may
from agent.core.proposal import AGENT
from agent.core.verdict import Diagnosis, Fix
from agent.inventory import load_estate
from agent.journal.store import LIVE
from agent.settings import Settings

if TYPE_CHECKING:
    from agent.core.estate import Estate
    from agent.graph import Graph
    from agent.journal.store import Incident, Journal, StoredProposal
    from agent.nodes.context import State
    from agent.nodes.investigation import Investigation

LOG = logging.getLogger("countersign.app")
UNKNOWN = "unknown"
MOST_KEPT = 20_000
"""Characters of a question that the journal keeps."""
Watch = Callable[[Event], None]
"""Whoever wants to see what happens on the path while it happens."""
_WATCHER: ContextVar[Watch | None] = ContextVar("watcher", default=None)
"""Who watches this task's incident: several are worked on side by side, and each has its own audience."""
RECURSION_LIMIT = 40
"""Steps of the graph for one incident; the path has eleven stations, and LangGraph's own default is 10,007."""
LOCK_POLLS = 600
LOCK_POLL_SECONDS = 0.25


class App:
    """A running assistant on one estate."""

    def __init__(self, settings: Settings, graph: Graph, context: Investigation) -> None:
        self.settings, self.graph, self.context = settings, graph, context

    @property
    def journal(self) -> Journal:
        """What happened."""
        return self.context.journal

    @property
    def estate(self) -> Estate:
        """The services, as the inventory has them."""
        return self.context.estate

    @property
    def embedder(self) -> Any:
        """What turns texts into vectors here; None where meaning cannot be compared."""
        return self.context.knowledge.embedder

    def stamp(self) -> str:
        """Return the time as text: UTC, ISO 8601, whole seconds."""
        return self.context.stamp()

    @contextmanager
    def watched_by(self, watch: Watch) -> Iterator[None]:
        """Send what happens on the path, as far as this task starts it, to `watch` in place of the app's audience.

        A watcher that fails loses the view; what is going on goes on.
        """

        def careful(event: Event) -> None:
            try:
                watch(event)
            except Exception:
                LOG.exception("what happened could not be shown")

        token = _WATCHER.set(careful)
        try:
            yield
        finally:
            _WATCHER.reset(token)

    async def take_ticket(self, ticket: str, opened: Callable[[Incident], None] | None = None) -> Incident:
        """Work on a ticket until it waits for a person or is done; the live incident of a ticket goes on.

        `opened` hears of the incident before anything is looked at.
        """
        self._intake_allowed()
        await self.context.tickets.get(ticket)  # a ticket that is not there opens no incident
        await self.settle()
        incident, new = self.context.journal.open_incident(self.context.stamp(), ticket, "", AGENT)
        if opened:
            opened(incident)
        return await self._drive(incident.id, {"incident": incident.id, "ticket": ticket} if new else None)

    async def reported_by(self, ticket: str) -> str:
        """Return who reported a ticket; CountersignError when there is none of that number."""
        return str((await self.context.tickets.get(ticket))["requester"])

    async def take_question(
        self, text: str, service: str = "", requester: str = "", opened: Callable[[Incident], None] | None = None
    ) -> Incident:
        """Work on a question that has no ticket: its first line is the subject."""
        self._intake_allowed()
        subject, _, body = text.strip().partition("\n")
        question = {"subject": one_line(redact(subject), 120), "body": redact(inert(body, MOST_KEPT))}
        question |= {"service": one_line(service, 80), "requester": one_line(requester, 120)}
        at = self.context.stamp()
        incident, _ = self.context.journal.open_incident(at, "", question["subject"], AGENT, question)
        if opened:
            opened(incident)
        return await self._drive(incident.id, _asked(incident.id, question))

    async def resume(self, incident: str) -> Incident:
        """Go on where an incident stands, after a decision or after a crash. Ringing twice does nothing twice."""
        known = self.context.journal.incident(incident)
        if known.state == UNKNOWN:
            await self._ask_again(incident)
        return await self._drive(incident, None)

    def unfinished(self) -> list[Incident]:
        """Return the incidents that something is still to be done about, the unknown outcomes among them."""
        return [one for one in self.context.journal.incidents() if one.state in {*LIVE, UNKNOWN}]

    async def settle(self) -> None:
        """Bring to their end the incidents whose proposal ended without anybody driving them: expired or rejected.

        What was approved is not among them: it runs when somebody resumes it, never as a by-product.
        """
        journal = self.context.journal
        journal.expire(self.context.stamp())
        for incident in journal.live_incidents():
            current = journal.current(incident.id)
            if incident.state == "awaiting_approval" and current is not None and current.state not in GOES_ON:
                try:
                    await self._drive(incident.id, None)
                except CountersignError as error:  # one that cannot be ended keeps nobody from new work
                    self.context.say("warning", says=f"{incident.id} could not be brought to its end: {error}")

    async def edit(self, name: str, args: Mapping[str, str | int | bool], person: str) -> StoredProposal:
        """Put another proposal in the place of one that waits: the same action and target with other parameters.

        It is rehearsed anew, `person` is its author (and so may not approve it where four eyes are asked for), and the
        old one is superseded. Refused with `already_decided`, `not_entitled`, `bad_args` or `no_change`.
        """
        from agent.nodes.rehearse import about_action, frozen

        context, journal = self.context, self.context.journal
        old = journal.proposal(name)
        # Read anew, as for every decision: whoever was taken out of the inventory is out.
        target = load_estate(self.settings.inventory).services.get(old.proposal.target)
        if target is None:
            raise Refused("wrong_target", f"{old.proposal.target} is not in the inventory any more")
        may_decide(old.proposal, person, target)
        fix = Fix(old.proposal.action, old.proposal.target, dict(args))
        if fix.params == old.proposal.params:
            raise Refused("no_change", "these are the parameters that the proposal has already")
        try:
            promise = await context.acting.action(fix.action)
            seen = await context.acting.rehearse(fix.action, fix.target, fix.params)
        except CountersignError as error:
            raise Refused("bad_args", f"it cannot be rehearsed like that: {error}") from error
        if not seen["precondition"]["met"]:
            raise Refused("bad_args", f"the target is not in the state for that: {seen['precondition']['says']}")
        if not seen["changes"]:
            raise Refused("no_change", "the rehearsal shows that it would change nothing")
        proposal = frozen(context, old.incident, fix, seen, person, old.proposal.requester)
        beside = old.card | about_action(promise, seen) | {"may_approve": list(who_may(proposal, target))}
        async with _alone(self.settings.state / "run" / f"{old.incident}.lock"):
            new = journal.propose(context.stamp(), proposal, beside, replaces=old.digest)
            # Working memory follows; were it lost here, the journal would bring the new proposal back.
            await self.graph.aupdate_state(_config(old.incident), {"digest": new}, as_node="suggest")
            await self.graph.ainvoke(None, _config(old.incident), context=context, durability="sync")
        return journal.proposal(new)

    async def story(self, incident: str) -> Story:
        """Return what is known of an incident, for answers about it and for whoever reads it later."""
        journal = self.context.journal
        known = journal.incident(incident)
        kept = journal.account(incident)
        if kept is None:
            kept = dict((await self.graph.aget_state(_config(incident))).values or {})
        stored = journal.current(incident)
        service = str(kept.get("service") or known.service)
        diagnosis = kept.get("diagnosis")
        return Story(
            incident=incident,
            ticket=known.ticket,
            subject=str(kept.get("subject") or known.subject),
            body=str(kept.get("body", "")),
            requester=str(kept.get("requester") or known.requester),
            service=service,
            scope=self.context.estate.scope(service) if service else (),
            observations=tuple(Observation.from_json(one) for one in kept.get("observations", [])),
            sources=tuple(kept.get("sources", [])),
            similar=tuple(kept.get("similar", [])),
            diagnosis=Diagnosis.from_json(diagnosis) if diagnosis else None,
            missing=tuple(kept.get("missing", [])),
            proposal=stored.proposal if stored else None,
            digest=stored.digest if stored else "",
            beside=stored.card if stored else {},
            state=str(stored.state) if stored else "",
            incident_state=known.state,
            approver=stored.approver if stored else "",
            reason=stored.reason if stored else "",
            decided_at=stored.decided_at if stored else "",
            outcome=stored.outcome if stored else {},
            estate=tuple(sorted(self.context.estate.services)),
        )

    def search(self, text: str, limit: int = 5) -> list[dict[str, Any]]:
        """Return the pages that fit a text, as sources; blocks for some milliseconds, so call it in a thread."""
        from agent.nodes.recall import source_of

        return [source_of(hit) for hit in self.context.knowledge.search(text, limit).hits]

    async def abandon(self, incident: str, person: str) -> None:
        """End an incident that a person stopped before anything was proposed."""
        journal = self.context.journal
        if journal.incident(incident).state in {"open", "investigating"}:
            journal.move_incident(self.context.stamp(), incident, "withdrawn", f"person:{person}")

    def _intake_allowed(self) -> None:
        stop = self.context.journal.stopped().get("intake")
        if stop is not None:
            why = f": {stop.reason}" if stop.reason else ""
            raise Refused("stopped", f"new work is not taken: {stop.by} stopped the intake at {stop.at}{why}")

    async def write_notes(self) -> list[str]:
        """Write the notes that are due; return what could not be written."""
        from agent.intake.notes import write_due

        return await write_due(self.context.journal, self.context.tickets, self.context.stamp)

    async def _drive(self, incident: str, start: State | None) -> Incident:
        async with _alone(self.settings.state / "run" / f"{incident}.lock"):
            await self._run(incident, start)
        for problem in await self.write_notes():
            self.context.say("warning", says=problem)
        return self.context.journal.incident(incident)

    async def _run(self, incident: str, start: State | None) -> None:
        from langgraph.types import Command

        config = _config(incident)
        snapshot = await self.graph.aget_state(config)
        given: Any
        if not snapshot.values:
            given = start or await self._again(incident, config)
        elif not snapshot.next:
            return
        else:
            # Another process may have begun this incident before us: then there is a memory, and it goes on from there.
            given = Command(resume={one.id: True for one in snapshot.interrupts}) if snapshot.interrupts else None
            remembered, current = snapshot.values.get("digest"), self.journal.current(incident)
            if remembered and current is not None and current.digest != remembered and current.state in GOES_ON:
                # An edit put this one up and broke off before working memory followed: the journal counts.
                await self.graph.aupdate_state(config, {"digest": current.digest}, as_node="suggest")
                given = None
        await self.graph.ainvoke(given, config, context=self.context, durability="sync")

    async def _again(self, incident: str, config: Any) -> State | None:
        """Put back what the journal knows when working memory is gone, or start again from ticket or question."""
        from agent.nodes.recover import recovered

        journal = self.context.journal
        known, current = journal.incident(incident), journal.current(incident)
        if current is not None and current.state in GOES_ON:
            await self.graph.aupdate_state(config, recovered(known, current), as_node="suggest")
            return None
        if known.ticket:
            return {"incident": incident, "ticket": known.ticket}
        opened = next(one for one in journal.entries(incident) if one.event == "incident_opened")
        return _asked(incident, json.loads(opened.data))

    async def _ask_again(self, incident: str) -> None:
        """Find out what became of an operation whose outcome was not known; it is never run again for that."""
        journal = self.context.journal
        current = journal.current(incident)
        assert current is not None
        answer = await self.context.acting.operation(current.digest)
        to = {"finished": Standing.EXECUTED, "failed": Standing.FAILED}.get(str(answer["state"]))
        if to is None:
            raise CountersignError(
                f"it is still not known whether {current.proposal.action} on {current.proposal.target} ran; the "
                f"remediation server says: {one_line(str(answer.get('reason') or answer['state']), 200)}. "
                "Please look at the target yourself"
            )
        outcome = {key: answer[key] for key in ("before", "after", "started_at", "finished_at") if answer.get(key)}
        journal.finish(self.context.stamp(), current.digest, to, AGENT, outcome)
        await self.graph.aupdate_state(_config(incident), {"digest": current.digest}, as_node="suggest")


def _config(incident: str) -> Any:
    return {"configurable": {"thread_id": incident}, "recursion_limit": RECURSION_LIMIT}


def _asked(incident: str, question: Mapping[str, str]) -> State:
    return {
        "incident": incident,
        "ticket": "",
        "subject": question["subject"],
        "body": question["body"],
        "service": question["service"],
        "requester": question["requester"],
    }


@asynccontextmanager
async def open_app(
    settings: Settings, emit: Callable[[Event], None], pages: Awaitable[Any] | None = None
) -> AsyncIterator[App]:
    """Open everything that the settings name, at the same time where possible; close it all on the way out.

    `pages` is the knowledge base where somebody is opening it already. Raises CountersignError with what is missing and
    how to mend it.
    """
    from agent.gateway.gateway import Acting, Looking, Tickets
    from agent.gateway.server import Server, specs

    # The servers start while this process is still importing its own heavy parts.
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    logs = settings.state / "logs"
    logs.mkdir(exist_ok=True)
    environment = {"PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
    servers = {
        name: Server(specs(settings.command(name), name, logs, environment, settings.remote.get(name)))
        for name in ("tickets", "diagnostics", "remediation")
    }
    async with AsyncExitStack() as stack:
        for server in servers.values():
            stack.push_async_callback(server.close)
        starting = {name: asyncio.create_task(server.start()) for name, server in servers.items()}
        stack.push_async_callback(_settle, list(starting.values()))
        await asyncio.sleep(0)
        graph, parts = await asyncio.to_thread(_import_heavy)
        knowledge = await (pages or asyncio.to_thread(open_pages, settings, emit))
        stack.callback(knowledge.close)
        journal = parts["Journal"](settings.journal)
        stack.callback(journal.close)
        memory = _usable_memory(settings.state / "checkpoints.db", emit)
        saver = await stack.enter_async_context(parts["AsyncSqliteSaver"].from_conn_string(str(memory)))
        for name, task in starting.items():
            try:
                await task
            except CountersignError as error:
                emit(Event("warning", {"says": str(error), "server": name}))
        context = parts["Investigation"](
            journal=journal,
            estate=load_estate(settings.inventory),
            knowledge=knowledge,
            reasoner=parts["RunbookReasoner"](),
            looking=Looking(servers["diagnostics"]),
            acting=Acting(servers["remediation"]),
            tickets=Tickets(servers["tickets"]),
            now=lambda: datetime.now(UTC),
            nonce=lambda: secrets.token_hex(16),
            emit=lambda event: (_WATCHER.get() or emit)(event),
            proposal_life=timedelta(minutes=settings.proposal_minutes),
            verify_seconds=float(settings.verify_seconds),
            origin=settings.serving.public_url,
        )
        yield App(settings, graph(saver), context)


def open_pages(settings: Settings, emit: Callable[[Event], None]) -> Any:
    """Open the knowledge base of these settings."""
    from knowledge.embedding import open_embedder
    from knowledge.index import open_knowledge

    choice = open_embedder(settings.cache)
    knowledge = open_knowledge(
        settings.pages,
        settings.state / "index",
        choice.embedder,
        lambda text: emit(Event("progress", {"says": text})),
        cache=settings.cache,
    )
    for warning in (*([choice.warning] if choice.warning else []), *knowledge.warnings, *map(str, knowledge.problems)):
        emit(Event("warning", {"says": warning}))
    return knowledge


def open_pages_and_warm_up(settings: Settings, emit: Callable[[Event], None]) -> Any:
    """Open the knowledge base, and import what the path needs while somebody else is still waiting for something."""
    _import_heavy()
    return open_pages(settings, emit)


def _import_heavy() -> tuple[Any, dict[str, Any]]:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from agent.graph import build_graph
    from agent.journal.store import Journal
    from agent.nodes.investigation import Investigation
    from agent.reasoning.runbook import RunbookReasoner

    return build_graph, {
        "AsyncSqliteSaver": AsyncSqliteSaver,
        "Journal": Journal,
        "Investigation": Investigation,
        "RunbookReasoner": RunbookReasoner,
    }


def _usable_memory(path: Path, emit: Callable[[Event], None]) -> Path:
    """Return where working memory stands; a file that is no database any more is put aside: losing it costs time."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as raw:
            raw.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        aside = path.with_suffix(f".unusable-{secrets.token_hex(3)}")
        path.rename(aside)
        emit(
            Event("warning", {"says": f"working memory could not be read ({error}) and was put aside as {aside.name}"})
        )
    return path


async def _settle(tasks: list[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _alone(path: Path) -> AsyncIterator[None]:
    """Let one process at a time work on an incident; the kernel gives the lock back when a process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for _ in range(LOCK_POLLS):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(LOCK_POLL_SECONDS)
        else:
            raise CountersignError(f"another process has been working on {path.stem} for too long; look at it there")
        yield
