"""Following the journal: what each entry is to somebody who looks at lists, and that no trouble ends the following."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agent.api import follow
from agent.api.follow import news_of
from agent.core.errors import CountersignError
from agent.core.lifecycle import State
from agent.journal.chain import Entry
from tests.agent.api.bench import Bench
from tests.agent.api.client import shows


def entry(event: str, incident: str = "INC-1", **data: Any) -> Entry:
    return Entry(7, "2026-03-02T09:30:00Z", "countersign", incident, event, json.dumps(data), "0" * 64, "1" * 64)


@pytest.mark.parametrize("state", [*State, "proposed"])
def test_every_move_of_a_card_is_news_of_that_card(state: str) -> None:
    told = news_of(entry(state, digest="sha256:aa", reason="nobody's business"))
    shown = "awaiting" if state == "proposed" else str(state)
    assert told == {"type": "proposal", "digest": "sha256:aa", "incident": "INC-1", "state": shown}


@pytest.mark.parametrize("state", ["opened", "investigating", "awaiting_approval", "executing", "healthy", "verified"])
def test_every_move_of_an_incident_is_news_of_that_incident(state: str) -> None:
    assert news_of(entry(f"incident_{state}", ticket="T-1")) == {"type": "incident", "id": "INC-1", "state": state}


@pytest.mark.parametrize("event", ["effects_stopped", "model_stopped", "intake_stopped", "effects_resumed"])
def test_a_stop_is_news_without_a_reason(event: str) -> None:
    assert news_of(entry(event, "", reason="nobody's business")) == {"type": "stop"}


@pytest.mark.parametrize("event", ["note_due", "note_written", "feedback", "accounted", "diagnosed", "x_stopped"])
def test_what_changes_no_list_is_no_news(event: str) -> None:
    assert news_of(entry(event, key="k")) is None


async def test_the_console_hears_of_everything_as_it_happens_and_of_what_it_missed(bench: Bench) -> None:
    async with bench.dana.stream("GET", "/api/events") as stream:
        await stream.until(lambda one: one.get("type") == "caught_up")
        run = await bench.waiting(bench.ines)
        digest, incident = run.interrupts[0]["metadata"]["digest"], run.cards[0]["incident"]
        told = {"type": "proposal", "digest": digest, "incident": incident, "state": "awaiting"}
        await stream.until(lambda one: one == told)
        await bench.dana.decide(digest, "approve")
        await stream.until(lambda one: one == {"type": "incident", "id": incident, "state": "verified"})
        await bench.dana.post("/api/stop", {"level": "model", "reason": "a drill"})
        await stream.until(lambda one: one == {"type": "stop"})
    states = [one["state"] for one in stream.events if one["type"] == "proposal"]
    assert states == ["awaiting", "approved", "executing", "executed", "verified"]
    assert [one.id for one in stream.frames if one.id] == sorted(one.id for one in stream.frames if one.id)
    whole = [one for one in stream.frames if one.id is not None]
    for cut in (0, 3, len(whole) - 1):
        async with bench.dana.stream("GET", "/api/events", headers={"Last-Event-ID": str(whole[cut].id)}) as rest:
            await rest.until(lambda one: one.get("type") == "caught_up")
        assert [one for one in rest.frames if one.id] == whole[cut + 1 :]


async def test_trouble_with_the_journal_does_not_end_the_following(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "LOOK_SECONDS", 0.01)
    run = await bench.waiting(bench.dana)
    digest = run.interrupts[0]["metadata"]["digest"]
    real, failed = bench.journal.after, asyncio.Event()
    troubles: list[Exception] = [CountersignError("no room"), RuntimeError("what nobody foresaw")]

    def after(*arguments: Any) -> Any:
        if troubles:
            raise troubles.pop()
        failed.set()
        return real(*arguments)

    monkeypatch.setattr(bench.journal, "after", after)
    await asyncio.wait_for(failed.wait(), 10)
    async with bench.dana.watch(run.thread) as stream:
        await bench.sam.decide(digest, "reject")
        await stream.until(shows(digest, "rejected"))


async def test_a_card_that_comes_from_elsewhere_is_shown_in_the_conversations_about_its_incident(bench: Bench) -> None:
    """Somebody opened the incident while another process was still looking into it."""
    incident, _ = bench.journal.open_incident(bench.actor.stamp(), "T-7", "the portal", "countersign")
    bench.journal.move_incident(bench.actor.stamp(), incident.id, "investigating", "countersign", "portal")
    thread = (await bench.dana.post("/api/threads", {"incident": incident.id})).json()["id"]
    async with bench.dana.watch(thread) as stream:
        await stream.until(lambda one: one["type"] == "RUN_FINISHED")
        digest = bench.actor.propose(incident.id)
        await stream.until(shows(digest, "awaiting"))
        end = await stream.until(
            lambda one: one["type"] == "RUN_FINISHED", after=stream.number_of(shows(digest, "awaiting"))
        )
    assert end["outcome"]["interrupts"][0]["metadata"]["digest"] == digest
