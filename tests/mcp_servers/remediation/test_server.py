"""The four tools over the real transport: what they say of themselves, and what they answer to bad input."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

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
