"""The decision route: who may, what they saw, and that one decision is one decision however often it is sent."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.core.lifecycle import State
from tests.agent.api import agui
from tests.agent.api.bench import Bench
from tests.agent.api.client import Client, ended, problem, shows

REVISION = {"revision": "a" * 40}
ALL = ("ask", "audit", "decide", "metrics", "read", "stop")


async def card(bench: Bench, risk: str = "low", by: Client | None = None) -> str:
    """Put up a card and return its digest."""
    bench.actor.risk, bench.actor.params = risk, {"revision": "b" * 40}
    run = await bench.waiting(by or bench.ines)
    return str(run.interrupts[0]["metadata"]["digest"])


def untouched(bench: Bench, digest: str) -> bool:
    return (
        bench.journal.proposal(digest).state is State.AWAITING
        and not bench.decided(digest)
        and not bench.actor.executed
    )


@pytest.mark.parametrize("decision", ["approve", "reject", "withdraw", "edit"])
@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        (lambda bench: bench.session("mallory", ("approver", "admin")), 403, "not_entitled"),
        (lambda bench: bench.widget("dana.meyer"), 403, "widget_cannot_decide"),
        (lambda bench: bench.key(*set(ALL) - {"decide"}, machine="ci"), 403, "not_permitted"),
        (lambda bench: bench.key("read", "ask", person="dana.meyer"), 403, "not_permitted"),
        (lambda bench: bench.session("dana.meyer", ("viewer", "operator", "auditor")), 403, "not_permitted"),
        (lambda bench: bench.anybody, 401, "sign_in"),
    ],
)
async def test_who_may_not_decide_is_refused_and_nothing_changes(
    bench: Bench, who: Callable[[Bench], Client], status: int, code: str, decision: str
) -> None:
    digest = await card(bench)
    args = {"args": REVISION} if decision == "edit" else {}
    problem(await who(bench).decide(digest, decision, **args), status, code)
    assert untouched(bench, digest)


async def test_the_assistant_itself_approves_nothing_whoever_signs_in_by_its_name(bench: Bench) -> None:
    digest = await card(bench)
    problem(await bench.session("countersign", ("admin",)).decide(digest, "approve"), 403, "not_a_person")
    for decision in ("reject", "withdraw"):
        problem(await bench.session("Countersign", ("admin",)).decide(digest, decision), 403, "not_entitled")
    assert untouched(bench, digest)


async def test_a_key_of_a_machine_never_decides_not_even_with_the_scope(bench: Bench) -> None:
    digest = await card(bench)
    with pytest.raises(Exception, match="decides nothing"):
        bench.key("decide", "read", machine="ci")
    client = bench.key("read", machine="ci")
    with closing(sqlite3.connect(bench.guard.store.path)) as raw, raw:
        raw.execute("UPDATE api_keys SET scopes = 'decide read'")  # as if somebody had written it there
    problem(await client.decide(digest, "approve"), 403, "not_permitted")
    shown = await client.card(digest)
    assert not shown["you"]["may_approve"] and shown["you"]["why_not"]
    assert untouched(bench, digest)


@pytest.mark.parametrize("risk", ["low", "medium"])
async def test_people_decide_by_page_by_frame_and_by_a_key_of_theirs_and_the_record_says_which(
    bench: Bench, risk: str
) -> None:
    ways = {"page:session": bench.dana, "api:frame": await bench.frame(bench.dana), "api:key": None}
    ways["api:key"] = bench.key("read", "decide", person="dana.meyer")
    for way, client in ways.items():
        assert client is not None
        digest = await card(bench, risk)
        answer = await client.decide(digest, "approve", reason="as agreed")
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"digest": digest, "state": "approved", "approver": "dana.meyer"}
        (told,) = bench.decided(digest)
        assert told["via"].startswith(f"{way}:") and told["reason"] == "as agreed"
        await client.until_card(digest, "verified")


async def test_high_risk_is_approved_on_its_page_alone_and_there_not_without_a_passkey(bench: Bench) -> None:
    digest = await card(bench, "high")
    run_of = await bench.sam.post("/api/threads", {"incident": bench.journal.proposal(digest).incident})
    async with bench.sam.watch(run_of.json()["id"]) as stream:
        (interrupt,) = (await stream.until(ended))["outcome"]["interrupts"]
    for client in (await bench.frame(bench.sam), bench.key("read", "decide", person="sam.okafor")):
        problem(await client.decide(digest, "approve"), 403, "needs_page")
    chat = await bench.sam.resume(run_of.json()["id"], interrupt["id"], {"approved": True})
    assert chat.end["code"] == "needs_page"
    problem(await bench.sam.decide(digest, "approve"), 403, "needs_passkey")
    assert untouched(bench, digest)
    assert (await bench.sam.decide(digest, "reject")).status_code == 200, "a no needs no passkey"


async def test_whoever_reported_it_may_approve_low_risk_and_not_medium(bench: Bench) -> None:
    low, medium = await card(bench, "low", bench.dana), await card(bench, "medium", bench.dana)
    assert (await bench.dana.card(low))["you"]["may_approve"] is True
    you = (await bench.dana.card(medium))["you"]
    assert you["may_approve"] is False and "someone else" in you["why_not"] and you["may_reject"] is True
    assert (await bench.dana.decide(low, "approve")).status_code == 200
    problem(await bench.dana.decide(medium, "approve"), 403, "four_eyes")
    problem(await bench.lee.decide(medium, "approve"), 403, "not_entitled")
    assert bench.journal.proposal(medium).state is State.AWAITING
    assert (await bench.sam.decide(medium, "approve")).status_code == 200


async def test_whoever_edits_becomes_the_author_and_cannot_approve_what_they_wrote(bench: Bench) -> None:
    old = await card(bench, "medium")
    answer = await bench.sam.decide(old, "edit", args=REVISION)
    assert answer.status_code == 200, answer.text
    new = answer.json()["successor"]
    assert answer.json()["digest"] == new and answer.json()["state"] == "awaiting" and new != old
    shown, before = await bench.sam.card(new), await bench.sam.card(old)
    assert (shown["author"], shown["edited"], shown["args"]) == ("sam.okafor", True, REVISION)
    assert (before["state"], before["successor"]) == ("superseded", new)
    problem(await bench.sam.decide(new, "approve"), 403, "four_eyes")
    problem(await bench.dana.decide(old, "approve"), 409, "superseded")
    assert not bench.actor.executed
    assert (await bench.dana.decide(new, "approve")).status_code == 200
    await bench.dana.until_card(new, "verified")
    assert bench.actor.executed == [new]


async def test_a_decision_names_what_was_on_screen_and_another_card_is_refused(bench: Bench) -> None:
    digest = await card(bench)
    shown = (await bench.dana.card(digest))["shown"]
    for wrong in ("sha256:" + "0" * 64, shown.upper(), shown[:-1], "x"):
        for decision in ("approve", "reject"):
            problem(await bench.dana.decide(digest, decision, shown=wrong), 409, "changed")
    assert untouched(bench, digest)
    assert (await bench.dana.decide(digest, "approve", shown=shown, seconds_on_screen=7)).status_code == 200
    (told,) = bench.decided(digest)
    assert (told["shown"], told["seconds_on_screen"]) == (shown, 7)


async def test_an_approval_from_a_page_names_what_was_on_screen_and_a_no_need_not(bench: Bench) -> None:
    digest = await card(bench)
    for client in (bench.dana, await bench.frame(bench.dana)):
        problem(await client.decide(digest, "approve", shown=""), 409, "changed")
    assert untouched(bench, digest)
    assert (await bench.dana.decide(digest, "reject")).status_code == 200
    digest = await card(bench)
    key = bench.key("read", "decide", person="dana.meyer")
    assert (await key.decide(digest, "approve", shown="")).status_code == 200, "a program has no screen"


async def test_a_card_that_was_changed_behind_the_journal_is_neither_shown_nor_signed_and_hides_no_other(
    bench: Bench, tmp_path: Path
) -> None:
    digest, other = await card(bench), await card(bench)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as raw, raw:
        raw.execute('UPDATE proposals SET card = \'{"why":"harmless"}\' WHERE digest = ?', (digest,))
    problem(await bench.dana.ask("GET", f"/api/proposals/{digest}"), 409, "altered")
    problem(await bench.dana.decide(digest, "approve"), 409, "altered")
    listed = {one["digest"]: one["state"] for one in (await bench.dana.get("/api/proposals"))["proposals"]}
    assert listed == {digest: "altered", other: "awaiting"}
    assert untouched(bench, digest)
    assert (await bench.dana.decide(other, "approve")).status_code == 200


async def test_a_double_click_decides_once(bench: Bench) -> None:
    digest = await card(bench)
    answers = await asyncio.gather(
        *(client.decide(digest, "approve") for client in (bench.dana, bench.dana, bench.sam, bench.lee))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "already_decided")
    await bench.dana.until_card(digest, "verified")
    assert bench.actor.executed == [digest] and len(bench.decided(digest)) == 1


async def test_approve_and_reject_at_once_end_in_one_of_them(bench: Bench) -> None:
    for _ in range(3):
        digest = await card(bench)
        answers = await asyncio.gather(bench.dana.decide(digest, "approve"), bench.sam.decide(digest, "reject"))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        done = await bench.dana.until_card(digest, "verified", "rejected")
        assert (digest in bench.actor.executed) == (done["state"] == "verified")
        assert len(bench.decided(digest)) == 1


async def test_a_no_keeps_its_reason_in_one_line_and_ends_the_incident(bench: Bench) -> None:
    digest = await card(bench)
    reason = "the vendor\nis at it\u202e already"
    assert (await bench.lee.decide(digest, "reject", reason=reason)).status_code == 200
    done = await bench.lee.until_card(digest, "rejected")
    assert done["decision"]["by"] == "lee.brandt" and done["decision"]["reason"].startswith("the vendor is at it")
    assert "\n" not in done["decision"]["reason"] and "\u202e" not in done["decision"]["reason"]
    (told,) = bench.decided(digest)
    assert told["actor"] == "person:lee.brandt" and told["reason"] == done["decision"]["reason"]
    problem(await bench.dana.decide(digest, "approve"), 409, "already_decided")
    assert not bench.actor.executed


async def test_whoever_reported_it_may_withdraw_it(bench: Bench) -> None:
    digest = await card(bench, "medium")
    assert (await bench.ines.decide(digest, "withdraw", reason="it works again")).status_code == 200
    assert (await bench.ines.until_card(digest, "withdrawn"))["decision"]["by"] == "ines.costa"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid"),
        ({"decision": "yes"}, "invalid"),
        ({"decision": True}, "invalid"),
        ({"decision": "approve", "approved": True}, "invalid"),
        ({"decision": "approve", "args": REVISION}, "invalid"),
        ({"decision": "approve", "reason": "x" * 2001}, "invalid"),
        ({"decision": "approve", "seconds_on_screen": -1}, "invalid"),
        ({"decision": "approve", "seconds_on_screen": 1.5}, "invalid"),
        ({"decision": "edit", "args": {"revision": None}}, "invalid"),
        ({"decision": "edit", "args": {"revision": ["a"]}}, "invalid"),
        (["approve"], "invalid"),
        ("approve", "invalid"),
    ],
)
async def test_a_decision_in_another_shape_is_refused(bench: Bench, body: object, code: str) -> None:
    digest = await card(bench)
    problem(await bench.dana.post(f"/api/proposals/{digest}/decision", body), 422, code)
    assert untouched(bench, digest)


@pytest.mark.parametrize("digest", ["sha256:" + "0" * 64, "0" * 12, "sha256:", "x", "%25", "sha256:%5f%5f%5f%5f%5f%5f"])
async def test_a_proposal_that_is_not_there_is_not_found(bench: Bench, digest: str) -> None:
    await card(bench)
    problem(await bench.dana.ask("GET", f"/api/proposals/{digest}"), 404, "unknown_proposal")
    for decision in ("approve", "ask"):
        problem(await bench.dana.decide(digest, decision, question="why?"), 404, "unknown_proposal")


async def test_a_question_about_a_card_is_answered_and_the_card_stays_open(bench: Bench) -> None:
    run = await bench.waiting(bench.lee)
    digest = run.interrupts[0]["metadata"]["digest"]
    asked = await bench.lee.decide(digest, "ask", question="who may approve this?", thread=run.thread)
    assert asked.status_code == 202 and asked.json()["threadId"] == run.thread
    async with bench.lee.watch(run.thread) as stream:
        end = await stream.until(lambda one: ended(one) and one["runId"] == asked.json()["runId"])
    agui.check_thread(stream.events)
    assert end["outcome"]["interrupts"][0]["metadata"]["digest"] == digest
    assert "dana.meyer" in "".join(one["delta"] for one in agui.of(stream.events, "TEXT_MESSAGE_CONTENT"))
    assert untouched(bench, digest)


async def test_a_question_without_a_conversation_opens_one_and_a_foreign_or_unrelated_one_is_refused(
    bench: Bench,
) -> None:
    run, other = await bench.waiting(bench.lee), await bench.waiting(bench.dana)
    digest = run.interrupts[0]["metadata"]["digest"]
    asked = await bench.dana.decide(digest, "ask", question="why?")
    assert asked.status_code == 202
    async with bench.dana.watch(asked.json()["threadId"]) as stream:
        end = await stream.until(ended)
    assert end["outcome"]["interrupts"][0]["metadata"]["digest"] == digest
    problem(await bench.dana.decide(digest, "ask", question="why?", thread=run.thread), 404, "unknown_thread")
    problem(await bench.dana.decide(digest, "ask", question="why?", thread=other.thread), 409, "wrong_thread")
    problem(await bench.dana.decide(digest, "ask", question="  "), 400, "bad_request")


async def test_a_question_about_an_earlier_card_is_answered_about_that_one(bench: Bench) -> None:
    first = await bench.waiting(bench.dana)
    second = await bench.dana.say("please look at the Ledger instead", first.thread)
    one, two = first.interrupts[0]["metadata"]["digest"], second.interrupts[0]["metadata"]["digest"]
    asked = await bench.dana.decide(one, "ask", question="why?", thread=first.thread)
    async with bench.dana.watch(first.thread) as stream:
        end = await stream.until(lambda event: ended(event) and event["runId"] == asked.json()["runId"])
    assert one in [each["metadata"]["digest"] for each in end["outcome"]["interrupts"]]
    again = await bench.dana.say("who may approve it?", first.thread)
    assert [each["metadata"]["digest"] for each in again.interrupts] == [one], "it is about that card from then on"
    assert two != one


async def test_an_edit_is_told_in_every_conversation_that_shows_the_card(bench: Bench) -> None:
    bench.actor.params = {"revision": "b" * 40}
    run = await bench.waiting(bench.ines)
    old = run.interrupts[0]["metadata"]["digest"]
    theirs = (await bench.sam.post("/api/threads", {"incident": run.cards[0]["incident"]})).json()["id"]
    async with bench.ines.watch(run.thread) as mine, bench.sam.watch(theirs) as other:
        await other.until(shows(old, "awaiting"))
        new = (await bench.dana.decide(old, "edit", args=REVISION)).json()["successor"]
        for stream in (mine, other):
            await stream.until(shows(old, "superseded"))
            await stream.until(shows(new, "awaiting"))
            await stream.until(ended, after=stream.number_of(shows(new, "awaiting")))
            agui.check_thread(stream.events)
            last = agui.of(stream.events, "RUN_FINISHED")[-1]
            assert [one["metadata"]["digest"] for one in last["outcome"]["interrupts"]] == [new]


async def test_what_a_client_is_told_it_may_do_is_what_it_may(bench: Bench) -> None:
    """`you` on the card and the answer to the attempt agree, for everybody and every risk."""
    for risk in ("low", "medium"):
        clients: list[Any] = [bench.dana, bench.sam, bench.lee, bench.ines, bench.session("mallory")]
        for client in [*clients, bench.session("dana.meyer", ("viewer",)), await bench.frame(bench.sam)]:
            digest = await card(bench, risk, bench.sam)
            you = (await client.card(digest))["you"]
            answer: httpx.Response = await client.decide(digest, "approve")
            assert (answer.status_code == 200) == you["may_approve"], (client.person, risk, you, answer.text)
            assert bool(you["why_not"]) != you["may_approve"]
