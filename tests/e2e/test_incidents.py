"""Whole incidents on one real lab, in one process: from a filed ticket to what stands on it in the end."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from agent.core.errors import CountersignError, Refused
from agent.core.lifecycle import State
from agent.core.verdict import Diagnosis
from agent.gateway.server import Server, specs
from agent.journal.store import StoredProposal
from evals.lab.faults import FAULTS, HEALTHY, Fault, ticket
from tests.e2e.world import Assistant, assistant
from tests.labs import running_lab

CITIZEN = "A citizen tells me on the phone that the page says bad gateway."
pytestmark = pytest.mark.asyncio(loop_scope="module")

RIGHT = {
    "service-stopped": ("restart_service", "application"),
    "config-broken": ("restore_config", "application"),
    "database-locked": ("end_blocking_session", "database"),
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk() -> AsyncIterator[Assistant]:
    with running_lab() as lab:
        async with assistant(lab, lab.directory / "assistant-home") as one:
            yield one


@pytest_asyncio.fixture(loop_scope="module")
async def broken(desk: Assistant, request: pytest.FixtureRequest) -> AsyncIterator[Fault]:
    fault = FAULTS[getattr(request, "param", "service-stopped")]
    await asyncio.to_thread(fault.inject, desk.lab)
    yield fault
    await asyncio.to_thread(fault.undo, desk.lab)


def verdict(desk: Assistant) -> Diagnosis:
    return Diagnosis.from_json([event.data for event in desk.events if event.kind == "diagnosis"][-1])


@pytest.mark.parametrize("broken", list(FAULTS), indirect=True)
async def test_each_fault_is_diagnosed_fixed_after_approval_verified_and_written_down(
    desk: Assistant, broken: Fault
) -> None:
    written = broken.ticket(desk.lab.estate)
    incident = await desk.take(written.subject, written.body, written.service or "")
    stored = desk.proposal(incident)
    assert stored is not None, desk.said(incident)
    action, role = RIGHT[broken.name]
    assert (stored.proposal.action, stored.proposal.target) == (action, getattr(desk.lab, role).name)
    assert not (await asyncio.to_thread(broken.oracle, desk.lab)).ok, "nothing may have changed before the approval"
    suggestion = (await desk.notes(incident))[0]
    assert "Proposed fix (nothing has been changed)" in suggestion and stored.proposal.action in suggestion

    await desk.decide(stored, "dana.meyer")
    incident = await desk.app.resume(incident.id)
    assert incident.state == "verified", desk.said(incident)
    assert (await asyncio.to_thread(broken.oracle, desk.lab)).ok
    notes = await desk.notes(incident)
    assert len(notes) == 2 and "is verified" in notes[1] and "dana.meyer" in notes[1]
    story = [one.event for one in desk.app.context.journal.entries(incident.id)]
    order = [story.index(one) for one in ("incident_opened", "diagnosed", "proposed", "approved", "executing")]
    assert order == sorted(order)
    assert desk.app.context.journal.verify()[2] is None


async def test_a_healthy_service_gets_a_plain_note_and_no_proposal(desk: Assistant) -> None:
    written = ticket(HEALTHY, desk.lab.estate)
    incident = await desk.take(written.subject, written.body, written.service or "")
    assert incident.state == "healthy" and desk.proposal(incident) is None
    note = (await desk.notes(incident))[0]
    assert "look healthy" in note and "What was looked at" in note


@pytest.mark.parametrize(
    ("subject", "body", "service", "state", "words"),
    [
        (
            "Coffee machine leaks",
            "The coffee machine on floor 2 is leaking again.",
            "",
            "no_service",
            "names no service",
        ),
        ("Slow", "Everything is slow.", "no-such-thing", "no_service", "no-such-thing is not in the inventory"),
        ("  ", "", "", "nothing_to_read", "no text"),
    ],
)
async def test_where_there_is_nothing_to_look_at_it_is_said_plainly(
    desk: Assistant, subject: str, body: str, service: str, state: str, words: str
) -> None:
    incident = await (desk.app.take_question(subject, service) if not body else desk.take(subject, body, service))
    assert incident.state == state and desk.proposal(incident) is None
    assert words in desk.said(incident)


async def test_a_question_that_a_page_answers_is_answered_from_the_page(desk: Assistant) -> None:
    incident = await desk.app.take_question("How do I set up the VPN and multi-factor sign-in for a new colleague?")
    assert incident.state == "page" and desk.proposal(incident) is None
    assert "Quoted from" in desk.said(incident)


async def test_a_ticket_of_a_megabyte_is_read_in_part_and_that_is_said(desk: Assistant, broken: Fault) -> None:
    written = broken.ticket(desk.lab.estate)
    body = written.body + "\n" + "ERROR worker 17 gave up after 3 tries\n" * 27_000
    assert len(body) > 1_000_000
    incident = await desk.take(written.subject, body, written.service or "")
    assert desk.proposal(incident) is not None, desk.said(incident)
    assert "of the ticket were read" in desk.said(incident)


async def test_a_ticket_of_bytes_harms_nothing(desk: Assistant) -> None:
    incident = await desk.take("Broken upload", bytes(range(1, 256)) * 40, "")
    assert incident.state in {"no_service", "page"} and desk.proposal(incident) is None
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", desk.said(incident))


async def test_a_ticket_in_another_language_is_worked_on_by_the_service_it_names(
    desk: Assistant, broken: Fault
) -> None:
    body = "Guten Morgen, das Permit portal zeigt seit zehn Minuten nur noch Fehler 502 (Bad Gateway). Bitte um Hilfe!"
    incident = await desk.take("Permit portal nicht erreichbar", body)
    stored = desk.proposal(incident)
    assert stored is None or stored.proposal.action == "restart_service"
    assert "What was looked at" in desk.said(incident), "the systems are looked at in any case"


async def test_evidence_that_contradicts_itself_proposes_nothing(desk: Assistant, broken: Fault) -> None:
    # Somebody else answers on the port of the stopped application: well from outside, stopped for its supervisor.
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", desk.lab.application.port)
    async with server:
        written = broken.ticket(desk.lab.estate)
        incident = await desk.take(written.subject, written.body, written.service or "")
    assert incident.state == "contradiction" and desk.proposal(incident) is None
    assert "contradicts itself" in desk.said(incident)


async def test_the_target_that_changed_after_the_approval_is_left_alone(desk: Assistant, broken: Fault) -> None:
    written = broken.ticket(desk.lab.estate)
    incident = await desk.take(written.subject, written.body, written.service or "")
    stored = desk.proposal(incident)
    assert stored is not None
    await asyncio.to_thread(broken.undo, desk.lab)  # somebody was faster
    before = desk.lab.supervision.state(desk.lab.application.name)
    await desk.decide(stored, "dana.meyer")
    incident = await desk.app.resume(incident.id)
    assert incident.state == "stale", desk.said(incident)
    assert desk.lab.supervision.state(desk.lab.application.name) == before
    assert "not run" in desk.said(incident)


async def test_resuming_without_a_decision_changes_nothing_however_often(desk: Assistant, broken: Fault) -> None:
    written = broken.ticket(desk.lab.estate)
    incident = await desk.take(written.subject, written.body, written.service or "")
    for _ in range(3):
        incident = await desk.app.resume(incident.id)
    assert incident.state == "awaiting_approval"
    stored = desk.proposal(incident)
    assert stored is not None and stored.state is State.AWAITING
    await desk.decide(stored, "sam.okafor", "reject")
    incident = await desk.app.resume(incident.id)
    assert incident.state == "rejected"
    assert not (await asyncio.to_thread(broken.oracle, desk.lab)).ok, "a rejected fix must not have run"


async def test_the_agent_and_strangers_cannot_approve(desk: Assistant, broken: Fault) -> None:
    written = broken.ticket(desk.lab.estate)
    incident = await desk.take(written.subject, written.body, written.service or "")
    stored = desk.proposal(incident)
    assert stored is not None
    for nobody in ("countersign", "root", "mallory", ""):
        with pytest.raises(Refused):
            await desk.decide(stored, nobody)
    incident = await desk.app.resume(incident.id)
    assert incident.state == "awaiting_approval"
    await desk.decide(stored, "dana.meyer", "reject")
    await desk.app.resume(incident.id)


async def test_lost_working_memory_costs_time_and_not_the_approval(desk: Assistant, broken: Fault) -> None:
    written = broken.ticket(desk.lab.estate)
    incident = await desk.take(written.subject, written.body, written.service or "")
    stored = desk.proposal(incident)
    assert stored is not None
    await desk.decide(stored, "dana.meyer")
    await forget(desk, incident.id)
    incident = await desk.app.resume(incident.id)
    assert incident.state == "verified", desk.said(incident)


async def test_without_the_diagnostics_server_nothing_is_proposed_and_the_note_says_why(
    desk: Assistant, broken: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Server(specs(("/nowhere/diagnostics",), "diagnostics", desk.settings.state, {}))
    monkeypatch.setattr(desk.app.context.looking, "_diagnostics", gone)
    written = broken.ticket(desk.lab.estate)
    incident = await desk.take(written.subject, written.body, written.service or "")
    assert desk.proposal(incident) is None
    assert "could not be started" in desk.said(incident)


async def test_an_unknown_ticket_is_a_plain_error(desk: Assistant) -> None:
    with pytest.raises(CountersignError, match="T-9999"):
        await desk.app.take_ticket("T-9999")


async def test_where_no_service_is_named_the_only_failing_one_that_users_see_is_taken(
    desk: Assistant, broken: Fault
) -> None:
    incident = await desk.take(
        "Error 502 for citizens", "A citizen tells me on the phone that the page says bad gateway."
    )
    stored = desk.proposal(incident)
    assert stored is not None, desk.said(incident)
    assert stored.proposal.target == desk.lab.application.name
    assert "the only one that users see failing" in desk.said(incident)
    await desk.decide(stored, "dana.meyer", "reject")
    await desk.app.resume(incident.id)


async def test_where_no_service_is_named_and_none_fails_nothing_is_proposed(desk: Assistant) -> None:
    incident = await desk.take(
        "Error 502 for citizens", "A citizen tells me on the phone that the page says bad gateway."
    )
    assert incident.state == "page" and desk.proposal(incident) is None
    assert "was looked at from outside" in desk.said(incident)


@pytest.mark.parametrize("broken", ["database-locked"], indirect=True)
async def test_where_no_page_fits_the_words_one_is_found_by_what_the_systems_say(
    desk: Assistant, broken: Fault
) -> None:
    written = broken.ticket(desk.lab.estate, 2)
    incident = await desk.take(written.subject, written.body, desk.lab.front.name)
    stored = desk.proposal(incident)
    assert stored is not None, desk.said(incident)
    assert stored.proposal.action == "end_blocking_session"
    assert "found by what the failing services say" in desk.said(incident)
    await desk.decide(stored, "dana.meyer", "reject")
    await desk.app.resume(incident.id)


async def waiting(desk: Assistant, broken: Fault) -> StoredProposal:
    written = broken.ticket(desk.lab.estate)
    incident = await desk.take(written.subject, written.body, written.service or "")
    stored = desk.proposal(incident)
    assert stored is not None, desk.said(incident)
    return stored


async def forget(desk: Assistant, incident: str) -> None:
    checkpointer = desk.app.graph.checkpointer
    assert checkpointer is not None and not isinstance(checkpointer, bool)
    await checkpointer.adelete_thread(incident)


async def test_a_fix_that_ran_is_still_verified_when_working_memory_was_lost_after_it(
    desk: Assistant, broken: Fault
) -> None:
    stored = await waiting(desk, broken)
    await desk.decide(stored, "dana.meyer")
    journal, at = desk.app.context.journal, desk.app.context.stamp()
    granted = journal.proposal(stored.digest)
    assert journal.claim(at, stored.digest, "countersign")
    answer = await desk.app.context.acting.execute(stored.digest, granted.proposal.to_json(), granted.grant)
    assert answer["state"] == "finished", answer
    journal.finish(at, stored.digest, State.EXECUTED, "countersign", {})
    await forget(desk, stored.incident)
    incident = await desk.app.resume(stored.incident)
    assert incident.state == "verified", desk.said(incident)


async def test_a_station_that_died_after_it_put_up_the_proposal_goes_on_with_that_one(
    desk: Assistant, broken: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = broken.ticket(desk.lab.estate)
    number = await desk.file(written.subject, written.body, written.service or "")
    journal = desk.app.context.journal
    real = type(journal).move_incident

    def fail(self: Any, at: str, incident: str, state: str, *rest: Any, **more: Any) -> None:
        if state == "awaiting_approval":
            raise CountersignError("no room")
        real(self, at, incident, state, *rest, **more)

    with monkeypatch.context() as patched, pytest.raises(CountersignError):
        patched.setattr(type(journal), "move_incident", fail)
        await desk.app.take_ticket(number)
    stored = next(one for one in journal.proposals(state=State.AWAITING))
    await desk.decide(stored, "dana.meyer")
    incident = await desk.app.resume(stored.incident)
    assert incident.state == "verified", desk.said(incident)
    assert [one.digest for one in journal.proposals(stored.incident)] == [stored.digest]


async def test_an_outcome_that_was_unknown_is_asked_for_again_and_never_run_again(
    desk: Assistant, broken: Fault
) -> None:
    stored = await waiting(desk, broken)
    await desk.decide(stored, "dana.meyer")
    journal, at = desk.app.context.journal, desk.app.context.stamp()
    granted = journal.proposal(stored.digest)
    journal.claim(at, stored.digest, "countersign")
    await desk.app.context.acting.execute(stored.digest, granted.proposal.to_json(), granted.grant)
    journal.finish(at, stored.digest, State.UNKNOWN, "countersign", {})
    incident = await desk.app.resume(stored.incident)  # the graph ends, since it is not known
    assert incident.state == "unknown"
    incident = await desk.app.resume(stored.incident)
    assert incident.state == "verified", desk.said(incident)
    assert "verified" in (await desk.notes(incident))[-1]


async def test_a_proposal_that_nobody_decided_ends_its_incident_and_the_ticket_hears_of_it(
    desk: Assistant, broken: Fault
) -> None:
    stored = await waiting(desk, broken)
    desk.app.context.journal.expire(stored.expires_at)
    await desk.app.settle()
    incident = desk.app.context.journal.incident(stored.incident)
    assert incident.state == "expired"
    assert "Nobody decided in time" in (await desk.notes(incident))[-1]
    again = await desk.app.take_ticket(incident.ticket)
    assert again.id != incident.id and again.state == "awaiting_approval"
    current = desk.proposal(again)
    assert current is not None
    await desk.decide(current, "dana.meyer", "reject")
    await desk.app.resume(again.id)


async def test_a_question_that_broke_off_is_taken_up_again(desk: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise CountersignError("broke off")

    with monkeypatch.context() as patched, pytest.raises(CountersignError):
        patched.setattr(desk.app.context.knowledge, "search", fail)
        await desk.app.take_question("How do I set up the VPN and multi-factor sign-in for a new colleague?")
    broken_off = desk.app.unfinished()[0]
    await forget(desk, broken_off.id)
    incident = await desk.app.resume(broken_off.id)
    assert incident.state == "page"
    assert broken_off.id not in [one.id for one in desk.app.unfinished()]


async def test_a_card_that_was_changed_behind_the_journal_is_found_and_not_signed(
    desk: Assistant, broken: Fault
) -> None:
    stored = await waiting(desk, broken)
    with sqlite3.connect(desk.settings.journal) as raw:
        raw.execute('UPDATE proposals SET card = \'{"why":"harmless"}\' WHERE digest = ?', (stored.digest,))
    raw.close()
    assert any(stored.digest[7:19] in one for one in desk.app.context.journal.disagreements())
    with pytest.raises(Refused, match="not the one that was put up"):
        await desk.decide(stored, "dana.meyer")
    with sqlite3.connect(desk.settings.journal) as raw:
        raw.execute(
            "UPDATE proposals SET card = ? WHERE digest = ?",
            (json.dumps(stored.card, sort_keys=True, ensure_ascii=False, separators=(",", ":")), stored.digest),
        )
    raw.close()
    assert desk.app.context.journal.disagreements() == []
    await desk.decide(stored, "dana.meyer", "reject")
    await desk.app.resume(stored.incident)
