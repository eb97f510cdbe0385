"""The ticket tools as a client sees them, and the desk's command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent

from mcp_servers.tickets.desk import Desk
from mcp_servers.tickets.server import build


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "desk.db")
    yield made
    made.close()


async def called(desk: Desk, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    async with Client(build(desk, {"log_level": "WARNING"})) as client:
        return await client.call_tool(tool, arguments)


async def ask(desk: Desk, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await called(desk, tool, arguments)
    assert not result.is_error, result.content
    content = result.structured_content
    assert isinstance(content, dict)
    return content


async def refusal(desk: Desk, tool: str, **arguments: Any) -> str:
    result = await called(desk, tool, arguments)
    assert result.is_error
    (block,) = result.content
    assert isinstance(block, TextContent)
    assert "\n" not in block.text
    return block.text


async def test_a_ticket_is_read_whole(desk: Desk) -> None:
    desk.create("Shop answers 502", "since 9:00", "ines", "shop", "high")
    seen = await ask(desk, "get_ticket", ticket="T-1001")
    assert {key: seen[key] for key in ("ticket", "subject", "body", "service", "status", "priority", "truncated")} == {
        "ticket": "T-1001", "subject": "Shop answers 502", "body": "since 9:00", "service": "shop",
        "status": "open", "priority": "high", "truncated": False,
    }  # fmt: skip


async def test_a_megabyte_is_served_cut_and_says_so(desk: Desk) -> None:
    desk.create("large", "ä" * 500_000, "ines")
    seen = await ask(desk, "get_ticket", ticket="T-1001")
    assert seen["truncated"] is True and len(seen["body"].encode()) == 65536
    found = await ask(desk, "search_tickets", query="large")
    assert len(found["tickets"][0]["excerpt"]) <= 300


async def test_binary_and_escapes_are_served_harmless(desk: Desk) -> None:
    desk.create("binary", bytes(range(256)).decode("latin-1") + "\x1b[2Jhello\ud800\u202e", "ines")
    body = (await ask(desk, "get_ticket", ticket="T-1001"))["body"]
    assert "hello?" in body
    assert not any((ord(c) < 32 and c not in "\t\n") or 127 <= ord(c) < 160 or c == "\u202e" for c in body)


async def test_a_note_is_internal_and_added_once(desk: Desk) -> None:
    desk.create("a", "", "ines")
    note = {"ticket": "T-1001", "text": "cause found", "idempotency_key": "incident-1:note"}
    first = await ask(desk, "add_note", **note)
    second = await ask(desk, "add_note", **note)
    assert (first["replayed"], second["replayed"], first["internal"]) == (False, True, True)
    assert first["note"] == second["note"]
    says = await refusal(desk, "add_note", **{**note, "text": "other"})
    assert "new key" in says
    assert "no such argument" in await refusal(desk, "add_note", **note, public=True)
    listed = await ask(desk, "list_ticket_notes", ticket="T-1001")
    assert (listed["count"], listed["truncated"], listed["notes"][0]["text"]) == (1, False, "cause found")


async def test_long_notes_are_listed_within_a_cap_the_newest_first_in_line(desk: Desk) -> None:
    desk.create("a", "", "ines")
    for number in range(3):
        desk.add_note("T-1001", f"{number}" * 40000, f"key-{number:05}")
    listed = await ask(desk, "list_ticket_notes", ticket="T-1001")
    assert (listed["count"], listed["truncated"]) == (3, True)
    assert [(note["text"][0], note["truncated"]) for note in listed["notes"]] == [("1", True), ("2", False)]


async def test_similar_tickets_come_with_what_helped(desk: Desk) -> None:
    ticket = desk.create("Shop shows bad gateway", "502", "ines", "shop")
    desk.resolve(ticket, "restarted the application", verified=True)
    (found,) = (await ask(desk, "find_similar_tickets", text="bad gateway in the shop"))["tickets"]
    assert (found["ticket"], found["solution"], found["verified"]) == (ticket, "restarted the application", True)
    assert found["solved_at"].endswith("Z") and found["score"] == 100


async def test_bad_arguments_are_refused_in_one_sentence(desk: Desk) -> None:
    assert "no ticket T-1999" in await refusal(desk, "get_ticket", ticket="T-1999")
    for tool, arguments in (
        ("get_ticket", {"ticket": "1001"}),
        ("search_tickets", {"query": "x" * 1001}),
        ("search_tickets", {"query": "x", "limit": 26}),
        ("search_tickets", {"query": "x", "service": "../x"}),
        ("find_similar_tickets", {"text": ""}),
        ("add_note", {"ticket": "T-1001", "text": "x" * 65537, "idempotency_key": "key-12345"}),
        ("add_note", {"ticket": "T-1001", "text": "x", "idempotency_key": "short"}),
    ):
        assert (await refusal(desk, tool, **arguments)).startswith(f"{tool}: ")


def command(database: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "mcp_servers.tickets", "--database", str(database), *arguments],
        input=stdin, capture_output=True, check=False, timeout=30,
    )  # fmt: skip


def test_the_command_line_creates_from_any_bytes_and_resolves(tmp_path: Path) -> None:
    database = tmp_path / "desk.db"
    made = command(
        database, "create", "--subject", "Shop", "--requester", "ines", "--body-file", "-", stdin=b"a\xff\0b"
    )
    assert json.loads(made.stdout) == {"ticket": "T-1001"}
    assert command(database, "resolve", "T-1001", "--solution", "restarted", "--verified").returncode == 0
    desk = Desk(database)
    assert (desk.get("T-1001").status, desk.get("T-1001").body) == ("solved", "a\ufffd\0b")
    desk.close()


def test_seeding_takes_every_line_or_none_and_names_the_bad_one(tmp_path: Path) -> None:
    database, seed = tmp_path / "desk.db", tmp_path / "seed.jsonl"
    good = {"subject": "Shop 502", "requester": "ines", "solution": "restarted", "verified": True, "service": "shop"}
    seed.write_text(f"{json.dumps(good)}\n\n{json.dumps({'subject': 'x'})}\n", encoding="utf-8")
    refused = command(database, "seed", "--file", str(seed))
    assert refused.returncode == 2 and refused.stderr.startswith(b"tickets: line 3 of the seed file: requester")
    seed.write_text(f"{json.dumps(good)}\n", encoding="utf-8")
    assert json.loads(command(database, "seed", "--file", str(seed)).stdout) == {"tickets": ["T-1001"]}


def test_bad_input_on_the_command_line_is_one_sentence_and_exit_2(tmp_path: Path) -> None:
    for arguments in (
        ("create", "--subject", "", "--requester", "ines", "--body-file", "/dev/null"),
        ("create", "--subject", "x", "--requester", "ines", "--body-file", str(tmp_path / "missing")),
        ("seed", "--file", str(tmp_path / "missing")),
        ("resolve", "T-1", "--solution", "x"),
    ):
        refused = command(tmp_path / "desk.db", *arguments)
        assert refused.returncode == 2
        assert refused.stderr.startswith(b"tickets: ") and refused.stderr.count(b"\n") == 1
