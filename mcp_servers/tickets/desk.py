"""The ticket desk: tickets, internal notes, full-text search, on one SQLite file."""

from __future__ import annotations

import math
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcp_servers.moments import now_iso
from mcp_servers.text import clean, clean_line
from mcp_servers.tickets.schema import WrongSchema, prepare
from mcp_servers.tickets.words import all_of, any_of, quoted, terms

Status = Literal["open", "pending", "solved", "closed"]
Priority = Literal["low", "normal", "high", "urgent"]

FIRST_ID = 1001
MAX_NOTE_BYTES = 64 * 1024
MAX_BODY_BYTES = 8 * 1024 * 1024
INDEXED_CHARACTERS = 64 * 1024
BUSY_TIMEOUT_S = 5.0
CANDIDATES = 25

_ID = re.compile(r"T-([1-9][0-9]{0,15})")
# Weights of subject, body and solution in bm25 (https://sqlite.org/fts5.html#the_bm25_function).
_RANK = "bm25(words, 6.0, 1.0, 2.0)"


class DeskError(ValueError):
    """The desk refuses; the message is one plain sentence."""


@dataclass(frozen=True)
class Ticket:
    """A ticket as it was stored; `body` may hold control characters."""

    id: str
    subject: str
    body: str
    requester: str
    service: str
    status: Status
    priority: Priority
    created_at: str
    updated_at: str
    solved_at: str
    solution: str
    verified: bool


@dataclass(frozen=True)
class Note:
    """An internal note."""

    id: int
    ticket: str
    text: str
    created_at: str


@dataclass(frozen=True)
class Similar:
    """A solved ticket; `score` is how much of the searched text's telling words stands in it, 0 to 100."""

    ticket: Ticket
    score: int


class Desk:
    """One desk in one SQLite file. Its methods block; they may be called from several threads."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make a new desk there. Raises DeskError when it cannot be used."""
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            prepare(self._connection)
        except (sqlite3.Error, WrongSchema) as error:
            raise DeskError(f"cannot use {path} as a ticket desk: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def create(
        self,
        subject: str,
        body: str,
        requester: str,
        service: str = "",
        priority: Priority = "normal",
        created_at: str = "",
    ) -> str:
        """Store a ticket and return its id. The body may be empty, and up to 8 MiB."""
        subject = clean_line(subject, 300)
        requester = clean_line(requester, 100)
        if not subject:
            raise DeskError("a ticket needs a subject; write what is wrong in a few words")
        if not requester:
            raise DeskError("a ticket needs a requester; say who reports it")
        body = body.encode("utf-8", "replace").decode("utf-8")
        if len(body.encode("utf-8")) > MAX_BODY_BYTES:
            raise DeskError(f"the body is larger than {MAX_BODY_BYTES // 1024 // 1024} MiB; attach less")
        moment = created_at or now_iso()
        with self._write() as sql:
            empty = sql.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'tickets'").fetchone() is None
            cursor = sql.execute(
                "INSERT INTO tickets (id, subject, body, requester, service, priority, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (FIRST_ID if empty else None, subject, body, requester, service, priority, moment, moment),
            )
            sql.execute(
                "INSERT INTO words (rowid, subject, body, solution) VALUES (?, ?, ?, '')",
                (cursor.lastrowid, subject, clean(body[:INDEXED_CHARACTERS])),
            )
            return f"T-{cursor.lastrowid}"

    def resolve(self, ticket: str, solution: str, verified: bool, solved_at: str = "") -> None:
        """Mark a ticket as solved by `solution`; `verified` says that a check confirmed it afterwards."""
        solution = clean(solution).strip()
        if not solution:
            raise DeskError("a solved ticket needs its solution; write what helped")
        moment = solved_at or now_iso()
        with self._write() as sql:
            row = self._row(ticket)
            sql.execute(
                "UPDATE tickets SET status = 'solved', solution = ?, verified = ?, solved_at = ?, updated_at = ?"
                " WHERE id = ?",
                (solution, int(verified), moment, moment, row["id"]),
            )
            sql.execute("UPDATE words SET solution = ? WHERE rowid = ?", (solution[:INDEXED_CHARACTERS], row["id"]))

    def get(self, ticket: str) -> Ticket:
        """Return a ticket; raises DeskError when there is none of that id."""
        with self._lock:
            return _ticket(self._row(ticket))

    def search(self, query: str, status: Status | Literal[""], service: str, limit: int) -> list[Ticket]:
        """Return tickets that hold every word of `query`, best first; an empty query lists the newest."""
        words = terms(query)
        if query.strip() and not words:
            return []
        chosen = "(? = '' OR status = ?) AND (? = '' OR service = ?)"
        values = (status, status, service, service, limit)
        with self._lock:
            if not words:
                sql = f"SELECT * FROM tickets WHERE {chosen} ORDER BY id DESC LIMIT ?"  # noqa: S608 - constants only
                return [_ticket(row) for row in self._connection.execute(sql, values)]
            sql = (
                f"SELECT tickets.* FROM words JOIN tickets ON tickets.id = words.rowid"  # noqa: S608 - constants only
                f" WHERE words MATCH ? AND {chosen} ORDER BY {_RANK}, tickets.id DESC LIMIT ?"
            )
            return [_ticket(row) for row in self._connection.execute(sql, (all_of(words), *values))]

    def similar(self, text: str, service: str, limit: int, exclude: str) -> list[Similar]:
        """Return solved tickets that share telling words with `text`, best first by bm25."""
        words = terms(text)
        if not words:
            return []
        sql = (
            "SELECT tickets.* FROM words JOIN tickets ON tickets.id = words.rowid"  # noqa: S608 - constants only
            " WHERE words MATCH ? AND status IN ('solved', 'closed') AND tickets.solution <> ''"
            f" AND (? = '' OR service = ?) AND tickets.id <> ? ORDER BY {_RANK}, tickets.id DESC LIMIT ?"
        )
        left_out = _number(exclude) if exclude else 0
        with self._lock:
            rows = self._connection.execute(
                sql, (any_of(words), service, service, left_out, min(limit, CANDIDATES))
            ).fetchall()
            scores = self._scores(words, [row["id"] for row in rows])
        return [Similar(_ticket(row), scores[row["id"]]) for row in rows]

    def notes(self, ticket: str, limit: int) -> tuple[list[Note], int]:
        """Return the newest notes of a ticket, oldest first, and how many there are in all."""
        with self._lock:
            number = self._row(ticket)["id"]
            count = self._connection.execute("SELECT count(*) FROM notes WHERE ticket = ?", (number,)).fetchone()[0]
            rows = self._connection.execute(
                "SELECT * FROM notes WHERE ticket = ? ORDER BY id DESC LIMIT ?", (number, limit)
            ).fetchall()
        return [_note(row) for row in reversed(rows)], count

    def add_note(self, ticket: str, text: str, key: str) -> tuple[Note, bool]:
        """Store an internal note once per key and return it, with whether it stood there already.

        Raises DeskError for an empty or too long text, and for a key that was used for something else.
        """
        text = clean(text).strip()
        if not text:
            raise DeskError("the note is empty; write something in it")
        if len(text.encode("utf-8")) > MAX_NOTE_BYTES:
            raise DeskError(f"the note is larger than {MAX_NOTE_BYTES // 1024} KiB; shorten it")
        with self._write() as sql:
            number = self._row(ticket)["id"]
            known = sql.execute("SELECT * FROM notes WHERE key = ?", (key,)).fetchone()
            if known is not None:
                if known["ticket"] != number or known["text"] != text:
                    raise DeskError("this idempotency key was used for another note; use a new key for a new note")
                return _note(known), True
            moment = now_iso()
            cursor = sql.execute(
                "INSERT INTO notes (ticket, text, key, created_at) VALUES (?, ?, ?, ?)", (number, text, key, moment)
            )
            sql.execute("UPDATE tickets SET updated_at = ? WHERE id = ?", (moment, number))
            return Note(int(cursor.lastrowid or 0), ticket, text, moment), False

    def _row(self, ticket: str) -> sqlite3.Row:
        row: sqlite3.Row | None = self._connection.execute(
            "SELECT * FROM tickets WHERE id = ?", (_number(ticket),)
        ).fetchone()
        if row is None:
            raise DeskError(f"there is no ticket {ticket}; search_tickets finds the ones there are")
        return row

    def _scores(self, words: list[str], candidates: list[int]) -> dict[int, int]:
        """Weigh each word by how rare it is on the desk, and sum up for each candidate the words it holds."""
        total = self._connection.execute("SELECT count(*) FROM tickets").fetchone()[0]
        marks = ", ".join("?" * len(candidates))
        holders = f"SELECT rowid FROM words WHERE words MATCH ? AND rowid IN ({marks})"  # noqa: S608 - marks only
        sums = dict.fromkeys(candidates, 0.0)
        whole = 0.0
        for word in words:
            term = quoted(word)
            known = self._connection.execute("SELECT count(*) FROM words WHERE words MATCH ?", (term,)).fetchone()[0]
            weight = math.log(1 + (total - known + 0.5) / (known + 0.5))
            whole += weight
            for row in self._connection.execute(holders, (term, *candidates)):
                sums[row[0]] += weight
        return {candidate: round(100 * value / whole) if whole else 0 for candidate, value in sums.items()}

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One transaction; a full disk or a busy file becomes a DeskError, and nothing was stored."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                raise DeskError(f"the desk could not store that ({error}); nothing was changed, try again") from error


def _number(ticket: str) -> int:
    found = _ID.fullmatch(ticket)
    if found is None:
        raise DeskError("ticket ids look like T-1001; correct the id")
    return int(found[1])


def _ticket(row: sqlite3.Row) -> Ticket:
    fields = {name: row[name] for name in row.keys() if name not in ("id", "verified")}
    return Ticket(id=f"T-{row['id']}", verified=bool(row["verified"]), **fields)


def _note(row: sqlite3.Row) -> Note:
    return Note(row["id"], f"T-{row['ticket']}", row["text"], row["created_at"])
