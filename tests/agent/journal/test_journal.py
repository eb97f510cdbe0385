"""The journal: one transaction with the state it records, only ever added to, and any change of the past shows."""

from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.errors import CountersignError, Refused
from agent.core.lifecycle import State
from agent.core.proposal import digest
from agent.journal import store
from agent.journal.chain import GENESIS, Entry, link, verify
from agent.journal.store import Journal
from tests.agent.proposals import proposal

AT, LATER, TOO_LATE = "2026-11-20T10:00:00Z", "2026-11-20T10:10:00Z", "2026-11-20T10:30:00Z"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    one = Journal(tmp_path / "journal.db")
    one.open_incident(AT, "T-1", "portal down", "countersign")
    return one


def approved(journal: Journal) -> str:
    name = journal.propose(AT, proposal(), {})
    journal.decide(AT, name, State.APPROVED, "ada", "", "a-grant")
    return name


def chain(texts: list[str]) -> list[Entry]:
    entries: list[Entry] = []
    for number, text in enumerate(texts, 1):
        previous = entries[-1].hash if entries else GENESIS
        hashed = link(previous, number, AT, "who", "INC-1", "what", text)
        entries.append(Entry(number, AT, "who", "INC-1", "what", text, previous, hashed))
    return entries


@given(st.lists(st.text(), min_size=2, max_size=8), st.data())
def test_a_changed_deleted_moved_or_inserted_entry_breaks_the_chain_there(
    texts: list[str], data: st.DataObject
) -> None:
    entries = chain(texts)
    assert verify(entries) == (entries[-1].hash, len(texts), None)
    at = data.draw(st.integers(0, len(entries) - 2))
    one = entries[at]
    altered = Entry(one.seq, one.at, one.actor, one.incident, one.event, one.data + "x", one.previous, one.hash)
    for tampered in (
        [*entries[:at], altered, *entries[at + 1 :]],
        [*entries[:at], *entries[at + 1 :]],
        [*entries[:at], entries[at + 1], one, *entries[at + 2 :]],
        [*entries[: at + 1], one, *entries[at + 1 :]],
    ):
        broken = verify(tampered)[2]
        assert broken is not None and broken.seq <= at + 2


def test_the_database_refuses_to_change_or_delete_what_was_written(journal: Journal, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        for statement in ("UPDATE journal SET data = '{}'", "DELETE FROM journal"):
            with pytest.raises(sqlite3.IntegrityError, match="only be added to"):
                raw.execute(statement)


def test_a_cut_off_tail_shows_against_an_anchor_and_not_without(journal: Journal, tmp_path: Path) -> None:
    journal.append(LATER, "who", "INC-0001", "what", {})
    anchor = journal.head()
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        raw.execute("DROP TRIGGER journal_no_delete")
        raw.execute("DELETE FROM journal WHERE seq = 2")
    head, count, broken = journal.verify()
    assert broken is None
    assert f"{count}:{head}" != anchor


def test_a_move_whose_journal_entry_fails_did_not_happen(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    name = journal.propose(AT, proposal(), {})

    def fail(*_: object) -> None:
        raise CountersignError("no room")

    with monkeypatch.context() as broken:
        broken.setattr(store, "_append", fail)
        with pytest.raises(CountersignError):
            journal.decide(AT, name, State.APPROVED, "ada", "", "a-grant")
    assert journal.proposal(name).state is State.AWAITING
    assert journal.proposal(name).grant == ""


def test_an_approval_is_claimed_once(journal: Journal) -> None:
    name = approved(journal)
    assert [journal.claim(LATER, name, "countersign") for _ in range(3)] == [True, False, False]


def _claim(path: Path, name: str, barrier: object, won: object) -> None:
    one = Journal(path)
    barrier.wait(30)  # type: ignore[attr-defined]
    won.put(one.claim(LATER, name, "countersign"))  # type: ignore[attr-defined]


def test_of_processes_that_claim_at_once_exactly_one_wins(journal: Journal) -> None:
    name = approved(journal)
    context = multiprocessing.get_context("spawn")
    barrier, won = context.Barrier(3), context.Queue()
    claimers = [context.Process(target=_claim, args=(journal.path, name, barrier, won)) for _ in range(3)]
    for one in claimers:
        one.start()
    results = [won.get(timeout=60) for _ in claimers]
    for one in claimers:
        one.join(30)
    assert sorted(results) == [False, False, True]
    assert sum(entry.event == "executing" for entry in journal.entries()) == 1


def test_an_expired_proposal_can_neither_be_approved_nor_claimed(journal: Journal) -> None:
    name = journal.propose(AT, proposal(), {})
    with pytest.raises(Refused) as refused:
        journal.decide(TOO_LATE, name, State.APPROVED, "ada", "", "a-grant")
    assert refused.value.code == "expired"
    journal.decide(AT, name, State.APPROVED, "ada", "", "a-grant")
    assert journal.claim(TOO_LATE, name, "countersign") is False
    assert journal.proposal(name).state is State.EXPIRED


def test_a_decision_is_final(journal: Journal) -> None:
    name = journal.propose(AT, proposal(), {})
    journal.decide(AT, name, State.REJECTED, "ada", "not now")
    with pytest.raises(Refused) as refused:
        journal.decide(AT, name, State.APPROVED, "bo", "", "a-grant")
    assert refused.value.code == "already_decided"
    assert journal.claim(LATER, name, "countersign") is False


def test_a_proposal_cannot_stand_as_approved_without_a_grant(journal: Journal) -> None:
    name = journal.propose(AT, proposal(), {})
    with pytest.raises(Refused):
        journal.decide(AT, name, State.APPROVED, "ada", "", "")
    assert journal.proposal(name).state is State.AWAITING


def test_a_new_proposal_supersedes_the_waiting_one_and_never_a_running_one(journal: Journal) -> None:
    first = journal.propose(AT, proposal(), {})
    second = journal.propose(AT, proposal(nonce="1" * 32), {})
    assert journal.proposal(first).state is State.SUPERSEDED
    journal.decide(AT, second, State.APPROVED, "ada", "", "a-grant")
    with pytest.raises(Refused) as refused:
        journal.propose(AT, proposal(nonce="2" * 32), {})
    assert refused.value.code == "being_executed"


def test_proposing_the_same_again_changes_nothing(journal: Journal) -> None:
    first = journal.propose(AT, proposal(), {})
    before = len(journal.entries())
    assert journal.propose(AT, proposal(), {}) == first
    assert len(journal.entries()) == before


def test_a_proposal_altered_in_the_database_is_refused(journal: Journal, tmp_path: Path) -> None:
    name = journal.propose(AT, proposal(), {})
    with sqlite3.connect(tmp_path / "journal.db") as raw:
        envelope = journal.proposal(name).envelope.replace(b'"portal"', b'"vault_"')
        raw.execute("UPDATE proposals SET envelope = ?", (envelope,))
    with pytest.raises(Refused) as refused:
        _ = journal.proposal(name).proposal
    assert refused.value.code == "altered"
    assert digest(proposal().to_json()) == name


def test_one_ticket_is_one_live_incident(journal: Journal) -> None:
    again, new = journal.open_incident(LATER, "T-1", "portal down", "countersign")
    assert (again.id, new) == ("INC-0001", False)
    journal.move_incident(LATER, "INC-0001", "verified", "countersign")
    other, new = journal.open_incident(LATER, "T-1", "portal down again", "countersign")
    assert (other.id, new) == ("INC-0002", True)


def test_the_beginning_of_a_digest_is_enough_and_a_wildcard_is_not(journal: Journal) -> None:
    name = journal.propose(AT, proposal(), {})
    assert journal.proposal(name[7:19]).digest == name
    for vague in ("", "%", "sha256:", name[7:10], "______"):
        with pytest.raises(Refused):
            journal.proposal(vague)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(["approve", "reject", "claim", "expire", "done", "fail", "propose"]), max_size=12))
def test_in_any_order_of_events_nothing_executes_without_a_live_approval(
    tmp_path_factory: pytest.TempPathFactory, events: list[str]
) -> None:
    journal = Journal(tmp_path_factory.mktemp("j") / "journal.db")
    journal.open_incident(AT, "T-1", "", "countersign")
    name = journal.propose(AT, proposal(), {})
    executed = 0
    for event in events:
        try:
            match event:
                case "approve":
                    journal.decide(LATER, name, State.APPROVED, "ada", "", "a-grant")
                case "reject":
                    journal.decide(LATER, name, State.REJECTED, "ada", "")
                case "claim":
                    executed += journal.claim(LATER, name, "countersign")
                case "expire":
                    journal.expire(TOO_LATE)
                case "done":
                    journal.finish(LATER, name, State.EXECUTED, "countersign", {})
                case "fail":
                    journal.finish(LATER, name, State.FAILED, "countersign", {})
                case "propose":
                    journal.propose(LATER, proposal(nonce="9" * 32), {})
        except Refused:
            continue
    story = [entry.event for entry in journal.entries() if f'"{name}"' in entry.data]
    assert executed == story.count("executing") <= 1
    assert not executed or story.index("approved") < story.index("executing")
    assert journal.verify()[2] is None
    journal.close()
