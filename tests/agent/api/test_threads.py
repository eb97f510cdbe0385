"""Conversations: a run goes on whoever watches, everything that was told is told again, and nobody else hears it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from agent.api import sse
from agent.core.lifecycle import State
from tests.agent.api import agui
from tests.agent.api.bench import Bench, opened
from tests.agent.api.client import DETACHED, STREAM, Client, Frame, Stream, ended, problem, said, shows

WHY = {"id": "1", "role": "user", "content": "why?"}


async def until_over(client: Client, thread: str, run: str) -> list[Frame]:
    """Wait until a run is over and return the whole conversation."""
    async with client.watch(thread) as stream:
        await stream.until(lambda one: ended(one) and one.get("runId") == run)
    return await client.whole(thread)


def plain(frames: list[Frame]) -> list[tuple[int | None, dict[str, Any]]]:
    return [(one.id, one.event) for one in frames]


async def test_a_run_whose_client_left_after_the_202_goes_on_to_its_end(bench: Bench) -> None:
    bench.actor.looking.clear()
    given = said("The portal is down")
    async with httpx.AsyncClient(base_url=bench.origin, verify=False) as leaving:
        answer = await leaving.post("/api/agent", json=given, headers={**bench.dana.headers, **DETACHED})
    assert answer.status_code == 202 and answer.json()["runId"] == given["runId"]
    thread = answer.json()["threadId"]
    await bench.actor.held.wait()
    bench.actor.looking.set()
    told = await until_over(bench.dana, thread, given["runId"])
    agui.check_run([one.event for one in told])
    assert told[-1].event["outcome"]["interrupts"], "the card is there, though nobody watched it come"


@pytest.mark.parametrize("seen", [0, 1, 3, 5])
async def test_a_run_whose_stream_was_cut_after_some_events_goes_on_to_its_end(bench: Bench, seen: int) -> None:
    bench.actor.looking.clear()
    given = said("The portal is down", "cut-thread")
    async with bench.dana.stream("POST", "/api/agent", json=given, headers=STREAM) as stream:
        await stream.count(seen)
        before = stream.last
    assert not bench.parts.log.ended(given["runId"])
    bench.actor.looking.set()
    told = await until_over(bench.dana, "cut-thread", given["runId"])
    agui.check_run([one.event for one in told])
    async with bench.dana.watch("cut-thread", after=before) as rest:
        await rest.caught_up()
    assert plain(stream.frames) + plain(rest.frames[:-1]) == plain(told), "cut and rest are the whole, nothing twice"


async def recorded(bench: Bench) -> str:
    """Record a conversation: a report, a question, an approval, what came of it."""
    run = await bench.waiting(bench.dana)
    await bench.dana.say("why?", run.thread)
    done = await bench.dana.say("what else did you check?", run.thread)
    await bench.dana.resume(run.thread, done.interrupts[0]["id"], {"approved": True})
    await bench.dana.say("is it fixed now?", run.thread)
    return run.thread


async def test_whatever_was_the_last_event_a_client_has_it_gets_exactly_the_rest(bench: Bench) -> None:
    thread = await recorded(bench)
    whole = await bench.dana.whole(thread)
    agui.check_thread([one.event for one in whole])
    assert len(whole) > 40 and [one.id for one in whole] == sorted({one.id or 0 for one in whole})

    async def rest_after(cut: int) -> list[Frame]:
        last = whole[cut - 1].id if cut else 0
        how: dict[str, Any] = {"headers": {"Last-Event-ID": str(last)}} if cut % 2 else {"params": {"after": last}}
        async with bench.dana.stream("GET", f"/api/threads/{thread}/events", **how) as stream:
            await stream.caught_up()
        assert stream.frames[-1].event["value"] == {"seq": whole[-1].id} and stream.frames[-1].id is None
        return stream.frames[:-1]

    for begin in range(0, len(whole) + 1, 8):
        cuts = range(begin, min(begin + 8, len(whole) + 1))
        for cut, rest in zip(cuts, await asyncio.gather(*map(rest_after, cuts)), strict=True):
            assert plain(whole[:cut]) + plain(rest) == plain(whole), cut


async def test_a_conversation_that_goes_on_is_cut_anywhere_and_misses_nothing(bench: Bench) -> None:
    """Reconnect again and again while events come: what was put together is what is stored."""
    run = await bench.waiting(bench.dana)

    async def talk() -> None:
        for question in ("why?", "what else did you check?", "who may approve this?", "what happens if I wait?"):
            await bench.dana.say(question, run.thread)

    talking = asyncio.create_task(talk())
    got: list[Frame] = []
    while not talking.done():
        async with bench.dana.watch(run.thread, after=got[-1].id if got else None) as stream:
            await stream.until(lambda one: True)
            await asyncio.sleep(0.01)
        got += [one for one in stream.frames if one.id is not None]
    await talking
    async with bench.dana.watch(run.thread, after=got[-1].id) as stream:
        await stream.caught_up()
    got += stream.frames[:-1]
    assert plain(got) == plain(await bench.dana.whole(run.thread))


async def test_a_reload_brings_back_the_whole_conversation_and_the_open_card(bench: Bench) -> None:
    run = await bench.waiting(bench.dana)
    question = await bench.dana.say("why?", run.thread)
    whole = [one.event for one in await bench.dana.whole(run.thread)]
    agui.check_thread(whole)
    assert whole == run.events + question.events
    asked = [one["input"]["messages"][0]["content"] for one in agui.of(whole, "RUN_STARTED")]
    assert asked == ["The portal is down", "why?"]
    shown = agui.activities(whole, "proposal")[-1]
    now = await bench.dana.card(shown["digest"])
    assert now["state"] == "awaiting" and {key: now[key] for key in shown if key != "now"} == {
        key: value for key, value in shown.items() if key != "now"
    }
    assert whole[-1]["outcome"]["interrupts"][0]["metadata"]["digest"] == shown["digest"]
    listed = (await bench.dana.get("/api/threads"))["threads"]
    assert [(one["id"], one["incident"], one["state"]) for one in listed] == [(run.thread, shown["incident"], "idle")]


async def test_two_viewers_of_a_conversation_see_the_same_also_who_came_in_the_middle(bench: Bench) -> None:
    bench.actor.looking.clear()
    given = said("The portal is down", "shared")
    async with bench.dana.stream("POST", "/api/agent", json=given, headers=STREAM) as first:
        await bench.actor.held.wait()
        async with bench.dana.watch("shared") as second:
            await second.caught_up()
            bench.actor.looking.set()
            await first.end()
            await second.until(ended)
    assert first.events == second.events
    agui.check_run(second.events)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/threads/{thread}/events", None),
        ("POST", "/api/threads/{thread}/stop", None),
        ("POST", "/api/threads/{thread}/feedback", {"run": "{run}", "useful": True}),
        ("POST", "/api/agent", {"threadId": "{thread}", "runId": "r-x", "messages": [WHY]}),
    ],
)
async def test_somebody_elses_conversation_does_not_exist_for_others(
    bench: Bench, method: str, path: str, body: dict[str, Any] | None
) -> None:
    run = await bench.waiting(bench.dana)
    given = json.loads(json.dumps(body).replace("{thread}", run.thread).replace("{run}", run.run)) if body else None
    told = await bench.dana.whole(run.thread)
    for other in (bench.sam, bench.session("somebody", ("admin",)), bench.widget("dana.meyer")):
        answer = await other.ask(method, path.format(thread=run.thread), json=given)
        problem(answer, 404, "unknown_thread")
    assert await bench.dana.whole(run.thread) == told
    assert (await bench.sam.get("/api/threads"))["threads"] == []


async def test_who_signed_in_goes_on_with_what_they_began_on_a_host_page_and_not_the_other_way_round(
    bench: Bench,
) -> None:
    widget = bench.widget("dana.meyer")
    begun = await bench.waiting(widget)
    frame = await bench.frame(bench.dana)
    assert await frame.whole(begun.thread) == await widget.whole(begun.thread)
    assert begun.thread in [one["id"] for one in (await frame.get("/api/threads"))["threads"]]
    done = await frame.resume(begun.thread, begun.interrupts[0]["id"], {"approved": True})
    assert done.end["outcome"] == {"type": "success"}, "the frame decides where the widget cannot"

    private = await bench.waiting(bench.dana)
    problem(await widget.ask("GET", f"/api/threads/{private.thread}/events"), 404, "unknown_thread")
    assert [one["id"] for one in (await widget.get("/api/threads"))["threads"]] == [begun.thread]
    hidden = private.cards[0]
    problem(await widget.ask("GET", f"/api/incidents/{hidden['incident']}"), 404, "unknown_incident")
    problem(await widget.ask("GET", f"/api/proposals/{hidden['digest']}"), 404, "unknown_incident")
    problem(await widget.post("/api/threads", {"incident": hidden["incident"]}), 404, "unknown_incident")
    assert (await widget.get(f"/api/incidents/{begun.cards[0]['incident']}"))["threads"] == [begun.thread]


async def test_the_same_run_sent_twice_is_answered_once(bench: Bench) -> None:
    given = said("The portal is down", "twice")
    first, second = await asyncio.gather(bench.dana.send(given), bench.dana.send(given))
    third = await bench.dana.post("/api/agent", given, headers=DETACHED)
    assert first.events == second.events == [one.event for one in await bench.dana.whole("twice")]
    assert third.status_code == 202 and third.json() == {"threadId": "twice", "runId": given["runId"]}
    assert len(bench.journal.incidents()) == 1
    problem(await bench.dana.post("/api/agent", given | {"threadId": "other"}), 409, "repeated")
    problem(await bench.sam.post("/api/agent", given | {"threadId": "sams"}), 409, "repeated")


async def test_while_a_run_goes_on_another_one_is_refused_and_the_first_is_untouched(bench: Bench) -> None:
    bench.actor.looking.clear()
    await bench.dana.post("/api/agent", said("The portal is down", "one", run="r-1"), headers=DETACHED)
    await bench.actor.held.wait()
    problem(await bench.dana.post("/api/agent", said("and now?", "one")), 409, "busy")
    assert [one["state"] for one in (await bench.dana.get("/api/threads"))["threads"]] == ["running"]
    for number in range(2, 5):
        answer = await bench.dana.post("/api/agent", said("The portal is down", f"t-{number}"), headers=DETACHED)
        assert answer.status_code == 202
    problem(await bench.dana.post("/api/agent", said("The portal is down", "t-5")), 409, "too_many")
    assert (await bench.lee.post("/api/agent", said("why?", "lees"), headers=DETACHED)).status_code == 202
    bench.actor.looking.set()
    told = await until_over(bench.dana, "one", "r-1")
    agui.check_run([one.event for one in told])


async def test_a_stop_ends_the_run_as_cancelled_and_the_incident_as_withdrawn(bench: Bench) -> None:
    bench.actor.looking.clear()
    given = said("The portal is down", "stopped")
    async with bench.dana.stream("POST", "/api/agent", json=given, headers=STREAM) as stream:
        await bench.actor.held.wait()
        answer = await bench.dana.post("/api/threads/stopped/stop")
        assert (answer.status_code, answer.json()) == (202, {"stopped": True})
        events = await stream.end()
    agui.check_run(events)
    assert events[-1]["outcome"] == {"type": "cancelled"}
    (incident,) = bench.journal.incidents()
    assert incident.state == "withdrawn" and bench.journal.proposals() == []
    assert bench.journal.entries(incident.id)[-1].actor == "person:dana.meyer"
    bench.actor.looking.set()
    assert (await bench.dana.post("/api/threads/stopped/stop")).json() == {"stopped": False}
    assert (await bench.waiting(bench.dana, "stopped")).interrupts, "and the conversation goes on"


@pytest.mark.parametrize("door", ["resume", "route"])
async def test_a_fix_that_is_being_carried_out_cannot_be_stopped_half_way(bench: Bench, door: str) -> None:
    run = await bench.waiting(bench.dana)
    digest = run.interrupts[0]["metadata"]["digest"]
    bench.actor.acting.clear()
    bench.actor.held.clear()
    doing = (
        bench.dana.decide(digest, "approve")
        if door == "route"
        else bench.dana.resume(run.thread, run.interrupts[0]["id"], {"approved": True})
    )
    task = asyncio.ensure_future(doing)
    await bench.actor.held.wait()
    problem(await bench.dana.post(f"/api/threads/{run.thread}/stop"), 409, "cannot_stop")
    bench.actor.acting.set()
    await task
    await bench.dana.until_card(digest, "verified")
    assert bench.actor.executed == [digest]


async def test_what_was_approved_is_not_stopped_before_it_began_either(bench: Bench) -> None:
    """The approval stands: a stop in a conversation is for questions, and effects are stopped where that is said."""
    run = await bench.waiting(bench.dana)
    digest, real = run.interrupts[0]["metadata"]["digest"], bench.actor.resume
    reached, go = asyncio.Event(), asyncio.Event()

    async def late(incident: str) -> Any:
        reached.set()
        await go.wait()
        return await real(incident)

    bench.actor.resume = late  # type: ignore[method-assign]
    await bench.dana.decide(digest, "approve")
    await reached.wait()
    assert bench.journal.proposal(digest).state is State.APPROVED
    problem(await bench.dana.post(f"/api/threads/{run.thread}/stop"), 409, "cannot_stop")
    go.set()
    await bench.dana.until_card(digest, "verified")


async def test_a_stop_while_what_was_approved_waits_for_a_busy_conversation_breaks_nothing_off(bench: Bench) -> None:
    run = await bench.waiting(bench.dana)
    incident, digest = run.cards[0]["incident"], run.cards[0]["digest"]
    other = (await bench.sam.post("/api/threads", {"incident": incident})).json()["id"]
    async with bench.sam.watch(other) as busy, bench.dana.watch(run.thread) as stream:
        await busy.until(shows(digest, "awaiting"))
        bench.actor.looking.clear()
        bench.actor.held.clear()
        await bench.sam.post("/api/agent", said("The ledger is down", other), headers=DETACHED)
        await bench.actor.held.wait()
        await stream.caught_up()
        before = stream.last
        assert (await bench.key("decide", "read", person="sam.okafor").decide(digest, "approve")).status_code == 200
        await stream.until(lambda one: one["type"] == "RUN_STARTED", after=before)
        await bench.dana.post(f"/api/threads/{run.thread}/stop")
        await stream.until(shows(digest, "verified"))
        await stream.until(ended, after=stream.number_of(shows(digest, "verified")))
        agui.check_thread(stream.events)
        bench.actor.looking.set()
        await busy.until(shows(digest, "verified"))
        await busy.until(ended, after=busy.number_of(shows(digest, "verified")))
        agui.check_thread(busy.events)
    assert bench.actor.executed == [digest]


async def test_a_decision_made_elsewhere_is_told_in_every_conversation_about_it(bench: Bench) -> None:
    run = await bench.waiting(bench.dana)
    digest, incident = run.interrupts[0]["metadata"]["digest"], run.cards[0]["incident"]
    earlier = await bench.waiting(bench.lee)
    await bench.lee.say("please look at the Ledger instead", earlier.thread)
    theirs = (await bench.sam.post("/api/threads", {"incident": incident})).json()["id"]
    old = earlier.interrupts[0]["metadata"]["digest"]
    async with (
        bench.dana.watch(run.thread) as mine,
        bench.sam.watch(theirs) as other,
        bench.lee.watch(earlier.thread) as left,
    ):
        await other.until(ended)
        assert (await bench.key("read", "decide", person="sam.okafor").decide(digest, "approve")).status_code == 200
        for stream in (mine, other):
            await told_to_the_end(stream, digest, "verified")
        assert (await bench.dana.decide(old, "reject")).status_code == 200
        await left.until(shows(old, "rejected"))
    assert bench.actor.executed == [digest]


async def told_to_the_end(stream: Stream, digest: str, state: str) -> None:
    """Wait until a stream has shown a card decided and ended, and its run is over."""
    approved = await stream.until(shows(digest, "approved"))
    assert approved["content"]["decision"]["by"] == "sam.okafor"
    await stream.until(shows(digest, state))
    await stream.until(ended, after=stream.number_of(shows(digest, state)))
    agui.check_thread(stream.events)
    last = agui.runs_of(stream.events)[-1]
    steps = [one["stepName"] for one in agui.of(last, "STEP_STARTED")]
    assert steps == ["execute", "verify"], "execution and verification are told"
    assert agui.of(last, "TOOL_CALL_RESULT") and "verified" in "".join(
        one["delta"] for one in agui.of(last, "TEXT_MESSAGE_CONTENT")
    )
    assert last[-1]["outcome"] == {"type": "success"}


async def test_an_expiry_is_told_and_ends_the_card(bench: Bench) -> None:
    run = await bench.waiting(bench.dana)
    digest = run.interrupts[0]["metadata"]["digest"]
    async with bench.dana.watch(run.thread) as stream:
        await stream.caught_up()
        bench.journal.expire("9999-12-31T23:59:59Z")
        await stream.until(shows(digest, "expired"))
        end = await stream.until(ended, after=stream.number_of(shows(digest, "expired")))
    assert end["outcome"] == {"type": "success"}, "nothing waits any more"
    problem(await bench.dana.decide(digest, "approve"), 409, "expired")
    assert bench.actor.executed == []


async def test_while_a_card_is_open_every_answer_ends_with_it_again(bench: Bench) -> None:
    run = await bench.waiting(bench.dana)
    digest = run.interrupts[0]["metadata"]["digest"]
    seen = {run.interrupts[0]["id"]}
    for question in ("why?", "what else did you check?", "who may approve this?", "qwertz uiop", "thanks"):
        answer = await bench.dana.say(question, run.thread)
        agui.check_run(answer.events)
        (interrupt,) = answer.interrupts
        assert interrupt["metadata"]["digest"] == digest and answer.text
        seen.add(interrupt["id"])
    assert len(seen) == 6 and all(one.rpartition(".")[0] == digest for one in seen)
    assert bench.journal.proposal(digest).state is State.AWAITING


async def test_whether_an_answer_was_useful_stands_in_the_journal(bench: Bench) -> None:
    run = await bench.waiting(bench.dana)
    path = f"/api/threads/{run.thread}/feedback"
    answer = await bench.dana.post(path, {"run": run.run, "useful": False, "why": "the portal is\nanother one"})
    assert answer.status_code == 204
    (told,) = [one for one in bench.journal.entries() if one.event == "feedback"]
    data = json.loads(told.data)
    assert (told.actor, told.incident) == ("person:dana.meyer", run.cards[0]["incident"])
    assert (data["run"], data["useful"], data["why"]) == (run.run, False, "the portal is another one")
    other = await bench.waiting(bench.sam)
    problem(await bench.dana.post(path, {"run": other.run, "useful": True}), 404, "unknown_run")
    problem(await bench.dana.post(path, {"run": run.run, "useful": "perhaps"}), 422, "invalid")


async def test_signing_out_ends_the_streams_of_that_browser(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEPALIVE_SECONDS", 0.1)
    run = await bench.waiting(bench.dana)
    phone = bench.session("dana.meyer")
    async with bench.dana.watch(run.thread) as here, phone.watch(run.thread) as there:
        await here.caught_up()
        assert (await bench.dana.post("/sign-out")).status_code == 204
        await here.end()
        async with asyncio.timeout(10):
            while "keepalive" not in there.reader.comments:
                await asyncio.sleep(0.02)
        assert not there.over, "another browser of the same person goes on"
    assert there.reader.comments[0] == "countersign"


@pytest.mark.parametrize("number", ["-1", "1.5", "x", "9" * 16, "١x"])
async def test_a_last_event_that_is_no_number_is_refused(bench: Bench, number: str) -> None:
    run = await bench.waiting(bench.dana)
    answer = await bench.dana.ask("GET", f"/api/threads/{run.thread}/events", params={"after": number})
    problem(answer, 400, "bad_request")


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"threadId": "t", "runId": "r"},
        {"threadId": 1, "runId": "r", "messages": []},
        {"threadId": "t", "runId": "r", "messages": "why?"},
        {"threadId": "t", "runId": "r", "messages": [{"role": "user"}]},
    ],
)
async def test_an_input_that_is_none_is_refused_and_opens_no_conversation(bench: Bench, given: object) -> None:
    problem(await bench.dana.post("/api/agent", given), 422, "invalid")
    assert bench.parts.log.threads("dana.meyer") == []


@pytest.mark.parametrize("text", ["", "  \n ", "\u200b\u2060"])
async def test_a_message_without_text_is_refused(bench: Bench, text: str) -> None:
    problem(await bench.dana.post("/api/agent", said(text)), 400, "bad_request")
    assert bench.journal.incidents() == []


async def test_a_message_of_parts_is_read_as_its_text(bench: Bench) -> None:
    given = said("")
    given["messages"][0]["content"] = [{"type": "text", "text": "The portal"}, {"type": "text", "text": "is down"}]
    run = await bench.dana.send(given)
    assert run.events[0]["input"]["messages"][0]["content"] == "The portal\nis down" and run.interrupts


async def test_threads_and_runs_get_names_of_ours_where_the_clients_cannot_be_used(bench: Bench) -> None:
    run = await bench.dana.send(said("The portal is down", "../../etc", run="a b\n"))
    assert run.thread.startswith("TH-") and run.run.startswith("RUN-")


async def test_a_run_that_a_restart_cut_ends_as_restarted_and_its_incident_goes_on(tmp_path: Any) -> None:
    async with opened(tmp_path) as before:
        before.actor.looking.clear()
        await before.dana.post("/api/agent", said("The portal is down", "cut", run="r-cut"), headers=DETACHED)
        await before.actor.held.wait()
    async with opened(tmp_path) as bench, bench.dana.watch("cut") as stream:
        broken = await stream.until(lambda one: one["type"] == "RUN_ERROR")
        assert (broken["code"], broken["message"][:10]) == ("restarted", "The server")
        end = await stream.until(ended, after=stream.number_of(lambda one: one["type"] == "RUN_ERROR"))
        assert end["outcome"]["interrupts"], "and the card comes after all"
        agui.check_thread(stream.events)
        assert len(bench.journal.incidents()) == 1 and len(bench.journal.proposals()) == 1


async def test_what_goes_wrong_inside_is_told_without_a_word_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("password=hunter2 in /srv/countersign/secret.py")

    monkeypatch.setattr(bench.actor, "_look_and_propose", fail)
    run = await bench.dana.say("The portal is down")
    agui.check_run(run.events)
    assert run.end["type"] == "RUN_ERROR" and run.end["code"] == "failed"
    assert "hunter2" not in json.dumps(run.events) and "secret" not in json.dumps(run.events)
    assert run.end["metadata"]["correlation"] in run.end["message"]
    assert run.end["metadata"]["correlation"] in caplog.text and "hunter2" in caplog.text
