"""postgres_activity: sessions of a PostgreSQL service, and who holds up whom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, Field

from mcp_servers.diagnostics.blocking import roots, without_literals
from mcp_servers.diagnostics.observation import CannotCheck, Observation, missing_facet
from mcp_servers.inventory import Postgres, Service
from mcp_servers.moments import Watch, iso_micro
from mcp_servers.redaction import redact
from mcp_servers.text import clean_line

CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 2000
MAX_BLOCKERS = 20
QUERY_CHARACTERS = 200

# Only for sessions that wait for a lock: pg_blocking_pids() takes the lock manager's own locks each time.
_ACTIVITY = """
    SELECT pid, backend_start, application_name, usename, state, query,
           wait_event_type = 'Lock' AS waiting,
           extract(epoch FROM now() - xact_start)::bigint AS transaction_age_s,
           CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) ELSE '{}' END AS blocked_by,
           current_setting('max_connections')::int AS max_connections
    FROM pg_stat_activity
    WHERE backend_type IN ('client backend', 'parallel worker') OR backend_type IS NULL
"""
# What PostgreSQL shows of a foreign session to a user without pg_read_all_stats; its backend_type is then null.
_HIDDEN = "<insufficient privilege>"


class Blocker(BaseModel):
    """A session others wait for, or all zeros and empty texts for "none"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int = 0
    backend_start: str = Field(default="", description="UTC with microseconds; with the pid it names one session")
    application: str = ""
    user: str = ""
    state: str = ""
    transaction_age_s: int = 0
    waiting_behind: int = Field(default=0, description="sessions that wait for it directly or indirectly")
    query: str = Field(default="", description="its last statement, literals replaced by ?, at most 200 characters")


class PostgresActivity(Observation):
    """Sessions of clients, this check's own left out."""

    sessions: int
    active: int
    waiting: int = Field(description="sessions that wait for a lock")
    blockers: list[Blocker] = Field(description="sessions at the root of a queue, the longest queue first, at most 20")
    blocker: Blocker = Field(description="the first of the blockers; pid 0 when there is none")
    max_connections: int


async def postgres_activity(service: Service) -> PostgresActivity:
    """Read pg_stat_activity once, in a read-only transaction; raises CannotCheck when it cannot be read whole."""
    if service.postgres is None:
        raise missing_facet(service.name, "postgres")
    watch = Watch()
    rows, own_pid = await _rows(service.name, service.postgres)
    clients = {row["pid"]: row for row in rows if row["pid"] != own_pid}
    if any(row["query"] == _HIDDEN for row in clients.values()):
        raise CannotCheck(
            f"user {service.postgres.user!r} may not see other sessions of {service.name!r}; "
            "grant it the role pg_read_all_stats"
        )
    queues = roots({pid: row["blocked_by"] for pid, row in clients.items() if row["blocked_by"]})
    blockers = sorted(
        (_blocker(clients[pid], behind) for pid, behind in queues.items() if pid in clients),
        key=lambda each: (-each.waiting_behind, each.backend_start, each.pid),
    )[:MAX_BLOCKERS]
    return PostgresActivity(
        service=service.name,
        observed_at=watch.started_at,
        took_ms=watch.ms(),
        sessions=len(clients),
        active=sum(row["state"] == "active" for row in clients.values()),
        waiting=sum(bool(row["waiting"]) for row in clients.values()),
        blockers=blockers,
        blocker=blockers[0] if blockers else Blocker(),
        max_connections=int(rows[0]["max_connections"]),
    )


async def _rows(name: str, target: Postgres) -> tuple[list[dict[str, Any]], int]:
    try:
        async with await psycopg.AsyncConnection.connect(
            host=target.host,
            port=target.port,
            dbname=target.dbname,
            user=target.user,
            passfile=str(target.passfile) if target.passfile else None,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="countersign-diagnostics",
            options=f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c default_transaction_read_only=on",
            row_factory=dict_row,
        ) as connection:
            cursor = await connection.execute(_ACTIVITY)
            return await cursor.fetchall(), connection.info.backend_pid
    except psycopg.errors.QueryCanceled as error:
        raise CannotCheck(f"PostgreSQL of {name!r} did not answer within {STATEMENT_TIMEOUT_MS} ms") from error
    except psycopg.Error as error:
        says = redact(clean_line(str(error).strip().split("\n")[0], 300))
        raise CannotCheck(f"cannot ask PostgreSQL of {name!r}: {says}; look at its state and its log") from error


def _blocker(row: dict[str, Any], waiting_behind: int) -> Blocker:
    started: datetime = row["backend_start"]
    return Blocker(
        pid=row["pid"],
        backend_start=iso_micro(started.astimezone(UTC)),
        application=clean_line(row["application_name"] or "", 100),
        user=clean_line(row["usename"] or "", 100),
        state=row["state"] or "",
        transaction_age_s=max(0, int(row["transaction_age_s"] or 0)),
        waiting_behind=waiting_behind,
        query=redact(clean_line(without_literals(row["query"] or ""), QUERY_CHARACTERS)),
    )
