"""The four tools over the real transport: what they say of themselves, and what they answer to bad input."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from mcp_servers.remediation import server
from mcp_servers.remediation.canonical import digest
from tests.mcp_servers.remediation.fakes import FakeTarget, as_rehearsed, executor
from tests.mcp_servers.remediation.waiting import lay_out
from tests.vectors import grant_world

ROOT = Path(__file__).parents[3]


def command(place: Path) -> list[str]:
    words = ["-m", "mcp_servers.remediation", "--inventory", str(place / "inventory.yaml")]
    words += ["--public-key", str(place / "key.pem"), "--journal", str(place / "journal.db")]
    return [*words, "--audience", grant_world.AUDIENCE]


@contextlib.asynccontextmanager
async def connected(place: Path) -> AsyncIterator[Client]:
    lay_out(place)
    async with Client(stdio_client(StdioServerParameters(command=sys.executable, args=command(place), cwd=ROOT))) as it:
        yield it


async def test_the_tools_say_what_they_are_and_take_nothing_besides(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"list_actions", "rehearse", "get_operation", "execute"}
    for name, tool in tools.items():
        hints = tool.annotations
        assert hints is not None
        acts = name == "execute"
        assert (hints.read_only_hint, hints.destructive_hint) == (not acts, acts)
        assert (hints.idempotent_hint, hints.open_world_hint) == (True, False)
        assert tool.input_schema["additionalProperties"] is False
        assert tool.output_schema is not None


async def test_the_catalogue_is_listed_with_its_promises(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        listed: Any = (await client.call_tool("list_actions", {})).structured_content
    actions = {action["id"]: action for action in listed["actions"]}
    assert set(actions) == {"restart_service", "restore_config", "end_blocking_session"}
    assert listed["catalogue"].startswith("sha256:")
    assert actions["restore_config"]["undoable"] is True
    assert actions["end_blocking_session"]["undo"]["cannot"]
    assert actions["restart_service"]["params_schema"]["additionalProperties"] is False


BAD_CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("rehearse", {"action": "rm", "target": "orders", "params": {}}, "No action 'rm'"),
    ("rehearse", {"action": "restart_service", "target": "nobody", "params": {}}, "No service 'nobody'"),
    ("rehearse", {"action": "restart_service", "target": "../etc", "params": {}}, "target"),
    ("rehearse", {"action": "restart_service", "target": "orders", "params": {"a": {}}}, "params"),
    ("rehearse", {"action": "restart_service", "target": "orders", "params": {}}, "supervisor"),
    ("rehearse", {"action": "restart_service", "target": "orders", "params": {}, "sudo": True}, "sudo"),
    ("get_operation", {"operation_id": "latest"}, "operation_id"),
    ("execute", {"operation_id": "sha256:" + "0" * 64, "proposal": {}}, "grant"),
]


async def test_bad_input_gets_one_plain_sentence(tmp_path: Path) -> None:
    async with connected(tmp_path) as client:
        for tool, arguments, says in BAD_CALLS:
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            text = getattr(result.content[0], "text", "")
            assert says in text
            assert "\n" not in text
            assert "Traceback" not in text


async def test_an_unapproved_proposal_is_refused_over_the_wire(tmp_path: Path) -> None:
    proposal = grant_world.proposal()
    arguments = {"operation_id": grant_world.claims(proposal)["jti"], "proposal": proposal, "grant": "please"}
    async with connected(tmp_path) as client:
        answer: Any = (await client.call_tool("execute", arguments)).structured_content
        assert (answer["state"], answer["code"]) == ("refused", "grant_unreadable")
        unseen: Any = (
            await client.call_tool("get_operation", {"operation_id": arguments["operation_id"]})
        ).structured_content
        assert unseen["state"] == "unseen"


@pytest.mark.parametrize("broken", ["key.pem", "inventory.yaml", "journal.db"])
def test_a_server_that_cannot_trust_its_files_does_not_start(broken: str, tmp_path: Path) -> None:
    lay_out(tmp_path)
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / f"journal.db{suffix}").unlink(missing_ok=True)
    (tmp_path / broken).write_bytes(b"nothing of the kind\n" * 60)
    done = subprocess.run(
        [sys.executable, *command(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert broken in done.stderr
    assert "Traceback" not in done.stderr


async def test_an_execution_that_waits_its_turn_is_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "AT_ONCE", 1)
    first, second = grant_world.proposal(), grant_world.proposal(incident="INC-2")
    go_on = threading.Event()
    target = FakeTarget(as_rehearsed(first), on_look=lambda: _wait_for(go_on))
    tools = server.Tools(executor(tmp_path, target))
    calls = []
    try:
        for proposal in (first, second):
            calls.append(asyncio.create_task(tools.execute(digest(proposal), proposal, grant_world.grant(proposal))))
            await asyncio.sleep(0)  # one turn of the loop: the call is on its way
        calls[1].cancel()  # nobody waits for it any more, and it will run all the same
        told = [(await tools.get_operation(digest(proposal))).state for proposal in (first, second)]
    finally:
        go_on.set()
    assert told == ["running", "running"]
    assert (await calls[0]).state == "finished"
    async with asyncio.timeout(10):
        while (ended := await tools.get_operation(digest(second))).state == "running":
            await asyncio.sleep(0.01)
    assert ended.state == "finished"
    never = await tools.get_operation("sha256:" + "0" * 64)
    assert never.state == "unseen"


def _wait_for(event: threading.Event) -> None:
    assert event.wait(10)


async def test_an_execution_that_was_refused_at_the_gate_waits_no_more(tmp_path: Path) -> None:
    proposal = grant_world.proposal()
    tools = server.Tools(executor(tmp_path, FakeTarget(as_rehearsed(proposal))))
    assert (await tools.execute(digest(proposal), proposal, "please")).code == "grant_unreadable"
    assert (await tools.get_operation(digest(proposal))).state == "unseen"
