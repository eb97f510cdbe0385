"""Other front ends: to AG-UI's own client the stream is AG-UI 1.0, with nothing to object at any turn of a story."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from tests.agui.client import BEFORE, Agent, Clients, Json, Ran
from tests.agui.conftest import World

TROUBLE = "The permits site answers 502 since a few minutes and nobody can hand in an application."
NO_TROUBLE = "How many days of leave may I carry over into the next year?"
ENDS = {"RUN_FINISHED", "RUN_ERROR"}
WAIT_SECONDS = 20.0


def good(ran: Ran, outcome: str) -> Ran:
    """Return the run after seeing that the client was content with it, and that it ended as it should."""
    assert (ran.error, ran.complaints) == ("", [])
    assert ran.outcome == outcome, ran.events[-1]
    assert ran.kinds[0] == "RUN_STARTED" and ran.kinds[-1] in ENDS and len(ENDS & set(ran.kinds)) == 1
    return ran


def card_of(ran: Ran) -> Json:
    """Return the card of the one interrupt that a run ended with."""
    (interrupt,) = ran.pending
    card: Json = interrupt["metadata"]["card"]
    assert interrupt["message"].startswith(card["headline"]) and interrupt["expiresAt"] == card["expires_at"]
    return card


def asked(agent: Agent) -> Json:
    """Report the trouble, and return the card that comes of it."""
    return card_of(good(agent.says(TROUBLE), "interrupt"))


def recorded(api: httpx.Client, thread: str) -> list[Json]:
    """Return all stored events of a conversation, as its stream sends them."""
    events: list[Json] = []
    with api.stream("GET", f"/api/threads/{thread}/events") as stream:
        assert stream.status_code == 200
        for line in stream.iter_lines():
            if not line.startswith("data:"):
                continue
            event = json.loads(line.removeprefix("data:"))
            if event.get("name") == "countersign.caught_up":
                return events
            events.append(event)
    raise AssertionError("the stream ended")


def runs(events: list[Json]) -> Iterator[list[Json]]:
    """Split a conversation into its runs; nothing may stand between them."""
    run: list[Json] = []
    for event in events:
        assert run or event["type"] == "RUN_STARTED", f"{event['type']} stands outside every run"
        run.append(event)
        if event["type"] in ENDS:
            yield run
            run = []
    assert not run, "the last run has no end"


def nobody_objects(world: World, node: Clients, agent: Agent) -> int:
    """See that the clients accept the recorded conversation; return how many runs it has.

    The one of today takes it whole and run by run. Those before 1.0 take single runs, and know no outcome `cancelled`.
    """
    with world.api(agent.key) as api:
        events = recorded(api, agent.thread)
    parts = list(runs(events))
    assert node.objections(events) == []
    for part in parts:
        assert node.objections(part) == []
        if part[-1].get("outcome") != {"type": "cancelled"}:
            assert [node.objections(part, client) for client in BEFORE] == [[], []]
    return len(parts)


def shown_elsewhere(world: World, agent: Agent, state: str) -> list[str]:
    """Wait until a run of the server's own has shown the card in a state; return all the states that were shown."""
    deadline = monotonic() + WAIT_SECONDS
    while True:
        with world.api(agent.key) as api:
            events = recorded(api, agent.thread)
        states = [event["content"]["state"] for event in events if event.get("activityType") == "proposal"]
        if states[-1] == state and events[-1]["type"] in ENDS:
            return states
        assert monotonic() < deadline, events[-1]
        sleep(0.1)


def test_a_question_ends_in_a_card_one_asks_on_and_approves_it_and_the_fix_is_verified(
    broken: World, node: Clients
) -> None:
    agent = node.agent(broken.origin, broken.approver)
    card = asked(agent)
    assert card["state"] == "awaiting" and json.loads(card["exact"])["target"] == card["target"]["name"]

    refused = agent.says("why?")
    assert "not addressed by resume" in refused.error, "the client lets messages through: then this is no rule any more"
    said = good(agent.answers({"decision": "ask", "question": "what else did you check?"}), "interrupt")
    again = card_of(said)
    assert said.text and again["digest"] == card["digest"] and again["state"] == "awaiting"

    done = good(agent.answers({"approved": True, "shown": card["shown"]}), "success")
    assert [one["state"] for one in done.cards][-1] == "verified"
    assert {one["digest"] for one in done.cards} == {card["digest"]} and done.pending == []
    assert "TOOL_CALL_RESULT" in done.kinds, "what was looked at afterwards is not shown"
    assert broken.seen_from_outside().ok

    said = good(agent.says("what happened in the end?"), "success")
    assert said.text
    assert nobody_objects(broken, node, agent) == 4


def test_a_card_is_rejected_by_a_no_and_by_cancelling_and_nothing_runs(broken: World, node: Clients) -> None:
    for answer in ({"approved": False}, {"decision": "reject", "reason": "not now"}, {"approved": "true"}, None):
        agent = node.agent(broken.origin, broken.approver)
        card = asked(agent)
        done = good(agent.cancels() if answer is None else agent.answers(answer), "success")
        assert [one["state"] for one in done.cards][-1] == "rejected", answer
        assert {one["digest"] for one in done.cards} == {card["digest"]} and done.pending == []
        assert nobody_objects(broken, node, agent) == 2
    assert not broken.seen_from_outside().ok, "something was started"


def test_a_question_without_a_fix_is_answered_without_a_card(world: World, node: Clients) -> None:
    agent = node.agent(world.origin, world.requester)
    ran = good(agent.says(NO_TROUBLE), "success")
    assert ran.text and not ran.cards and ran.pending == []
    assert nobody_objects(world, node, agent) == 1


def test_a_refused_approval_is_an_error_and_the_card_stays_open(broken: World, node: Clients) -> None:
    agent = node.agent(broken.origin, broken.requester)
    card = asked(agent)
    refused = good(agent.answers({"approved": True}), "error")
    assert refused.events[-1]["code"] in {"four_eyes", "not_entitled"} and refused.events[-1]["message"]
    assert not broken.seen_from_outside().ok, "the refused fix ran"
    again = card_of(good(agent.answers({"decision": "ask", "question": "why?"}), "interrupt"))
    assert again["digest"] == card["digest"] and again["state"] == "awaiting"
    assert nobody_objects(broken, node, agent) == 3


def test_a_stopped_run_ends_as_cancelled(broken: World, node: Clients) -> None:
    agent = node.agent(broken.origin, broken.approver)
    with ThreadPoolExecutor(1) as beside, broken.api() as api:
        running = beside.submit(agent.says, TROUBLE)
        deadline = monotonic() + WAIT_SECONDS
        while not running.done() and monotonic() < deadline:
            stopped = api.post(f"/api/threads/{agent.thread}/stop")
            if stopped.status_code == 202 and stopped.json()["stopped"]:
                break
        ran = running.result(WAIT_SECONDS)
    good(ran, "cancelled")
    assert nobody_objects(broken, node, agent) == 1


def test_a_conversation_that_a_card_was_decided_in_elsewhere_goes_on_in_runs_of_the_servers_own(
    broken: World, node: Clients
) -> None:
    agent = node.agent(broken.origin, broken.approver)
    card = asked(agent)
    with broken.api() as api:
        approved = api.post(f"/api/proposals/{card['digest']}/decision", json={"decision": "approve"})
    assert approved.status_code == 200, approved.text
    assert shown_elsewhere(broken, agent, "verified")[0] == "awaiting"
    assert broken.seen_from_outside().ok
    late = good(agent.answers({"approved": True}), "error")
    assert late.events[-1]["code"] == "already_decided"
    assert nobody_objects(broken, node, agent) == 3


@pytest.mark.parametrize("client", BEFORE)
def test_clients_from_before_1_0_follow_the_story_too(broken: World, node: Clients, client: str) -> None:
    agent = node.agent(broken.origin, broken.approver, client)
    card = asked(agent)
    again = card_of(good(agent.answers({"decision": "ask", "question": "why?"}), "interrupt"))
    assert again["digest"] == card["digest"]
    done = good(agent.cancels(), "success")
    assert [one["state"] for one in done.cards][-1] == "rejected"


def test_the_checks_can_fail(node: Clients) -> None:
    started: dict[str, Any] = {"type": "RUN_STARTED", "threadId": "t", "runId": "r"}
    finished: dict[str, Any] = {"type": "RUN_FINISHED", "threadId": "t", "runId": "r"}
    assert node.objections([started, finished]) == []
    assert node.objections([started, {"type": "STEP_STARTED", "stepName": "s"}, finished])
    assert node.objections([started, {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": "x"}, finished])
    assert node.objections([started, {**finished, "outcome": {"type": "interrupt", "interrupts": []}}])
    assert any("unrecognised" in one for one in node.objections([started | {"ours": 1}, finished]))
