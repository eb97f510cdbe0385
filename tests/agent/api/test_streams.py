"""The log, the hub and the text of streams, each by itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from agent.api import hub as hubs
from agent.api import sse
from agent.api.hub import Hub
from agent.api.log import Log
from agent.api.problems import Problem
from agent.core.errors import Refused
from tests.agent.api.client import Frame, frames

AT, LATER = "2026-03-02T09:30:00Z", "2026-03-02T09:31:00Z"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path / "conversations.db")
    yield made
    made.close()


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none()), max_size=8))
def test_what_is_sent_is_read_as_it_was_whatever_stands_in_it(events: list[dict[str, Any]]) -> None:
    written = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in events]
    text = ": countersign\n\n" + "".join(sse.frame(number, one) for number, one in enumerate(written, 1))
    # As httpx and browsers split lines: U+2028 and its like end no line of an event stream.
    lines = text.replace("\r\n", "\n").split("\n")
    assert frames(lines) == [Frame(number, one) for number, one in enumerate(events, 1)]


def asked(headers: dict[str, str], query: str = "") -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw, "query_string": query.encode()})


@pytest.mark.parametrize(
    ("headers", "query", "number"),
    [({}, "", 0), ({"last-event-id": "41"}, "", 41), ({}, "after=7", 7), ({"last-event-id": "41"}, "after=7", 41)],
)
def test_a_client_says_what_it_has_by_header_or_address(headers: dict[str, str], query: str, number: int) -> None:
    assert sse.after(asked(headers, query)) == number


@pytest.mark.parametrize("text", ["-1", "1e3", "0x1", " 1", "1.0", "9" * 16, "null"])
def test_what_is_no_number_of_an_event_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        sse.after(asked({"last-event-id": text}))
    assert refused.value.status == 400


async def streamed(
    hub: Hub, stored: list[tuple[int, str]], since: int, over: asyncio.Event, still: bool = True
) -> list[str]:
    """Collect what a stream sends until it ends."""

    async def may() -> bool:
        return still

    def read(after: int) -> list[tuple[int, str]]:
        return [one for one in stored if one[0] > after][:2]  # in parts, as the log gives it

    answer = sse.stream(hub, "t", read, since, may, over.is_set, '{"caught_up":{}}')
    return [str(part) async for part in answer.body_iterator]


async def test_what_comes_between_reading_and_listening_is_sent_once_and_in_order() -> None:
    hub, over, stored = Hub(), asyncio.Event(), [(number, f'{{"n":{number}}}') for number in range(1, 6)]
    task = asyncio.create_task(streamed(hub, stored, 1, over))
    while not hub.listeners:
        await asyncio.sleep(0)
    new = [(number, f'{{"n":{number}}}') for number in range(4, 9)]  # 4 and 5 are stored as well
    stored += new[2:]
    hub.publish("t", new[:3])
    over.set()
    hub.publish("t", new[3:])
    text = "".join(await asyncio.wait_for(task, 5))
    numbers = [one.id for one in frames(text.split("\n"))]
    assert [one for one in numbers if one is not None] == [2, 3, 4, 5, 6, 7, 8]
    assert numbers.count(None) == 1 and '"caught_up":' in text


async def test_a_listener_who_may_no_longer_listen_is_let_go_at_the_next_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEPALIVE_SECONDS", 0.01)
    text = await asyncio.wait_for(streamed(Hub(), [], 0, asyncio.Event(), still=False), 5)
    assert "keepalive" not in "".join(text)


async def test_a_pause_is_bridged_and_the_end_of_the_server_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEPALIVE_SECONDS", 0.01)
    hub = Hub()
    task = asyncio.create_task(streamed(hub, [], 0, asyncio.Event()))
    await asyncio.sleep(0.1)
    hub.close()
    assert (await asyncio.wait_for(task, 5)).count(": keepalive\n\n") >= 2
    late = await asyncio.wait_for(streamed(hub, [(1, "{}")], 0, asyncio.Event()), 5)
    assert late[1] == sse.frame(1, "{}"), "who comes after the end gets what is stored, and then the end"


async def test_news_go_to_those_who_listen_to_that_topic() -> None:
    hub = Hub()
    with hub.listen("a") as first, hub.listen("a") as second, hub.listen("b") as other:
        hub.publish("a", [(1, "x")])
        hub.publish("a", [])
        assert first.get_nowait() == second.get_nowait() == [(1, "x")]
        assert first.empty() and other.empty() and hub.listeners == 3
    assert hub.listeners == 0
    hub.publish("a", [(2, "y")])


async def test_a_listener_that_does_not_keep_up_is_let_go_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MOST_WAITING", 3)
    hub = Hub()
    with hub.listen("a") as slow, hub.listen("a") as quick:
        for number in range(5):
            hub.publish("a", [(number, "x")])
            if not quick.empty():
                quick.get_nowait()
        got = [slow.get_nowait() for _ in range(slow.qsize())]
        assert got == [[(0, "x")], [(1, "x")], [(2, "x")], None], "what it has, and that it has to come again"
        assert hub.listeners == 1


def test_a_conversation_keeps_its_events_in_order_across_runs_and_restarts(log: Log, tmp_path: Path) -> None:
    thread = log.open_thread(AT, "dana.meyer")
    other = log.open_thread(AT, "dana.meyer")
    for number in range(3):
        log.begin(AT, thread.id, f"r{number}", "")
        log.append(thread.id, f"r{number}", [{"type": "A", "n": number}, {"type": "B", "text": "ü\u2028\n"}])
        log.append(other.id, "x", [{"type": "X"}])
        log.append(thread.id, f"r{number}", [{"type": "C"}], "finished")
    log.close()
    again = Log(tmp_path / "conversations.db")
    whole = again.read(thread.id)
    assert [json.loads(text)["type"] for _, text in whole] == ["A", "B", "C"] * 3
    assert [number for number, _ in whole] == sorted(number for number, _ in whole)
    assert json.loads(whole[1][1])["text"] == "ü\u2028\n"
    for cut, (number, _) in enumerate(whole, 1):
        assert again.read(thread.id, number) == whole[cut:]
    assert again.read(thread.id, limit=2) == whole[:2] and again.read(thread.id, run="r1") == whole[3:6]
    assert again.whole_run(thread.id, "r1") == whole[3:6]
    again.close()


def test_one_run_at_a_time_and_each_once(log: Log) -> None:
    thread = log.open_thread(AT, "dana.meyer")
    log.begin(AT, thread.id, "r1", "")
    with pytest.raises(Refused, match="still at work"):
        log.begin(AT, thread.id, "r2", "")
    with pytest.raises(Refused) as again:
        log.begin(AT, thread.id, "r1", "")
    assert again.value.code == "repeated" and log.running() == [("r1", thread.id)]
    log.append(thread.id, "r1", [], "finished")
    assert log.ended("r1") and not log.ended("r2") and log.running(thread.id) == []
    log.begin(AT, thread.id, "r2", "")
    with pytest.raises(Refused) as again:
        log.begin(AT, thread.id, "r1", "")
    assert again.value.code == "repeated", "also long after it has ended"


def test_conversations_are_listed_for_their_owner_and_page_newest_first(log: Log) -> None:
    mine = log.open_thread(AT, "dana.meyer", title="first")
    page = log.open_thread(AT, "dana.meyer", "https://intranet.example.org")
    log.open_thread(AT, "sam.okafor")
    log.turn_to(LATER, mine.id, "", "INC-0001", "another title")
    assert [one.id for one in log.threads("dana.meyer")] == [mine.id, page.id]
    assert [one.id for one in log.threads("dana.meyer", "https://intranet.example.org")] == [page.id]
    assert [one.id for one in log.threads("dana.meyer", "")] == [mine.id]
    found = log.thread(mine.id)
    assert found is not None and (found.title, found.incident) == ("first", "INC-0001")


def test_what_a_conversation_was_about_is_remembered_with_the_card_it_shows(log: Log) -> None:
    thread = log.open_thread(AT, "dana.meyer")

    def card(incident: str, digest: str, state: str) -> dict[str, Any]:
        content = {"incident": incident, "digest": digest, "state": state}
        return {"type": "ACTIVITY_SNAPSHOT", "activityType": "proposal", "content": content}

    for number, incident in enumerate(("INC-1", "INC-2")):
        log.begin(AT, thread.id, f"r{number}", "")
        log.turn_to(AT, thread.id, f"r{number}", incident)
        quoted = {"type": "TEXT_MESSAGE_CONTENT", "delta": '"activityType":"proposal"'}
        log.append(thread.id, f"r{number}", [quoted, card(incident, f"d{number}", "awaiting")], "finished")
    log.append(thread.id, "r1", [card("INC-1", "d0", "superseded"), card("INC-1", "d9", "awaiting")])
    assert log.was_about(thread.id) == {"INC-1", "INC-2"}
    assert [one.id for one in log.about("INC-1")] == [one.id for one in log.about("INC-2")] == [thread.id]
    assert log.cards(thread.id) == {"INC-1": ("d9", "awaiting"), "INC-2": ("d1", "awaiting")}
    assert log.about("INC-3") == [] and log.cards("TH-none") == {}
