"""The desk's tables. The version stands in `PRAGMA user_version`."""

from __future__ import annotations

import sqlite3

VERSION = 1

_TABLES = """
CREATE TABLE tickets (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    subject    TEXT NOT NULL CHECK (subject <> ''),
    body       TEXT NOT NULL,
    requester  TEXT NOT NULL,
    service    TEXT NOT NULL DEFAULT '',
    status     TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'pending', 'solved', 'closed')),
    priority   TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    solved_at  TEXT NOT NULL DEFAULT '',
    solution   TEXT NOT NULL DEFAULT '',
    verified   INTEGER NOT NULL DEFAULT 0 CHECK (verified IN (0, 1))
) STRICT;
CREATE INDEX tickets_by_service ON tickets (service, status);
CREATE TABLE notes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket     INTEGER NOT NULL REFERENCES tickets (id),
    text       TEXT NOT NULL,
    key        TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX notes_by_ticket ON notes (ticket, id);
CREATE VIRTUAL TABLE words USING fts5 (
    subject, body, solution, tokenize = 'porter unicode61 remove_diacritics 2'
);
"""


class WrongSchema(ValueError):
    """The database was written by another version of the desk, or by another program."""


def prepare(connection: sqlite3.Connection) -> None:
    """Create the tables in an empty database; raises WrongSchema for a database that is not this desk's."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        elif version != VERSION:
            raise WrongSchema(f"it has schema version {version}, this program needs {VERSION}; use another file")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
