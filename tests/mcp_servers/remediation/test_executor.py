"""What an execution writes, returns and never does twice; over a target that only records."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mcp_servers.remediation import locks
from mcp_servers.remediation.canonical import canonical_bytes, digest
from mcp_servers.remediation.executor import Executor, Sources, Untrusted
from mcp_servers.remediation.journal import Journal, JournalError, OutOfStep
from mcp_servers.remediation.play import PlayRequest, PlayResult
from mcp_servers.remediation.warm import write_receipt
from tests.mcp_servers.remediation.fakes import FakeTarget, as_rehearsed, executor
from tests.vectors import grant_world

PROPOSAL = grant_world.proposal()
GRANT = grant_world.grant(PROPOSAL)
ID = digest(PROPOSAL)


def fake(**acted: Any) -> FakeTarget:
    return FakeTarget(as_rehearsed(PROPOSAL), as_rehearsed(PROPOSAL, **acted))


def kinds(room: Executor) -> list[str]:
    return [str(event["kind"]) for event in room.journal.events()]


def test_an_execution_is_written_down_step_by_step(tmp_path: Path) -> None:
    room = executor(tmp_path, fake())
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert outcome.state == "finished"
    assert (outcome.before, outcome.after) == ({"state": "stopped"}, {"state": "running"})
    assert outcome.started_at <= outcome.finished_at
    assert kinds(room) == ["checking", "begun", "finished"]
    assert room.journal.broken_at() == 0


def test_a_used_grant_acts_no_second_time_and_returns_what_is_recorded(tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    first = room.execute(ID, PROPOSAL, GRANT)
    again = room.execute(ID, PROPOSAL, GRANT)
    assert again.replayed
    assert again.model_copy(update={"replayed": False}) == first
    assert len(target.acts) == 1
    assert room.get_operation(ID) == first


def test_without_the_journal_a_used_grant_would_act_again(tmp_path: Path) -> None:
    target = fake()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert executor(tmp_path / name, target).execute(ID, PROPOSAL, GRANT).state == "finished"
    assert len(target.acts) == 2


def test_a_target_that_has_changed_is_left_alone_and_the_refusal_is_final(tmp_path: Path) -> None:
    target = fake()
    target.look = as_rehearsed(PROPOSAL, before={"state": "failed"})
    room = executor(tmp_path, target)
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code) == ("refused", "stale")
    assert "state is failed, was stopped" in outcome.reason
    target.look = as_rehearsed(PROPOSAL)
    again = room.execute(ID, PROPOSAL, GRANT)
    assert (again.state, again.code, again.replayed) == ("refused", "stale", True)
    assert target.acts == []


def test_a_look_that_fails_leaves_the_grant_unused(tmp_path: Path) -> None:
    target = fake()
    target.look = PlayResult(status="failed", message="The supervisor cannot be reached.")
    room = executor(tmp_path, target)
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code) == ("refused", "look_failed")
    assert room.get_operation(ID).state == "unseen"
    target.look = as_rehearsed(PROPOSAL)
    assert room.execute(ID, PROPOSAL, GRANT).state == "finished"
    assert len(target.acts) == 1


@pytest.mark.parametrize(
    ("acted", "state", "code"),
    [
        ({"status": "failed", "message": "It does not start."}, "failed", "action_failed"),
        ({"after": {"state": "starting"}}, "failed", "different_effect"),
        ({"before": {"state": "failed"}}, "failed", "different_effect"),
        ({"status": "timeout", "message": "Too slow."}, "unknown", "timeout"),
        ({"status": "broken", "message": "No word."}, "unknown", "broken"),
    ],
)
def test_what_did_not_go_as_rehearsed_is_said_and_never_run_again(
    acted: dict[str, Any], state: str, code: str, tmp_path: Path
) -> None:
    target = fake(**acted)
    room = executor(tmp_path, target)
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code) == (state, code)
    assert room.execute(ID, PROPOSAL, GRANT).state == state
    assert len(target.acts) == 1


def test_a_refusal_at_the_gate_does_not_spoil_the_operation_for_a_good_grant(tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    forged = grant_world.token(grant_world.claims(PROPOSAL), grant_world.STRANGER)
    assert room.execute(ID, PROPOSAL, forged).code == "signature"
    assert room.get_operation(ID).state == "unseen"
    assert room.execute(ID, PROPOSAL, GRANT).state == "finished"
    assert kinds(room) == ["not_admitted", "checking", "begun", "finished"]


def test_another_proposal_under_a_used_operation_id_is_refused(tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    room.execute(ID, PROPOSAL, GRANT)
    outcome = room.execute(ID, grant_world.proposal(incident="INC-9"), GRANT)
    assert (outcome.state, outcome.code) == ("refused", "binding")


def test_many_callers_at_once_have_one_effect(tmp_path: Path) -> None:
    gate = threading.Barrier(6, timeout=10)
    target = fake()
    room = executor(tmp_path, target)

    def call() -> str:
        gate.wait()
        return room.execute(ID, PROPOSAL, GRANT).state

    with ThreadPoolExecutor(6) as pool:
        states = [future.result() for future in [pool.submit(call) for _ in range(6)]]
    assert len(target.acts) == 1
    assert set(states) <= {"finished", "running"}


def test_two_operations_on_one_target_do_not_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_servers.remediation.executor.TARGET_WAIT_S", 0.05)
    target = fake()
    room = executor(tmp_path, target)
    with locks.held(room.journal.locks, "target orders", 0):
        outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code, target.acts) == ("refused", "target_busy", [])
    assert room.execute(ID, PROPOSAL, GRANT).state == "finished"


def test_an_operation_that_somebody_holds_is_running(tmp_path: Path) -> None:
    room = executor(tmp_path, fake())
    _begun(room)
    with locks.held(room.journal.locks, ID, 0):
        assert room.get_operation(ID).state == "running"
        assert room.execute(ID, PROPOSAL, GRANT).state == "running"


def _begun(room: Executor) -> None:
    room.journal.open(ID, canonical_bytes(PROPOSAL).decode(), "mend", "orders", "ada")
    room.journal.move(ID, "checking", "begun", started_at="2026-11-20T12:00:00.000Z")


def test_what_began_and_nobody_holds_is_unknown_and_never_run_again(tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    _begun(room)
    assert room.execute(ID, PROPOSAL, GRANT).state == "unknown"
    assert room.get_operation(ID).state == "unknown"
    assert room.execute(ID, PROPOSAL, GRANT).state == "unknown"
    assert target.acts == []


def test_a_receipt_of_the_play_says_how_an_orphaned_operation_ended(tmp_path: Path) -> None:
    room = executor(tmp_path, fake())
    _begun(room)
    write_receipt(room.journal.receipt_path(ID), as_rehearsed(PROPOSAL))
    assert room.get_operation(ID).state == "finished"
    assert not room.journal.receipt_path(ID).exists()


def test_what_was_only_being_checked_can_be_run(tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    room.journal.open(ID, canonical_bytes(PROPOSAL).decode(), "mend", "orders", "ada")
    assert room.get_operation(ID).state == "unseen"
    assert room.execute(ID, PROPOSAL, GRANT).state == "finished"
    assert len(target.acts) == 1


def test_a_full_disk_before_the_beginning_means_nothing_is_done(tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    room.journal = _FullJournal(tmp_path / "journal.db")
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code, target.acts) == ("refused", "journal", [])
    assert "full" in outcome.reason


class _FullJournal(Journal):
    """A journal whose file may not grow by one page: SQLite's own answer to a full disk."""

    def move(self, operation_id: str, since: Any, state: Any, **fields: Any) -> None:
        with self._transaction() as connection:
            connection.execute(f"pragma max_page_count = {connection.execute('pragma page_count').fetchone()[0]}")
            connection.execute("insert into events values (9, '', '', '', hex(zeroblob(99999)), '', 'x')")


def test_an_end_that_cannot_be_written_is_unknown_to_the_caller(tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)

    def run(request: PlayRequest, held: Sequence[int] = ()) -> PlayResult:
        result = target.run(request, held)
        if not request.check:
            room.journal.path.rename(tmp_path / "elsewhere.db")
        return result

    room._run = run
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code) == ("unknown", "journal")
    assert "finished" in outcome.reason


@pytest.mark.parametrize("missing", ["key.pem", "inventory.yaml"])
def test_what_cannot_be_read_means_no(missing: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(grant_world.PUBLIC_PEM, encoding="utf-8")
    service = "{kind: app, owner: shop, approvers: [ada]}"
    text = f"all: {{hosts: {{node-1: {{countersign_services: {{orders: {service}}}}}}}}}"
    (tmp_path / "inventory.yaml").write_text(text, encoding="utf-8")
    target = fake()
    sources = Sources(tmp_path / "inventory.yaml", tmp_path / "key.pem", grant_world.AUDIENCE)
    sources.trust()
    (tmp_path / missing).unlink()
    with pytest.raises(Untrusted, match=missing):
        sources.trust()
    outcome = Executor(sources, Journal(tmp_path / "journal.db"), target.run).execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code, target.looks) == ("refused", "untrusted", [])


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", encoding="utf-8")
    with pytest.raises(Untrusted, match="no public key"):
        Sources(tmp_path / "inventory.yaml", tmp_path / "key.pem", "x").trust()


def test_events_and_operations_cannot_be_rewritten(tmp_path: Path) -> None:
    room = executor(tmp_path, fake())
    room.execute(ID, PROPOSAL, GRANT)
    connection = sqlite3.connect(tmp_path / "journal.db")
    for statement in (
        "update events set kind = 'x'",
        "delete from events",
        "delete from operations",
        "update operations set state = 'checking'",
        "update operations set proposal = 'x'",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(statement)
    connection.execute("drop trigger events_stand")
    connection.execute("update events set body = '{}' where seq = 2")
    connection.commit()
    connection.close()
    assert room.journal.broken_at() == 2


def test_a_journal_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(JournalError, match=r"journal\.db"):
        Journal(tmp_path / "journal.db")


def test_an_operation_moves_only_from_where_it_is(tmp_path: Path) -> None:
    room = executor(tmp_path, fake())
    _begun(room)
    with pytest.raises(OutOfStep):
        room.journal.move(ID, "checking", "begun")
    with pytest.raises(OutOfStep):
        room.journal.open(ID, canonical_bytes(PROPOSAL).decode(), "mend", "orders", "ada")
