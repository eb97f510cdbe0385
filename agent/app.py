"""The one place where the parts are built and joined."""

from __future__ import annotations

import asyncio
import fcntl
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.display import one_line
from agent.core.errors import CountersignError
from agent.core.event import Event
from agent.core.proposal import AGENT
from agent.settings import Settings

if TYPE_CHECKING:
    from agent.graph import Graph
    from agent.journal.store import Incident
    from agent.nodes.context import State
    from agent.nodes.investigation import Investigation

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
        incident, new = self.context.journal.open_incident(self.context.stamp(), ticket, "", AGENT)
        return await self._drive(incident.id, {"incident": incident.id, "ticket": ticket} if new else None)

    async def take_question(self, text: str, service: str = "", requester: str = "") -> Incident:
        """Work on a question that has no ticket: its first line is the subject."""
        subject, _, body = text.strip().partition("\n")
        incident, _ = self.context.journal.open_incident(self.context.stamp(), "", one_line(subject, 120), AGENT)
        return await self._drive(
            incident.id,
            {
                "incident": incident.id,
                "ticket": "",
                "subject": subject,
                "body": body,
                "service": service,
                "requester": requester,
            },
        )

    async def resume(self, incident: str) -> Incident:
        """Go on where an incident stands, after a decision or after a crash. Ringing twice does nothing twice."""
        return await self._drive(incident, None)

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

        config: Any = {"configurable": {"thread_id": incident}, "recursion_limit": RECURSION_LIMIT}
        given: Any = start
        if start is None:
            snapshot = await self.graph.aget_state(config)
            if not snapshot.values:
                given = await self._again(incident, config)
            elif not snapshot.next:
                return
            elif snapshot.interrupts:
                given = Command(resume={one.id: True for one in snapshot.interrupts})
        await self.graph.ainvoke(given, config, context=self.context, durability="sync")

    async def _again(self, incident: str, config: Any) -> State | None:
        """Put back what the journal knows when working memory is gone, or start again from the ticket."""
        from agent.nodes.recover import live_proposal, recovered

        known = self.context.journal.incident(incident)
        stored = live_proposal(self.context.journal, incident)
        if stored is not None:
            await self.graph.aupdate_state(config, recovered(known, stored), as_node="suggest")
            return None
        if not known.ticket:
            raise CountersignError(
                f"the working memory of {incident} is gone and it has no ticket to read again; please ask once more"
            )
        return {"incident": incident, "ticket": known.ticket}


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
        saver = await stack.enter_async_context(
            parts["AsyncSqliteSaver"].from_conn_string(str(settings.state / "checkpoints.db"))
        )
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


def load_estate(path: Path) -> Any:
    """Read the inventory. Raises CountersignError when it cannot be used."""
    import yaml

    from agent.core.estate import estate_from_inventory

    try:
        return estate_from_inventory(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise CountersignError(f"the inventory {path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise CountersignError(f"the inventory {path} is not valid YAML: {error}") from error


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
