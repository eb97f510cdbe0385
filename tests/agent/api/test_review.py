"""What a careful attacker and an unlucky moment must not get: leaks between streams, halted fixes, lost decisions."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agent.api import sse
from agent.core.errors import Refused
from agent.core.lifecycle import State
from agent.journal.store import Journal
from tests.agent.api.bench import Bench
from tests.agent.api.client import DETACHED, problem, said, shows
from tests.agent.api.world import World, broken


async def test_a_conversation_of_any_name_hears_nothing_of_the_console(bench: Bench) -> None:
    page = bench.widget("ines.costa")
    name = "console"
    await page.say("hello", name)
    async with page.watch(name) as stream:
        await stream.caught_up()
        seen = len(stream.frames)
        for _ in range(3):
            await bench.waiting(bench.dana)
        await asyncio.sleep(0.5)
        assert len(stream.frames) == seen, stream.frames[seen:]


async def test_what_is_said_in_a_conversation_of_any_name_does_not_reach_the_console(bench: Bench) -> None:
    async with bench.dana.stream("GET", "/api/events") as console:
        await console.until(lambda one: one.get("type") == "caught_up")
        await bench.widget("ines.costa").say("hello", "console")
        await bench.waiting(bench.dana)
        await console.until(lambda one: one.get("type") == "proposal")
        assert {one["type"] for one in console.events} <= {"incident", "proposal", "stop"}


async def test_a_fix_goes_on_though_its_conversation_has_turned_to_something_else(bench: Bench) -> None:
    old = await bench.waiting(bench.dana)
    digest = old.interrupts[0]["metadata"]["digest"]
    bench.actor.looking.set()
    await bench.dana.say("The ledger is down", old.thread)
    thread = bench.parts.log.thread(old.thread)
    assert thread is not None and thread.incident != bench.journal.proposal(digest).incident
    bench.actor.acting.clear()
    bench.actor.held.clear()
    assert (await bench.dana.decide(digest, "approve")).status_code == 200
    await bench.actor.held.wait()
    answer = await bench.dana.post(f"/api/threads/{old.thread}/stop")
    bench.actor.acting.set()
    problem(answer, 409, "cannot_stop")
    await bench.dana.until_card(digest, "verified")


async def test_a_signed_out_listener_of_a_busy_stream_is_let_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEPALIVE_SECONDS", 0.5)
    dana = bench.session("dana.meyer")
    async with dana.stream("GET", "/api/events") as stream:
        await stream.until(lambda one: one.get("type") == "caught_up")
        bench.guard.store.sign_out_person("dana.meyer")
        for number in range(15):
            bench.journal.move_incident(bench.actor.stamp(), "INC-0001", f"open{number}", "clock")
            await asyncio.sleep(0.2)
            if stream.over:
                break
        assert stream.over


async def test_a_card_decided_by_resume_is_brought_up_to_date_in_every_conversation(bench: Bench) -> None:
    run = await bench.waiting(bench.dana)
    incident = run.cards[0]["incident"]
    digest = run.cards[0]["digest"]
    other = (await bench.sam.post("/api/threads", {"incident": incident})).json()["id"]
    async with bench.sam.watch(other) as stream:
        await stream.until(shows(digest, "awaiting"))
        await bench.dana.resume(run.thread, run.interrupts[0]["id"], {"decision": "approve"})
        await stream.until(shows(digest, "verified"), seconds=5)


async def test_a_busy_conversation_of_somebody_else_does_not_hold_up_what_was_approved(bench: Bench) -> None:
    run = await bench.waiting(bench.dana)
    incident, digest = run.cards[0]["incident"], run.cards[0]["digest"]
    other = (await bench.sam.post("/api/threads", {"incident": incident})).json()["id"]
    async with bench.sam.watch(other) as stream:
        await stream.until(shows(digest, "awaiting"))
        bench.actor.looking.clear()
        bench.actor.held.clear()
        await bench.sam.post("/api/agent", said("The ledger is down", other), headers=DETACHED)
        await bench.actor.held.wait()
        assert (await bench.dana.decide(digest, "approve")).status_code == 200
        try:
            await bench.dana.until_card(digest, "verified", seconds=8)
        finally:
            bench.actor.looking.set()
        await stream.until(shows(digest, "verified"))


async def test_nobody_gets_more_runs_by_opening_conversations(bench: Bench) -> None:
    bench.actor.looking.clear()
    answers = [await bench.dana.post("/api/threads", {"ticket": f"TCK-{number}"}) for number in range(5)]
    bench.actor.looking.set()
    assert [one.status_code for one in answers] == [201] * 4 + [409]


async def test_an_address_that_is_no_path_is_nothing(bench: Bench) -> None:
    for name in ("%00.js", "a" * 300 + ".js"):
        problem(await bench.anybody.ask("GET", f"/assets/{name}"), 404, "not_found")


async def test_a_key_that_may_only_ask_does_not_read_others_incidents(bench: Bench) -> None:
    run = await bench.waiting(bench.dana)
    key = bench.key("ask", machine="bot")
    answer = await key.post("/api/threads", {"incident": run.cards[0]["incident"]})
    problem(answer, 404, "unknown_incident")


@pytest.mark.asyncio(loop_scope="module")
async def test_an_edit_that_broke_off_before_working_memory_followed_is_carried_out_when_approved(lab: World) -> None:
    async with broken(lab, "service-stopped") as fault:
        old = lab.stored(await lab.waiting(lab.ines, fault))
        # What an edit does up to the moment at which the process dies: put up, and not yet told to the graph.
        changed = old.proposal.model_copy(update={"nonce": "f" * 32, "author": "lee.brandt"})
        new = lab.journal.propose(lab.app.stamp(), changed, old.card)
        answer = await lab.dana.decide(new, "approve")
        assert answer.status_code == 200, answer.text
        await lab.until_incident(old.incident, "verified")
        assert lab.journal.proposal(new).state is State.VERIFIED
        assert (len(lab.operations(new)), lab.operations(old.digest)) == (1, [])
    await lab.clear()


async def test_an_account_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.keep_account("2026-11-20T10:00:00Z", "countersign", "INC-0001", {"service": "portal"})
    with closing(sqlite3.connect(tmp_path / "journal.db")) as raw, raw:
        raw.execute("DELETE FROM accounts")
    with pytest.raises(Refused) as refused:
        journal.account("INC-0001")
    assert refused.value.code == "altered"
    journal.close()


async def test_a_journal_from_before_gets_the_index_that_it_lacks(tmp_path: Path) -> None:
    Journal(tmp_path / "journal.db").close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as raw, raw:
        raw.execute("DROP INDEX entries_of_an_incident")
    Journal(tmp_path / "journal.db").close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as raw:
        plan = raw.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM journal WHERE incident = ? ORDER BY seq", ("x",)
        ).fetchall()
    assert "entries_of_an_incident" in json.dumps(plan)


async def test_the_follower_outlives_what_it_stumbles_over(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await bench.waiting(bench.dana)
    digest = run.cards[0]["digest"]
    real, failures = bench.journal.after, iter(range(1))

    def failing(seq: int, limit: int = 500) -> object:
        if next(failures, None) is not None:
            raise RuntimeError("no bytes left")
        return real(seq, limit)

    monkeypatch.setattr(bench.journal, "after", failing)
    await asyncio.sleep(0.5)
    await bench.parts.decide(digest, "approve", "dana.meyer", "", "elsewhere")
    await bench.dana.until_card(digest, "verified", seconds=8)
    assert next(failures, None) is None


async def test_a_host_pages_user_reaches_the_tickets_they_reported_and_no_others_by_their_number(bench: Bench) -> None:
    page = bench.widget("ines.costa")
    before = {one.id for one in bench.journal.incidents()}
    opened = await page.http.post("/api/threads", json={"ticket": "X-7"}, headers=page.headers)
    assert opened.status_code == 201
    async with page.watch(opened.json()["id"]) as stream:
        end = await stream.until(lambda one: one["type"] in {"RUN_ERROR", "RUN_FINISHED"})
        assert end["type"] == "RUN_ERROR"
    assert {one.ticket for one in bench.journal.incidents() if one.id not in before} == set()
    await page.say("X-7")
    assert "X-7" not in {one.ticket for one in bench.journal.incidents()}
    await page.say("I-7")
    assert "I-7" in {one.ticket for one in bench.journal.incidents()}


async def test_a_decision_names_its_proposal_whole_and_an_approval_from_a_page_what_was_shown(bench: Bench) -> None:
    card = (await bench.waiting(bench.dana)).interrupts[0]["metadata"]["card"]
    said_yes = {"decision": "approve", "shown": card["shown"]}
    problem(await bench.dana.post(f"/api/proposals/{card['short']}/decision", said_yes), 404, "unknown_proposal")
    unseen = await bench.dana.post(f"/api/proposals/{card['digest']}/decision", {"decision": "approve"})
    problem(unseen, 409, "changed")
    assert bench.journal.proposal(card["digest"]).state is State.AWAITING


async def test_an_edit_does_not_follow_a_decision_that_came_first(bench: Bench) -> None:
    card = (await bench.waiting(bench.dana)).interrupts[0]["metadata"]["card"]
    old = bench.journal.proposal(card["digest"])
    bench.journal.decide("2026-11-21T00:00:00Z", old.digest, State.REJECTED, "dana.meyer", "no")
    another = old.proposal.model_copy(update={"nonce": "f" * 32, "author": "sam.okafor"})
    with pytest.raises(Refused) as refused:
        bench.journal.propose("2026-11-21T00:00:01Z", another, old.card, replaces=old.digest)
    assert refused.value.code == "already_decided"


async def test_what_was_approved_and_not_begun_in_time_has_expired(bench: Bench) -> None:
    incident, _ = bench.journal.open_incident("2026-11-21T00:00:00Z", "", "x", "countersign")
    digest = bench.actor.propose(incident.id)
    bench.journal.decide("2026-11-21T00:00:00Z", digest, State.APPROVED, "dana.meyer", "", "grant")
    assert bench.journal.expire("9999-01-01T00:00:00Z") == [digest]
    assert bench.journal.proposal(digest).state is State.EXPIRED
