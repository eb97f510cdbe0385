"""The register of permits: a small HTTP API on PostgreSQL."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import uvicorn
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evals.lab.access_log import AccessLog
from evals.lab.settings import ApplicationSettings

log = logging.getLogger("register")

Pool = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]


class Register:
    """The permits table, as the service uses it."""

    def __init__(self, pool: Pool, table: str, health_timeout_ms: int) -> None:
        self._pool = pool
        self._table = sql.Identifier(table)
        self._health_timeout_ms = health_timeout_ms

    async def probe(self) -> None:
        """Read the table once, with little patience. Raises psycopg.Error or PoolTimeout."""
        limit = sql.Literal(self._health_timeout_ms)
        # A little more for the statement than for the lock: what is said then is which of the two was too slow.
        whole = sql.Literal(self._health_timeout_ms * 3 // 2)
        async with (
            self._pool.connection(timeout=self._health_timeout_ms / 1000) as connection,
            connection.transaction(),
        ):
            await connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(limit))
            await connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(whole))
            await connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(self._table))

    async def newest(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest permits."""
        query = sql.SQL("SELECT id, reference, kind, parcel, state, submitted_at FROM {} ORDER BY id DESC LIMIT {}")
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query.format(self._table, sql.Literal(limit)))
            return [_plain(row) for row in await cursor.fetchall()]

    async def one(self, permit: int) -> dict[str, Any] | None:
        """Return one permit, or None."""
        query = sql.SQL("SELECT id, reference, kind, parcel, state, submitted_at FROM {} WHERE id = {}")
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query.format(self._table, sql.Literal(permit)))
            row = await cursor.fetchone()
            return _plain(row) if row else None

    async def submit(self, kind: str, parcel: str) -> dict[str, Any]:
        """Record an application and return it with its reference."""
        query = sql.SQL(
            "INSERT INTO {} (kind, parcel) VALUES ({}, {}) RETURNING id, reference, kind, parcel, state, submitted_at"
        )
        async with self._pool.connection() as connection:
            cursor = await connection.execute(query.format(self._table, sql.Literal(kind), sql.Literal(parcel)))
            row = await cursor.fetchone()
            if row is None:
                raise psycopg.DataError("the database returned no row for an INSERT")
            return _plain(row)


def _plain(row: DictRow) -> dict[str, Any]:
    return {**row, "submitted_at": row["submitted_at"].isoformat()}


def build(settings: ApplicationSettings) -> Starlette:
    """Build the service; it connects when it starts, and starts even where the database is not there."""
    pool: Pool = AsyncConnectionPool(
        min_size=settings.pool_min,
        max_size=settings.pool_max,
        timeout=settings.connect_timeout_s,
        # A dead connection is found before a request gets it, not by the request.
        check=AsyncConnectionPool.check_connection,
        open=False,
        connection_class=psycopg.AsyncConnection[DictRow],
        kwargs={
            "host": settings.database_host,
            "port": settings.database_port,
            "dbname": settings.database,
            "user": settings.user,
            "passfile": str(settings.passfile),
            "connect_timeout": settings.connect_timeout_s,
            "application_name": settings.name,
            "options": (
                f"-c statement_timeout={settings.statement_timeout_ms} -c lock_timeout={settings.lock_timeout_ms}"
            ),
            "autocommit": True,
            "row_factory": dict_row,
        },
    )
    register = Register(pool, settings.table, settings.health_timeout_ms)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        log.info(
            "%s starting: register of permits on %s:%d, database %s at %s:%d, pool %d to %d",
            settings.name,
            settings.host,
            settings.port,
            settings.database,
            settings.database_host,
            settings.database_port,
            settings.pool_min,
            settings.pool_max,
        )
        await pool.open(wait=False)
        try:
            yield
        finally:
            await pool.close(timeout=1)
            log.info("%s stopped", settings.name)

    async def health(_: Request) -> Response:
        await register.probe()
        return JSONResponse({"status": "ok"})

    async def permits(request: Request) -> Response:
        return JSONResponse({"permits": await register.newest(20)})

    async def permit(request: Request) -> Response:
        found = await register.one(request.path_params["permit"])
        return JSONResponse(found) if found else JSONResponse({"error": "no such permit"}, 404)

    async def submit(request: Request) -> Response:
        try:
            body = await request.json()
            kind, parcel = body["kind"], body["parcel"]
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "expected a JSON object with kind and parcel"}, 422)
        if not _short(kind) or not _short(parcel):
            return JSONResponse({"error": "kind and parcel are texts of 1 to 80 characters"}, 422)
        return JSONResponse(await register.submit(kind, parcel), 201)

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/health", health),
            Route("/permits", permits, methods=["GET"]),
            Route("/permits", submit, methods=["POST"]),
            Route("/permits/{permit:int}", permit),
        ],
        middleware=[Middleware(AccessLog)],
        exception_handlers={psycopg.Error: _database_trouble, PoolTimeout: _database_trouble},
    )


def _short(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= 80 and value.isprintable()


async def _database_trouble(request: Request, error: Exception) -> Response:
    """Answer 503 with what the database said, and log it."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    log.error("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, reason)
    return JSONResponse({"status": "failing", "error": "database", "reason": reason}, 503)


def serve(settings: ApplicationSettings) -> None:
    """Run until told to stop; exits non-zero when the port cannot be bound."""
    # Two seconds of grace: an operator who restarts does not want to wait for every open connection.
    uvicorn.run(
        build(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
