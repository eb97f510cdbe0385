"""The card: what will run comes from the proposal alone, and what was shown has a fingerprint of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.card import for_person, friction, render
from agent.core.estate import Estate, Service
from agent.core.lifecycle import State
from agent.core.proposal import Proposal, digest
from tests.agent.proposals import PORTAL, proposal

NOW = "2026-11-20T10:05:00Z"
GATE = Service(name="gate", kind="web", title="Gate", approvers=("ada",), depends_on=("portal",))
ESTATE = Estate([PORTAL, GATE])
SCHEMA = {"type": "object", "properties": {"revision": {"type": "string", "description": "what to go back to"}}}
BESIDE: dict[str, Any] = {
    "ticket": "T-1",
    "subject": "The portal is down",
    "action_title": "Restore the configuration",
    "why": "the file is broken",
    "diff": "-a\n+b",
    "schema": SCHEMA,
    "may_approve": ["ada", "bo"],
    "seen": [{"id": "E1", "says": "state stopped"}],
}


def card(
    made: Proposal | None = None, beside: Mapping[str, Any] = BESIDE, state: State = State.AWAITING, **more: Any
) -> dict[str, Any]:
    made = made or proposal(params={"revision": "abc1234"})
    return render(made, digest(made.to_json()), beside, state, more.pop("now", NOW), more.pop("estate", ESTATE), **more)


def test_what_would_run_is_shown_whole_and_comes_from_the_proposal_alone() -> None:
    made = proposal(params={"revision": "abc1234", "force": True, "tries": 3})
    shown = card(made, {**BESIDE, "action": "rm", "target": "other", "params": {"revision": "evil"}, "exact": "{}"})
    assert json.loads(shown["exact"]) == {"action": made.action, "params": made.params, "target": made.target}
    told = {one["name"]: one["value"] for one in shown["params"]}
    assert told == {"revision": "abc1234", "force": "true", "tries": "3"}
    assert shown["args"] == made.params and shown["target"]["name"] == made.target
    assert shown["digest"] == digest(made.to_json()) and shown["short"] == shown["digest"][7:19]
    assert shown["target"]["needed_by"] == ["gate"]


def test_every_change_of_what_was_shown_changes_the_fingerprint() -> None:
    seen = {card()["shown"]}
    for name, value in [
        ("why", "something else"),
        ("diff", "-a\n+c"),
        ("ticket", "T-2"),
        ("subject", "x"),
        ("action_title", "x"),
        ("may_approve", ["ada"]),
        ("seen", []),
        ("missing", ["a check"]),
        ("schema", {}),
    ]:
        seen.add(card(beside={**BESIDE, name: value})["shown"])
    changes: list[dict[str, Any]] = [
        {"params": {"revision": "abc1235"}},
        {"risk": "medium"},
        {"target": "gate"},
        {"requester": "ines"},
        {"author": "ada"},
        {"expires_at": "2026-11-20T10:31:00Z"},
        {"undo": {"cannot": "no"}},
        {"nonce": "1" * 32},
    ]
    for changed in changes:
        seen.add(card(proposal(**{"params": {"revision": "abc1234"}, **changed}))["shown"])
    assert len(seen) == 18


def test_what_happens_to_a_card_leaves_its_fingerprint_alone() -> None:
    decision = {"by": "ada", "at": NOW, "reason": "fine", "state": "approved"}
    later = card(state=State.VERIFIED, now="2026-11-20T10:20:00Z", decision=decision, outcome={"finished_at": NOW})
    assert later["shown"] == card()["shown"] == card(successor="sha256:00")["shown"]
    assert (later["state"], later["decision"], later["outcome"]["finished_at"]) == ("verified", decision, NOW)
    assert card()["decision"] is card()["outcome"] is card()["successor"] is None
    assert card(decision={"by": "", "at": "", "reason": "", "state": "awaiting"})["decision"] is None


def test_the_effect_is_what_differs_and_nothing_that_differs_is_called_unchanged() -> None:
    effect = {
        "before": {"state": "stopped", "lock": True, "file": "a", "owner": "web"},
        "after": {"state": "running", "file": "a", "owner": "web", "pid": 7},
    }
    shown = card(proposal(effect=effect))
    assert shown["effect"] == [
        {"name": "state", "before": "stopped", "after": "running"},
        {"name": "lock", "before": "true", "after": "-"},
        {"name": "pid", "before": "-", "after": "7"},
    ]
    assert shown["unchanged"] == [{"name": "file", "value": "a"}, {"name": "owner", "value": "web"}]


VALUES = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(-9, 9) | st.booleans(), max_size=4)


@given(VALUES, VALUES)
def test_every_fact_of_a_rehearsal_is_on_the_card_once(before: dict[str, Any], after: dict[str, Any]) -> None:
    shown = card(proposal(effect={"before": before, "after": after}))
    names = [one["name"] for one in (*shown["effect"], *shown["unchanged"])]
    assert sorted(names) == sorted({*before, *after})


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\u2066", "\ufeff", "\u00ad", "\u2028", "\x7f"])
def test_characters_that_nobody_sees_are_told(character: str) -> None:
    assert card(proposal(params={"revision": f"abc{character}1234"}))["hidden_characters"] is True


@pytest.mark.parametrize("value", ["abc1234", "Straße 7, \u4e2d\u6587", "a\tb"])
def test_plain_text_is_not_taken_for_hidden(value: str) -> None:
    assert card(proposal(params={"revision": value}))["hidden_characters"] is False


def test_friction_grows_with_risk() -> None:
    low, medium, high = friction("low"), friction("medium"), friction("high")
    assert low == {"page_only": False, "type_target": False, "wait_ms": 0, "see_all": False}
    assert medium == {"page_only": False, "type_target": False, "wait_ms": 600, "see_all": True}
    assert high == {"page_only": True, "type_target": True, "wait_ms": 600, "see_all": True}


def test_what_cannot_be_undone_says_so_and_what_can_says_how() -> None:
    cannot, can = card(), card(proposal(undo={"action": "stop_service", "target": "portal", "params": {"a": 1}}))
    assert (cannot["undo"]["possible"], cannot["risk"]["reversible"]) == (False, False)
    assert cannot["undo"]["says"] == "a start has nothing to give back"
    assert (can["undo"]["possible"], can["undo"]["says"]) == (True, "stop_service on portal (a 1)")
    assert card()["checks_afterwards"] == ["service_status portal: state is running"]


def test_only_an_action_with_parameters_can_be_edited() -> None:
    assert card()["editable"] == SCHEMA and card(beside={**BESIDE, "schema": {}})["editable"] is None
    assert card()["params"][0]["description"] == "what to go back to"
    assert card()["edited"] is False and card(proposal(author="bo"))["edited"] is True


def test_a_service_that_left_the_inventory_leaves_a_card_that_nobody_can_decide() -> None:
    shown = card(estate=Estate([GATE]))
    assert shown["target"]["name"] == "portal" and shown["target"]["owner"] == ""
    you = for_person(proposal(), State.AWAITING, "ada", Estate([GATE]))
    assert not you["may_approve"] and not you["may_reject"] and "not in the inventory" in you["why_not"]


@pytest.mark.parametrize(
    ("risk", "person", "approve", "reject"),
    [
        ("low", "ada", True, True),
        ("low", "cy", True, True),
        ("low", "rita", False, True),
        ("low", "mallory", False, False),
        ("low", "countersign", False, False),
        ("medium", "ada", True, True),
        ("medium", "cy", False, True),
        ("medium", "rita", False, True),
        ("high", "ada", False, True),
    ],
)
def test_each_person_is_told_what_they_may_do_and_why_not(risk: str, person: str, approve: bool, reject: bool) -> None:
    you = for_person(proposal(risk=risk), State.AWAITING, person, ESTATE)
    assert (you["may_approve"], you["may_reject"], you["may_edit"]) == (approve, reject, reject)
    assert bool(you["why_not"]) != approve and you["sign_in"] is False
    over = for_person(proposal(risk=risk), State.VERIFIED, person, ESTATE)
    assert over == {"may_approve": False, "why_not": "", "may_reject": False, "may_edit": False, "sign_in": False}


def test_whoever_came_in_by_a_way_that_decides_nothing_is_told_so_and_what_would_help() -> None:
    you = for_person(proposal(), State.AWAITING, "ada", ESTATE, "a page's own token decides nothing", sign_in=True)
    assert you == {
        "may_approve": False,
        "why_not": "a page's own token decides nothing",
        "may_reject": False,
        "may_edit": False,
        "sign_in": True,
    }
