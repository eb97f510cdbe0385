"""What a careful attacker and an unlucky moment must not get: leaks between streams, halted fixes, starved decisions."""

from __future__ import annotations

import asyncio

from agent.api import sse
from tests.agent.api.bench import Bench
from tests.agent.api.client import DETACHED, problem, said, shows


async def test_a_conversation_of_any_name_hears_nothing_of_the_console(bench: Bench) -> None:
    page = bench.widget("ines.costa")
    name = "console"
    await page.say("hello", name)
    async with page.watch(name) as stream:
        await stream.caught_up()
        seen = len(stream.frames)
        run = await bench.waiting(bench.dana)
        await asyncio.sleep(0.5)
        assert run.interrupts and len(stream.frames) == seen, stream.frames[seen:]


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
    assert bench.parts.log.thread(old.thread).incident != bench.journal.proposal(digest).incident
    bench.actor.acting.clear()
    bench.actor.held.clear()
    assert (await bench.dana.decide(digest, "approve")).status_code == 200
    await bench.actor.held.wait()
    answer = await bench.dana.post(f"/api/threads/{old.thread}/stop")
    bench.actor.acting.set()
    problem(answer, 409, "cannot_stop")
    await bench.dana.until_card(digest, "verified")


async def test_a_signed_out_listener_of_a_busy_stream_is_let_go(bench: Bench, monkeypatch) -> None:  # type: ignore[no-untyped-def]
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
