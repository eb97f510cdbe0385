"""From the path to events: whatever happens in whatever order, every run is a whole one by the protocol's models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api.adapter import PIECE, RESPONSE_SCHEMA, Adapter, digest_of_interrupt
from agent.api.runs import numbered
from agent.core.event import Event
from tests.agent.api import agui

AT = "2026-03-02T09:30:00Z"
CARD = {
    "digest": "sha256:" + "a" * 64,
    "headline": "Restart the portal",
    "risk": {"level": "low"},
    "expires_at": "2026-03-02T10:00:00Z",
}
NAMES = st.sampled_from(["E1", "E2", "E3"])
WORDS = st.text(max_size=30)


def happening(kind: str, **data: st.SearchStrategy[Any]) -> st.SearchStrategy[Event]:
    return st.builds(lambda given: Event(kind, given), st.fixed_dictionaries(data))


ASKED = {
    "id": NAMES,
    "tool": st.just("check_http"),
    "args": st.just({"service": "p"}),
    "server": st.just("diagnostics"),
}
HAPPENINGS = st.one_of(
    happening("step", name=st.sampled_from(["intake", "recall", "verify"]), says=WORDS),
    happening("service", name=WORDS, title=WORDS, owner=WORDS, scope=st.just(["p"])),
    happening("checking", **ASKED),
    happening("check", **ASKED, took_ms=st.integers(0, 9), made=st.booleans(), says=WORDS),
    happening("state", digest=WORDS, state=st.sampled_from(["executing", "verified"]), says=WORDS),
    happening(
        "verify", id=NAMES, tool=st.just("check_tcp"), service=WORDS, ok=st.booleans(), known=st.booleans(), says=WORDS
    ),
    happening("warning", says=WORDS),
    happening("diagnosis", says=WORDS),
    happening("something new", says=WORDS),
)
ENDINGS = st.sampled_from(["finished", "waits", "cancelled", "failed"])


def end(adapter: Adapter, how: str) -> list[dict[str, Any]]:
    match how:
        case "waits":
            return adapter.finished([CARD])
        case "cancelled":
            return adapter.cancelled()
        case "failed":
            return adapter.failed("failed", "It broke.", "c0ffee")
    return adapter.finished()


@given(st.lists(HAPPENINGS, max_size=12), WORDS, ENDINGS)
def test_whatever_happens_in_whatever_order_makes_a_whole_run(happened: list[Event], text: str, how: str) -> None:
    adapter = Adapter("TH-1", "RUN-1")
    events = adapter.started(AT, ("m-1", text))
    seen: dict[str, int] = {}
    for one in happened:
        # An observation has a name of its own in an investigation: each is asked and answered once.
        name = one.data.get("id")
        if name is not None:
            seen[name] = seen.get(name, 0) + (one.kind != "check" or f"{name}?" not in seen)
            if one.kind == "checking":
                seen[f"{name}?"] = 1
            if f"{name}!" in seen or (one.kind != "check" and seen[name] > 1):
                continue
            if one.kind != "checking":
                seen[f"{name}!"] = 1
        events += adapter.of(one)
    events += adapter.text(text) + end(adapter, how)
    agui.check_run(json.loads(json.dumps(events)))
    assert "".join(one["delta"] for one in agui.of(events, "TEXT_MESSAGE_CONTENT")) == text


@given(st.text(min_size=1, max_size=2000))
def test_a_text_in_pieces_is_the_same_text(text: str) -> None:
    events = Adapter("t", "r").text(text)
    pieces = [one["delta"] for one in agui.of(events, "TEXT_MESSAGE_CONTENT")]
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= PIECE + 1 for piece in pieces), "one space after the last word of a piece at most"


@given(st.integers(0, 14))
def test_a_run_that_broke_off_anywhere_is_closed_by_whoever_takes_it_up(cut: int) -> None:
    before = Adapter("t", "r")
    batches = [before.started(AT, None)]
    happened: list[tuple[str, dict[str, Any]]] = [
        ("step", {"name": "intake", "says": ""}),
        ("service", {"name": "p"}),
        ("step", {"name": "investigate", "says": ""}),
        ("checking", {"id": "E1", "tool": "t", "args": {}, "server": "s"}),
        ("checking", {"id": "E2", "tool": "t", "args": {}, "server": "s"}),
        (
            "check",
            {"id": "E1", "tool": "t", "args": {}, "server": "s", "took_ms": 1, "made": True, "says": "well"},
        ),
    ]
    batches += [before.of(Event(kind, data)) for kind, data in happened]
    batches += [before.text("It was stopped."), before.card(CARD)]
    written = [event for batch in batches[: max(1, cut)] for event in batch]
    after = Adapter("t", "r")
    after.take_up(written)
    agui.check_run([*written, *after.failed("restarted", "The server was restarted.")])


def test_a_call_tells_its_server_its_time_and_whether_it_was_made() -> None:
    adapter = Adapter("t", "r")
    asked = {"id": "E4", "tool": "check_tls", "args": {"service": "portal", "a": 1}, "server": "diagnostics"}
    begun = adapter.of(Event("checking", asked))
    assert agui.kinds(begun) == ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"]
    assert begun[0]["metadata"] == {"readOnly": True, "mcpServer": "diagnostics"}
    assert json.loads(begun[1]["delta"]) == {"a": 1, "service": "portal"}
    (result,) = adapter.of(Event("check", {**asked, "took_ms": 31, "made": False, "says": "could not be made: gone"}))
    assert result["metadata"] == {"ms": 31, "isError": True, "evidence": "E4"}
    assert result["content"] == "could not be made: gone" and result["toolCallId"] == begun[0]["toolCallId"]


def test_a_look_afterwards_says_whether_it_is_as_it_should_be() -> None:
    def told(ok: bool, known: bool) -> str:
        check = {"id": "V1", "tool": "check_http", "service": "portal", "ok": ok, "known": known, "says": "status 200"}
        return str(agui.of(Adapter("t", "r").of(Event("verify", check)), "TOOL_CALL_RESULT")[0]["content"])

    assert told(True, True) == "as it should be: status 200"
    assert told(False, True).startswith("not as it should be") and told(False, False).startswith("could not be checked")


def test_sources_are_numbered_as_texts_cite_them_and_nothing_is_shown_for_none() -> None:
    adapter = Adapter("t", "r")
    (shown,) = adapter.sources(numbered([{"page": "RB-1"}, {"page": "RB-2"}]), [])
    assert [(one["n"], one["page"]) for one in shown["content"]["sources"]] == [(1, "RB-1"), (2, "RB-2")]
    assert adapter.sources([], []) == [] and adapter.text("") == []
    (again,) = adapter.sources(numbered([{"page": "RB-3"}]), [])
    assert again["messageId"] != shown["messageId"], "what an earlier text cites stays what it was"


def test_a_card_is_one_message_that_is_replaced() -> None:
    adapter, other = Adapter("t", "r1"), Adapter("t", "r2")
    (first,), (second,) = adapter.card({**CARD, "state": "awaiting"}), other.card({**CARD, "state": "approved"})
    assert first["messageId"] == second["messageId"] == f"card-{CARD['digest']}"
    assert first["replace"] is second["replace"] is True and first["activityType"] == "proposal"


def test_an_interrupt_is_one_proposal_with_its_card_and_what_an_answer_looks_like() -> None:
    one, two = (Adapter("t", "r").finished([CARD])[-1]["outcome"]["interrupts"][0] for _ in range(2))
    assert digest_of_interrupt(one["id"]) == CARD["digest"] and one["id"] != two["id"]
    assert one["reason"] == "confirmation" and one["expiresAt"] == CARD["expires_at"]
    assert one["responseSchema"] == RESPONSE_SCHEMA and one["metadata"] == {"digest": CARD["digest"], "card": CARD}
    assert "Nothing runs until a person approves it" in one["message"]


@pytest.mark.parametrize("how", ["finished", "waits", "cancelled", "failed"])
def test_whatever_is_open_at_the_end_is_closed_before_it(how: str) -> None:
    adapter = Adapter("t", "r")
    events = adapter.started(AT, None) + adapter.step("investigate", "")
    events += adapter.of(Event("checking", {"id": "E1", "tool": "t", "args": {}, "server": "s"}))
    events += end(adapter, how)
    agui.check_run(events)
    (result,) = agui.of(events, "TOOL_CALL_RESULT")
    assert result["content"] == "no answer came" and result["metadata"]["isError"] is True


def test_an_error_says_its_code_and_where_the_log_has_it_and_no_more() -> None:
    *_, error = Adapter("t", "r").failed("failed", "It broke.", "c0ffee")
    assert error == {
        "type": "RUN_ERROR",
        "message": "It broke.",
        "code": "failed",
        "metadata": {"correlation": "c0ffee"},
    }


def test_a_run_that_nobody_asked_for_has_no_message() -> None:
    (own,), (asked,) = Adapter("t", "r").started(AT, None), Adapter("t", "r").started(AT, ("m", "why?"))
    assert "input" not in own and asked["input"]["messages"] == [{"id": "m", "role": "user", "content": "why?"}]
    assert own["metadata"] == asked["metadata"] == {"at": AT}
