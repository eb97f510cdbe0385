"""The check of a journal from outside: one line of JSON, nothing written, and no other argument needed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from mcp_servers.remediation.canonical import digest
from tests.mcp_servers.remediation.fakes import FakeTarget, as_rehearsed, executor
from tests.vectors import grant_world

ROOT = Path(__file__).parents[3]
PROPOSAL = grant_world.proposal()
ID = digest(PROPOSAL)


def check(journal: Path, *more: str) -> tuple[int, dict[str, Any]]:
    words = [sys.executable, "-m", "mcp_servers.remediation", "--journal", str(journal), "--verify", *more]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    said: dict[str, Any] = json.loads(line)
    return done.returncode, said


def test_a_journal_that_holds_is_told_with_its_head_and_is_left_as_it_was(tmp_path: Path) -> None:
    room = executor(tmp_path, FakeTarget(as_rehearsed(PROPOSAL)))
    room.execute(ID, PROPOSAL, grant_world.grant(PROPOSAL))
    content = room.journal.path.read_bytes()
    head = room.journal.events()[-1]["hash"].removeprefix("sha256:")
    assert check(room.journal.path) == (0, {"ok": True, "events": 3, "head": f"3:{head}", "why": ""})
    assert room.journal.path.read_bytes() == content


def test_an_empty_journal_holds(tmp_path: Path) -> None:
    room = executor(tmp_path, FakeTarget(as_rehearsed(PROPOSAL)))
    assert check(room.journal.path) == (0, {"ok": True, "events": 0, "head": "0:" + "0" * 64, "why": ""})


def test_a_changed_event_is_named(tmp_path: Path) -> None:
    room = executor(tmp_path, FakeTarget(as_rehearsed(PROPOSAL)))
    room.execute(ID, PROPOSAL, grant_world.grant(PROPOSAL))
    connection = sqlite3.connect(room.journal.path, isolation_level=None)
    connection.execute("drop trigger events_stand")
    connection.execute("update events set at = '' where seq = 3")
    connection.close()
    code, said = check(room.journal.path)
    assert (code, said["ok"], said["events"]) == (1, False, 2)
    assert said["why"] == "the content of event 3 does not match its hash"


def test_a_file_that_is_no_journal_or_is_not_there_does_not_hold_and_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "none.db").write_bytes(b"this is no database" * 100)
    for name in ("none.db", "absent.db"):
        code, said = check(tmp_path / name)
        assert (code, said["ok"]) == (1, False)
        assert name in said["why"]
    assert not (tmp_path / "absent.db").exists()


def test_a_journal_that_a_server_writes_to_can_be_checked(tmp_path: Path) -> None:
    room = executor(tmp_path, FakeTarget(as_rehearsed(PROPOSAL)))
    with room.journal._transaction() as connection:
        connection.execute("create table other (n int)")
        assert check(room.journal.path)[0] == 0
