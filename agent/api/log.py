"""Conversations and what was said in them: threads, runs, and every event in order, in a database of their own.

Losing it costs the conversations and never the truth: what was decided and done stands in the journal.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    insert,
    select,
    update,
)

from agent.core.errors import Refused

_metadata = MetaData()

_threads = Table(
    "threads",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
)
_runs = Table(
    "runs",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("thread", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("begun_at", Text, nullable=False),
)
_events = Table(
    "events",
    _metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("thread", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("data", Text, nullable=False),
)
_APPEND = "INSERT INTO events (thread, run, data) VALUES (?, ?, ?)"
"""As text: events are written all the time, and putting the statement together takes longer than running it."""
Index("events_of_a_thread", _events.c.thread, _events.c.seq)
# At most one run of a thread goes on, whatever is sent twice.
Index("one_run_at_a_time", _runs.c.thread, unique=True, sqlite_where=_runs.c.state == "running")


@dataclass(frozen=True)
class Thread:
    """One conversation of one person, about one incident at a time."""

    id: str
    owner: str
    origin: str
    """The host page it was begun on, for conversations begun with a token of that host; else empty."""
    title: str
    incident: str
    created_at: str
    updated_at: str


class Log:
    """The conversations of this installation."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})

        @event.listens_for(self._engine, "connect")
        def _configure(connection: Any, _record: object) -> None:
            connection.isolation_level = None
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
                connection.execute(f"PRAGMA {pragma}")

        _metadata.create_all(self._engine)

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def open_thread(
        self, at: str, owner: str, origin: str = "", title: str = "", incident: str = "", name: str = ""
    ) -> Thread:
        """Begin a conversation; clients that name their threads themselves may give the name."""
        thread = Thread(name or f"TH-{secrets.token_hex(8)}", owner, origin, title, incident, at, at)
        with self._write() as connection:
            connection.execute(insert(_threads).values(**vars(thread)))
        return thread

    def thread(self, name: str) -> Thread | None:
        """Return a conversation, None when there is none of that name."""
        with self._engine.connect() as connection:
            row = connection.execute(select(_threads).where(_threads.c.id == name)).one_or_none()
        return Thread(**row._mapping) if row else None

    def threads(self, owner: str, origin: str | None = None, limit: int = 100) -> list[Thread]:
        """Return somebody's conversations, newest first; with `origin`, those begun there alone."""
        query = select(_threads).where(_threads.c.owner == owner)
        if origin is not None:
            query = query.where(_threads.c.origin == origin)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_threads.c.updated_at.desc(), _threads.c.id).limit(limit))
            return [Thread(**row._mapping) for row in rows]

    def about(self, incident: str) -> list[Thread]:
        """Return the conversations that are or have been about an incident: its card stands in each of them."""
        been = select(_runs.c.thread).where(_runs.c.incident == incident)
        query = select(_threads).where((_threads.c.incident == incident) | _threads.c.id.in_(been))
        with self._engine.connect() as connection:
            return [Thread(**row._mapping) for row in connection.execute(query.order_by(_threads.c.created_at))]

    def cards(self, thread: str) -> dict[str, tuple[str, str]]:
        """Return, by incident, the card that a conversation showed last: its digest, and the state it was in."""
        shown = _events.c.data.contains('"activityType":"proposal"')
        query = select(_events.c.data).where(_events.c.thread == thread, shown).order_by(_events.c.seq)
        with self._engine.connect() as connection:
            cards = [json.loads(data)["content"] for data in connection.execute(query).scalars()]
        return {card["incident"]: (card["digest"], card["state"]) for card in cards}

    def was_about(self, thread: str) -> set[str]:
        """Return every incident that a conversation has been about."""
        query = select(_runs.c.incident).where(_runs.c.thread == thread, _runs.c.incident != "").distinct()
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def turn_to(self, at: str, thread: str, run: str, incident: str, title: str = "") -> None:
        """Make a conversation be about an incident; the first title it gets stays."""
        with self._write() as connection:
            connection.execute(update(_threads).where(_threads.c.id == thread).values(incident=incident, updated_at=at))
            if title:
                first = (_threads.c.id == thread) & (_threads.c.title == "")
                connection.execute(update(_threads).where(first).values(title=title))
            connection.execute(update(_runs).where(_runs.c.id == run).values(incident=incident))

    def begin(self, at: str, thread: str, run: str, incident: str) -> None:
        """Begin a run. Refused: `busy` while another one goes on, `repeated` when this one was begun before."""
        with self._write() as connection:
            if connection.execute(select(_runs.c.id).where(_runs.c.id == run)).first():
                raise Refused("repeated", f"the run {run} was begun before")
            going = select(_runs.c.id).where(_runs.c.thread == thread, _runs.c.state == "running")
            if connection.execute(going).first():
                raise Refused("busy", "the assistant is still at work in this conversation; stop that first, or wait")
            connection.execute(
                insert(_runs).values(id=run, thread=thread, incident=incident, state="running", begun_at=at)
            )
            connection.execute(update(_threads).where(_threads.c.id == thread).values(updated_at=at))

    def thread_of_run(self, run: str) -> str:
        """Return the conversation that a run belongs to, or nothing."""
        with self._engine.connect() as connection:
            return str(connection.execute(select(_runs.c.thread).where(_runs.c.id == run)).scalar_one_or_none() or "")

    def at_work_on(self, thread: str) -> str:
        """Return the incident that the run going on in a conversation is about; nothing where none goes on."""
        query = select(_runs.c.incident).where(_runs.c.thread == thread, _runs.c.state == "running")
        with self._engine.connect() as connection:
            return str(connection.execute(query).scalar_one_or_none() or "")

    def running(self, thread: str = "") -> list[tuple[str, str]]:
        """Return (run, thread) of what is recorded as going on, of one conversation where asked."""
        query = select(_runs.c.id, _runs.c.thread).where(_runs.c.state == "running")
        if thread:
            query = query.where(_runs.c.thread == thread)
        with self._engine.connect() as connection:
            return [(row.id, row.thread) for row in connection.execute(query)]

    def append(
        self, thread: str, run: str, events: Sequence[Mapping[str, Any]], ends: str = ""
    ) -> list[tuple[int, str]]:
        """Append events; with `ends`, the run is over in that state in the same transaction. Return (seq, JSON)."""
        written = []
        with self._write() as connection:
            for one in events:
                text = json.dumps(one, ensure_ascii=False, separators=(",", ":"))
                written.append((int(connection.exec_driver_sql(_APPEND, (thread, run, text)).lastrowid), text))
            if ends:
                connection.execute(update(_runs).where(_runs.c.id == run).values(state=ends))
        return written

    def read(self, thread: str, after: int = 0, limit: int = 1000, run: str = "") -> list[tuple[int, str]]:
        """Return (seq, JSON) of a conversation's events after one, in order; of one run where asked."""
        query = select(_events.c.seq, _events.c.data).where(_events.c.thread == thread, _events.c.seq > after)
        if run:
            query = query.where(_events.c.run == run)
        with self._engine.connect() as connection:
            return [(row.seq, row.data) for row in connection.execute(query.order_by(_events.c.seq).limit(limit))]

    def whole_run(self, thread: str, run: str) -> list[tuple[int, str]]:
        """Return (seq, JSON) of all events of a run."""
        events: list[tuple[int, str]] = []
        while part := self.read(thread, events[-1][0] if events else 0, run=run):
            events += part
        return events

    def ended(self, run: str) -> bool:
        """True when a run is over."""
        with self._engine.connect() as connection:
            state = connection.execute(select(_runs.c.state).where(_runs.c.id == run)).scalar_one_or_none()
        return state is not None and state != "running"
