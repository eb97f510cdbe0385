"""What an execution writes, returns and never does twice; over a target that only records."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mcp_servers.remediation import locks
from mcp_servers.remediation.canonical import canonical_bytes, digest
from mcp_servers.remediation.executor import CannotRehearse, Executor, Outcome, Sources, Untrusted
from mcp_servers.remediation.journal import Journal, JournalError, Operation, OutOfStep
from mcp_servers.remediation.play import PlayRequest, PlayResult
from mcp_servers.remediation.verify import verify
from mcp_servers.remediation.warm import write_receipt
from tests.mcp_servers.remediation.fakes import Clock, FakeTarget, as_rehearsed, executor
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
    assert verify(room.journal.path).ok


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


def test_an_act_between_two_looks_at_the_journal_is_not_told_as_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = executor(tmp_path, fake())
    find = room.journal.find
    late = iter([lambda: room.execute(ID, PROPOSAL, GRANT)])

    def find_and_then_act(operation_id: str) -> Operation | None:
        found = find(operation_id)
        monkeypatch.setattr(room.journal, "find", find)
        next(late)()
        return found

    monkeypatch.setattr(room.journal, "find", find_and_then_act)
    assert room.get_operation(ID).state == "finished"


def test_what_is_only_looked_at_by_two_at_once_is_unseen_to_both(tmp_path: Path) -> None:
    room = executor(tmp_path, fake())
    with locks.watched(room.journal.locks, ID):
        assert room.get_operation(ID).state == "unseen"


def test_a_second_caller_whose_grant_has_just_expired_is_told_what_the_first_has_done(tmp_path: Path) -> None:
    told: list[Outcome] = []
    late = executor(tmp_path, fake(), Clock(grant_world.NOW + timedelta(hours=1)))
    target = fake()
    target.on_look = lambda: told.extend([late.execute(ID, PROPOSAL, GRANT), late.get_operation(ID)])
    assert executor(tmp_path, target).execute(ID, PROPOSAL, GRANT).state == "finished"
    assert [outcome.state for outcome in told] == ["running", "running"]
    again = late.execute(ID, PROPOSAL, GRANT)
    assert (again.state, again.replayed) == ("finished", True)


@pytest.mark.parametrize("look", [{"undo": {}}, {"before": {"state": 2**60}}, {"undo": {"revision": 2**60}}])
def test_a_look_that_cannot_be_used_is_refused_in_words_and_leaves_the_grant_unused(
    look: dict[str, Any], tmp_path: Path
) -> None:
    target = fake()
    target.look = as_rehearsed(PROPOSAL, **look)
    room = executor(tmp_path, target)
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code, target.acts) == ("refused", "look_failed", [])
    assert room.get_operation(ID).state == "unseen"


@pytest.mark.parametrize("look", [{"undo": {}}, {"before": {"state": 2**60}}])
def test_a_look_that_cannot_be_used_cannot_be_rehearsed(look: dict[str, Any], tmp_path: Path) -> None:
    target = fake()
    target.look = as_rehearsed(PROPOSAL, **look)
    with pytest.raises(CannotRehearse, match="cannot be used"):
        executor(tmp_path, target).rehearse("mend", "orders", {})


def test_an_act_that_leaves_what_has_no_canonical_form_did_something_else(tmp_path: Path) -> None:
    target = fake(after={"state": 2**60})
    outcome = executor(tmp_path, target).execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code, outcome.after) == ("failed", "different_effect", {"state": 2**60})


def test_a_receipt_that_cannot_be_put_away_does_not_hide_the_end(tmp_path: Path) -> None:
    room = executor(tmp_path, fake())
    room.journal.receipts.rmdir()
    room.journal.receipts.touch()
    assert room.execute(ID, PROPOSAL, GRANT).state == "finished"


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


def test_a_journal_that_cannot_be_read_says_nothing_about_what_has_run(tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    assert room.execute(ID, PROPOSAL, GRANT).state == "finished"
    room.journal.path.rename(tmp_path / "elsewhere.db")
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code, len(target.acts)) == ("unknown", "journal", 1)
    assert "Nothing was done" not in outcome.reason


def test_a_lock_that_cannot_be_taken_says_nothing_about_what_has_run(tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    room.journal.locks.rmdir()
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code, target.looks) == ("unknown", "journal", [])


def test_a_record_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    room = executor(tmp_path, fake())
    room.journal.open(ID, "[]", "mend", "orders", "ada")
    room.journal.move(ID, "checking", "begun")
    assert room.execute(ID, PROPOSAL, GRANT).state == "unknown"
    with pytest.raises(JournalError, match="cannot be read"):
        room.get_operation(ID)


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
    found = verify(room.journal.path)
    assert (found.ok, found.events) == (False, 1)
    assert "event 2" in found.why


COLUMNS = "id, state, proposal, action, target, approver"
BACK = f"select id, 'checking', proposal, action, target, approver from operations where id = '{ID}'"
REPLACEMENTS = [
    f"insert or replace into operations ({COLUMNS}) {BACK}",
    f"replace into operations ({COLUMNS}) {BACK}",
    f"insert or ignore into operations ({COLUMNS}) {BACK}",
    f"insert or replace into operations (rowid, {COLUMNS}) values (1, 'other', 'checking', '', '', '', '')",
    "update or replace operations set rowid = 1 where id = 'waiting'",
    "update or replace operations set approver = 'mallory' where id = 'waiting'",
    "insert or replace into events select seq, at, operation, 'x', body, previous, 'x' from events where seq = 2",
    "insert or replace into events select 9, at, operation, 'x', body, previous, hash from events where seq = 2",
]


@pytest.mark.parametrize("statement", REPLACEMENTS)
def test_nothing_in_the_journal_can_be_replaced(statement: str, tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    room.execute(ID, PROPOSAL, GRANT)
    room.journal.open("waiting", "{}", "mend", "orders", "ada")
    before = (room.journal.find(ID), room.journal.find("waiting"), room.journal.events())
    connection = sqlite3.connect(room.journal.path, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.close()
    assert (room.journal.find(ID), room.journal.find("waiting"), room.journal.events()) == before
    assert room.execute(ID, PROPOSAL, GRANT).replayed
    assert len(target.acts) == 1


@pytest.mark.parametrize(
    "rewrite", [f"insert or replace into operations ({COLUMNS}) {BACK}", "delete from operations where state <> 'x'"]
)
def test_a_record_that_was_rewritten_without_its_triggers_lets_nothing_act_again(rewrite: str, tmp_path: Path) -> None:
    target = fake()
    room = executor(tmp_path, target)
    room.execute(ID, PROPOSAL, GRANT)
    connection = sqlite3.connect(room.journal.path, isolation_level=None)
    for (trigger,) in connection.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        connection.execute(f"drop trigger {trigger}")
    connection.execute(rewrite)
    connection.close()
    outcome = room.execute(ID, PROPOSAL, GRANT)
    assert (outcome.state, outcome.code, len(target.acts)) == ("unknown", "journal", 1)
    with pytest.raises(JournalError, match="rewritten"):
        room.get_operation(ID)
    with pytest.raises(OutOfStep, match="begun"):
        room.journal.open(ID, canonical_bytes(PROPOSAL).decode(), "mend", "orders", "ada")
    assert "its events say finished" in verify(room.journal.path).why


def test_an_event_of_any_length_is_written_down(tmp_path: Path) -> None:
    room = executor(tmp_path, fake())
    room.journal.note(ID, "not_admitted", {"code": "é" * 100_000})
    assert verify(room.journal.path).ok


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
