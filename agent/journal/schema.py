"""The tables. The journal can only be added to: the database itself refuses to update or delete its rows."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Index, Integer, LargeBinary, MetaData, Table, Text, event

metadata = MetaData()

journal = Table(
    "journal",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("incident", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ticket", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("requester", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", Text, nullable=False),
    Column("updated_at", Text, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("incident", Text, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("card", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("approver", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("decided_at", Text, nullable=False, server_default=""),
    Column("grant", Text, nullable=False, server_default=""),
    Column("outcome", Text, nullable=False, server_default=""),
    CheckConstraint("state <> 'approved' OR (\"grant\" <> '' AND approver <> '')", name="approved_has_a_grant"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("incident", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("data", Text, nullable=False),
)
"""What an incident's investigation saw and came to, whole; the journal holds its fingerprint."""

stops = Table(
    "stops",
    metadata,
    Column("level", Text, primary_key=True),
    Column("at", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

# What is asked all the time: the entries of one incident. Without it, each question reads the whole journal.
Index("entries_of_an_incident", journal.c.incident, journal.c.seq)
# At most one live proposal for an incident, whatever runs twice.
Index(
    "one_live_proposal",
    proposals.c.incident,
    unique=True,
    sqlite_where=proposals.c.state.in_(["awaiting", "approved", "executing"]),
)

for _verb in ("UPDATE", "DELETE"):
    _ddl = (
        f"CREATE TRIGGER IF NOT EXISTS journal_no_{_verb.lower()} BEFORE {_verb} ON journal "
        "BEGIN SELECT RAISE(ABORT, 'the journal can only be added to'); END"
    )

    @event.listens_for(journal, "after_create")
    def _guard(_target, connection, _ddl=_ddl, **_: object) -> None:  # type: ignore[no-untyped-def]
        connection.exec_driver_sql(_ddl)
