"""The one place where the parts are built and joined."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.display import inert, one_line, redact
from agent.core.errors import CountersignError
from agent.core.event import Event
from agent.core.lifecycle import GOES_ON
from agent.core.lifecycle import State as Standing
from agent.core.proposal import AGENT
from agent.inventory import load_estate
from agent.journal.store import LIVE
from agent.settings import Settings

if TYPE_CHECKING:
    from agent.graph import Graph
    from agent.journal.store import Incident
    from agent.nodes.context import State
    from agent.nodes.investigation import Investigation

UNKNOWN = "unknown"
MOST_KEPT = 20_000
"""Characters of a question that the journal keeps."""
RECURSION_LIMIT = 40
"""Steps of the graph for one incident; the path has eleven stations, and LangGraph's own default is 10,007."""
LOCK_POLLS = 600
LOCK_POLL_SECONDS = 0.25


class App:
    """A running assistant on one estate."""

    def __init__(self, settings: Settings, graph: Graph, context: Investigation) -> None:
        self.settings, self.graph, self.context = settings, graph, context

    async def take_ticket(self, ticket: str) -> Incident:
        """Work on a ticket until it waits for a person or is done; the live incident of a ticket goes on."""
        await self.context.tickets.get(ticket)  # a ticket that is not there opens no incident
        await self.settle()
        incident, new = self.context.journal.open_incident(self.context.stamp(), ticket, "", AGENT)
        return await self._drive(incident.id, {"incident": incident.id, "ticket": ticket} if new else None)

    async def take_question(self, text: str, service: str = "", requester: str = "") -> Incident:
        """Work on a question that has no ticket: its first line is the subject."""
        subject, _, body = text.strip().partition("\n")
        question = {"subject": one_line(redact(subject), 120), "body": redact(inert(body, MOST_KEPT))}
        question |= {"service": one_line(service, 80), "requester": one_line(requester, 120)}
        at = self.context.stamp()
        incident, _ = self.context.journal.open_incident(at, "", question["subject"], AGENT, question)
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
                await self._drive(incident.id, None)

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
        name: Server(specs(settings.command(name), name, logs, environment))
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
            emit=emit,
            proposal_life=timedelta(minutes=settings.proposal_minutes),
            verify_seconds=float(settings.verify_seconds),
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
