"""Real server processes that are killed, left alone or raced against each other: never more than one effect."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from mcp_servers.remediation.canonical import digest
from mcp_servers.remediation.executor import Executor
from tests.mcp_servers.remediation.office import approve, propose
from tests.mcp_servers.remediation.waiting import effects, kill_holders, lay_out, open_room, until

ROOT = Path(__file__).parents[3]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    lay_out(tmp_path)
    return tmp_path


@pytest.fixture
def room(place: Path) -> Iterator[Executor]:
    """What another server over the same journal would say."""
    room = open_room(place)
    yield room
    kill_holders(room.journal.locks)
    room.ansible.close()


def order(room: Executor, place: Path) -> dict[str, Any]:
    """Return what `execute` is called with."""
    params = {"place": str(place), "text": "x"}
    action = room.sources.catalogue().actions["write_line"]
    seen = {
        "action": "write_line",
        "target": "orders",
        "params": params,
        "risk": "low",
        "expect": action.expectations("orders"),
        "undo": {"cannot": "It stays."},
        "catalogue": room.sources.catalogue().digest,
        "precondition": {"says": action.precondition.says},
        "before": {"written": False},
        "after": {"written": True},
    }
    proposal = propose(seen)
    return {"operation_id": digest(proposal), "proposal": proposal, "grant": approve(proposal, "ada")}


class Server:
    """A server in a process of its own, and a client of it."""

    def __init__(self, client: Client, pid: int) -> None:
        self.client = client
        self.pid = pid

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return what it answers."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        answer: dict[str, Any] = result.structured_content
        return answer


@contextlib.asynccontextmanager
async def serving(place: Path) -> AsyncIterator[Server]:
    before = _servers(place)
    words = ["-m", "tests.mcp_servers.remediation.waiting", str(place)]
    parameters = StdioServerParameters(command=sys.executable, args=words, cwd=ROOT)
    async with Client(stdio_client(parameters)) as client:
        (pid,) = _servers(place) - before
        yield Server(client, pid)


def _servers(place: Path) -> set[int]:
    found = set()
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = line.read_bytes().split(b"\0")
            if os.fsencode(place) in words and b"tests.mcp_servers.remediation.waiting" in words:
                found.add(int(line.parent.name))
    return found


async def reached(file: Path) -> None:
    """Wait until a play has come to this point."""
    await asyncio.to_thread(until, file.exists)


async def start(server: Server, what: dict[str, Any]) -> asyncio.Task[dict[str, Any]]:
    return asyncio.create_task(server.call("execute", **what))


async def killed(server: Server, task: asyncio.Task[dict[str, Any]]) -> None:
    os.kill(server.pid, signal.SIGKILL)
    task.cancel()
    with contextlib.suppress(Exception, asyncio.CancelledError):
        await task


async def test_a_server_killed_while_it_acts_leaves_running_then_finished_and_one_effect(
    place: Path, room: Executor
) -> None:
    (place / "hold-act").touch()
    what = order(room, place)
    async with serving(place) as server:
        task = await start(server, what)
        await reached(place / "began-act")
        await killed(server, task)
    assert room.get_operation(what["operation_id"]).state == "running"
    assert room.execute(**what).state == "running"
    (place / "hold-act").unlink()
    until(lambda: room.get_operation(what["operation_id"]).state != "running")
    assert room.get_operation(what["operation_id"]).state == "finished"
    assert room.execute(**what).replayed
    assert effects(place) == 1


async def test_a_server_killed_with_its_play_leaves_unknown_and_nothing_runs_again(place: Path, room: Executor) -> None:
    (place / "hold-act").touch()
    what = order(room, place)
    async with serving(place) as server:
        task = await start(server, what)
        await reached(place / "began-act")
        await killed(server, task)
    kill_holders(room.journal.locks)
    until(lambda: room.get_operation(what["operation_id"]).state != "running")
    assert room.get_operation(what["operation_id"]).state == "unknown"
    (place / "hold-act").unlink()
    looks = (place / "began-look").stat().st_mtime_ns
    assert room.execute(**what).state == "unknown"
    assert (place / "began-look").stat().st_mtime_ns == looks


async def test_a_server_killed_while_it_checks_has_begun_nothing(place: Path, room: Executor) -> None:
    (place / "hold-look").touch()
    what = order(room, place)
    async with serving(place) as server:
        task = await start(server, what)
        await reached(place / "began-look")
        await killed(server, task)
    kill_holders(room.journal.locks)
    until(lambda: room.get_operation(what["operation_id"]).state != "running")
    assert room.get_operation(what["operation_id"]).state == "unseen"
    assert effects(place) == 0
    (place / "hold-look").unlink()
    assert room.execute(**what).state == "finished"
    assert effects(place) == 1


async def test_two_servers_with_one_grant_have_one_effect(place: Path, room: Executor) -> None:
    (place / "hold-look").touch()
    what = order(room, place)
    async with serving(place) as one, serving(place) as two:
        tasks = [await start(server, what) for server in (one, two)]
        await reached(place / "began-look")
        (place / "hold-look").unlink()
        states = sorted([(await task)["state"] for task in tasks])
    assert states in (["finished", "finished"], ["finished", "running"])
    assert effects(place) == 1


async def test_a_client_that_goes_away_in_the_middle_changes_nothing_about_the_end(place: Path, room: Executor) -> None:
    (place / "hold-act").touch()
    what = order(room, place)
    async with serving(place) as server:
        task = await start(server, what)
        await reached(place / "began-act")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        told = await server.call("get_operation", operation_id=what["operation_id"])
        assert told["state"] == "running"
        closing = asyncio.create_task(asyncio.to_thread(until, lambda: not _servers(place)))
    # The client has closed the server's input, and after its patience ended the server.
    await closing
    assert room.get_operation(what["operation_id"]).state == "running"
    (place / "hold-act").unlink()
    until(lambda: room.get_operation(what["operation_id"]).state != "running")
    assert room.get_operation(what["operation_id"]).state == "finished"
    assert effects(place) == 1


async def test_a_server_whose_input_closes_finishes_what_it_began(place: Path, room: Executor) -> None:
    what = order(room, place)
    async with serving(place) as server:
        task = await start(server, what)
        await reached(place / "began-look")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    until(lambda: room.get_operation(what["operation_id"]).state not in ("running", "unseen"))
    assert room.get_operation(what["operation_id"]).state == "finished"
    assert effects(place) == 1
