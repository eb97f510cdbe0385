"""The server's own journal (SQLite): what was asked, what was begun, how it ended.

`operations` has one row per operation id; `events` is append-only and hash-chained, and each change of a row is
written in one transaction with its event. Nothing acts before `begun` is on the disk (synchronous=FULL).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import rfc8785

State = Literal["checking", "begun", "finished", "failed", "refused", "unknown"]
TERMINAL: frozenset[State] = frozenset({"finished", "failed", "refused", "unknown"})
FIRST_LINK = "sha256:" + "0" * 64

SCHEMA = """
create table if not exists operations (
    id text primary key,
    state text not null check (state in ('checking', 'begun', 'finished', 'failed', 'refused', 'unknown')),
    proposal text not null, action text not null, target text not null, approver text not null,
    code text not null default '', reason text not null default '',
    before text not null default '{}', after text not null default '{}',
    started_at text not null default '', finished_at text not null default ''
) strict;
create table if not exists events (
    seq integer primary key, at text not null, operation text not null, kind text not null, body text not null,
    previous text not null, hash text not null unique
) strict;
create trigger if not exists events_stand before update on events begin select raise(abort, 'append only'); end;
create trigger if not exists events_stay before delete on events begin select raise(abort, 'append only'); end;
create trigger if not exists operations_stay before delete on operations begin select raise(abort, 'kept'); end;
create trigger if not exists operations_go_forward before update on operations
when not ((old.state = 'checking' and new.state in ('checking', 'begun', 'refused'))
       or (old.state = 'begun' and new.state in ('finished', 'failed', 'unknown')))
  or new.id <> old.id or new.proposal <> old.proposal
begin select raise(abort, 'an operation does not go back'); end;
create trigger if not exists operations_keep_their_place before update on operations
when new.rowid <> old.rowid
  or new.action <> old.action or new.target <> old.target or new.approver <> old.approver
begin select raise(abort, 'kept'); end;
create trigger if not exists operations_come_once before insert on operations
when exists (select 1 from operations where id = new.id or rowid = new.rowid)
begin select raise(abort, 'kept'); end;
create trigger if not exists events_come_once before insert on events
when exists (select 1 from events where seq = new.seq or hash = new.hash)
begin select raise(abort, 'append only'); end;
create index if not exists events_of_an_operation on events (operation, kind);
"""
# The triggers before an insert are for INSERT OR REPLACE: what it replaces is deleted without firing a trigger for
# deletes, unless a program sets the pragma recursive_triggers (https://www.sqlite.org/lang_conflict.html).


class JournalError(Exception):
    """The journal cannot be read or written, so nothing may be done; the message says why."""


class OutOfStep(Exception):
    """The operation is not in the state that the change begins from: somebody else was there."""


@dataclass(frozen=True)
class Operation:
    """One row: an operation id and how far it has come."""

    id: str
    state: State
    proposal: str
    action: str
    target: str
    approver: str
    code: str
    reason: str
    before: dict[str, Any]
    after: dict[str, Any]
    started_at: str
    finished_at: str


def now_text() -> str:
    """Return this moment in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Journal:
    """The journal at `path`, with the locks and receipts of running plays in directories beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.locks = path.with_name(path.name + ".locks")
        self.receipts = path.with_name(path.name + ".receipts")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            for directory in (self.locks, self.receipts):
                directory.mkdir(exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise JournalError(f"cannot use the journal {path}: {error.strerror}") from error
        with self._connection() as connection:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(SCHEMA)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=5, isolation_level=None
            )
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("pragma synchronous = full")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise JournalError(f"cannot use the journal {self.path}: {error}") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as connection:
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise

    def find(self, operation_id: str) -> Operation | None:
        """Return the row of an operation.

        Raises JournalError, also where the events say that the operation has begun and the row says that it has not.
        """
        with self._connection() as connection:
            connection.execute("begin")  # row and events as of one moment
            row = connection.execute("select * from operations where id = ?", (operation_id,)).fetchone()
            if (row is None or row["state"] == "checking") and _has_begun(connection, operation_id):
                raise JournalError(f"the record of {operation_id} was rewritten: its events say that it has begun")
        if row is None:
            return None
        try:
            facts = {"before": json.loads(row["before"]), "after": json.loads(row["after"])}
        except ValueError as error:
            raise JournalError(f"the record of {operation_id} cannot be read: {error}") from error
        return Operation(**{**dict(row), **facts})

    def open(self, operation_id: str, proposal: str, action: str, target: str, approver: str) -> None:
        """Write `checking`; an operation that was being checked when its server ended is taken over.

        Raises JournalError, or OutOfStep when the operation has come further already.
        """
        with self._transaction() as connection:
            row = connection.execute("select state, proposal from operations where id = ?", (operation_id,)).fetchone()
            if row is None:
                connection.execute(
                    "insert into operations (id, state, proposal, action, target, approver) "
                    "values (?, 'checking', ?, ?, ?, ?)",
                    (operation_id, proposal, action, target, approver),
                )
            elif row["state"] != "checking" or row["proposal"] != proposal:
                raise OutOfStep(f"the record of {operation_id} has gone further already")
            if _has_begun(connection, operation_id):
                raise OutOfStep(f"the events of {operation_id} say that it has begun")
            body = {"action": action, "target": target, "approver": approver}
            self._append(connection, operation_id, "checking", body)

    def move(self, operation_id: str, since: State, state: State, **fields: Any) -> None:
        """Take an operation from one state to the next, with what is to be recorded. Raises JournalError, OutOfStep."""
        columns = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in fields.items()}
        sets = ", ".join(f"{name} = ?" for name in columns)
        with self._transaction() as connection:
            changed = connection.execute(
                f"update operations set state = ?{', ' if sets else ''}{sets} where id = ? and state = ?",  # noqa: S608
                (state, *columns.values(), operation_id, since),
            ).rowcount
            if changed != 1:
                raise OutOfStep(f"the record of {operation_id} is not in the state {since!r}")
            self._append(connection, operation_id, state, fields)

    def note(self, operation_id: str, kind: str, body: dict[str, Any]) -> None:
        """Append an event that changes no row, such as a refusal at the gate. Raises JournalError."""
        with self._transaction() as connection:
            self._append(connection, operation_id, kind, body)

    def _append(self, connection: sqlite3.Connection, operation: str, kind: str, body: dict[str, Any]) -> None:
        last = connection.execute("select seq, hash from events order by seq desc limit 1").fetchone()
        seq, previous = (last["seq"] + 1, last["hash"]) if last else (1, FIRST_LINK)
        at, text = now_text(), json.dumps(body, sort_keys=True)
        own = link(seq, at, operation, kind, text, previous)
        connection.execute(
            "insert into events values (?, ?, ?, ?, ?, ?, ?)", (seq, at, operation, kind, text, previous, own)
        )

    def events(self) -> list[dict[str, Any]]:
        """Return every event, oldest first. Raises JournalError."""
        with self._connection() as connection:
            return [dict(row) for row in connection.execute("select * from events order by seq")]

    def receipt_path(self, operation_id: str) -> Path:
        """Where the play of an operation leaves its result."""
        return self.receipts / f"{operation_id.removeprefix('sha256:')}.json"


def link(seq: int, at: str, operation: str, kind: str, body: str, previous: str) -> str:
    """Return the hash of an event that follows `previous`: SHA-256 of its RFC 8785 form, however long it is."""
    event: dict[str, Any] = {
        "seq": seq,
        "at": at,
        "operation": operation,
        "kind": kind,
        "body": body,
        "previous": previous,
    }
    return "sha256:" + hashlib.sha256(rfc8785.dumps(event)).hexdigest()


def _has_begun(connection: sqlite3.Connection, operation_id: str) -> bool:
    found = connection.execute("select 1 from events where operation = ? and kind = 'begun' limit 1", (operation_id,))
    return found.fetchone() is not None
