"""The gate: every refusal of the contract, any changed byte, and each check shown to be needed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_servers.remediation import gate
from mcp_servers.remediation.gate import CHECKS, LOOK_CHECKS, Refused, admit
from tests.mcp_servers.remediation.fakes import Clock, FakeTarget, as_rehearsed, execute, executor, trust
from tests.vectors import grant_world

VECTORS: dict[str, Any] = json.loads(grant_world.FILE.read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = VECTORS["cases"]
GOOD = CASES[0]
TRUST = trust(VECTORS)
ALONE = {case["check"]: case for case in CASES if "check" in case}


def named(case: Any) -> str:
    return str(case["name"])


def test_the_file_of_grants_is_what_its_program_writes() -> None:
    assert grant_world.document() == VECTORS


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_gate_answers_as_the_contract_says(case: dict[str, Any]) -> None:
    said = "admitted"
    try:
        admit(case["operation_id"], case["proposal"], case["token"], TRUST, grant_world.NOW)
    except Refused as refusal:
        said = refusal.code
        assert refusal.reason.endswith(".")
        assert "\n" not in refusal.reason
    assert said == case["expect"]


@pytest.mark.parametrize("case", CASES, ids=named)
def test_only_an_admitted_operation_touches_the_target(case: dict[str, Any], tmp_path: Path) -> None:
    outcome, target = execute(tmp_path, case)
    admitted = case["expect"] == "admitted"
    assert outcome.state == ("finished" if admitted else "refused")
    assert len(target.acts) == (1 if admitted else 0)


def test_every_check_has_a_case_that_it_alone_refuses() -> None:
    assert set(ALONE) == {check.__name__.removeprefix("check_") for check in CHECKS}


@pytest.mark.parametrize("name", ALONE)
def test_without_this_check_an_effect_happens_that_should_not(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, untouched = execute(tmp_path, ALONE[name])
    assert (refused.state, untouched.acts) == ("refused", [])

    monkeypatch.setattr(gate, "CHECKS", tuple(check for check in CHECKS if check.__name__ != f"check_{name}"))
    if name == "expiry":  # asked twice: at the door, and after the look
        monkeypatch.setattr(gate, "LOOK_CHECKS", _without("check_still_in_time"))
    done, touched = execute(tmp_path, ALONE[name])
    assert (done.state, len(touched.acts)) == ("finished", 1)


def _without(name: str) -> tuple[gate.LookCheck, ...]:
    return tuple(check for check in LOOK_CHECKS if check.__name__ != name)


LATE = timedelta(minutes=6)
LOOKS: dict[str, dict[str, Any]] = {
    "check_unchanged": {"before": {"state": "failed"}},
    "check_undo_unchanged": {"undo": {"revision": "0000000"}},
    "check_still_in_time": {},
}


@pytest.mark.parametrize("name", LOOKS)
def test_without_the_second_look_an_effect_happens_that_should_not(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = GOOD["proposal"]

    def attempt(directory: Path) -> tuple[str, int]:
        directory.mkdir()
        target = FakeTarget(as_rehearsed(proposal, **LOOKS[name]), acted=as_rehearsed(proposal))
        late = LATE if name == "check_still_in_time" else timedelta()
        clock = Clock(grant_world.NOW, grant_world.NOW + late)
        outcome = executor(directory, target, clock).execute(GOOD["operation_id"], proposal, GOOD["token"])
        return outcome.state, len(target.acts)

    assert attempt(tmp_path / "with") == ("refused", 0)
    monkeypatch.setattr(gate, "LOOK_CHECKS", _without(name))
    assert attempt(tmp_path / "without") == ("finished", 1)


def test_the_second_look_has_a_case_for_each_of_its_checks() -> None:
    assert set(LOOKS) == {check.__name__ for check in LOOK_CHECKS}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, (*path, index))
    else:
        yield path


PLACES = list(_places(GOOD["proposal"]))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_one_changed_byte_anywhere_in_the_proposal_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(PLACES))
    changed = copy.deepcopy(GOOD["proposal"])
    holder: Any = changed
    for step in place[:-1]:
        holder = holder[step]
    value = holder[place[-1]]
    if isinstance(value, bool):
        new: Any = not value
    elif isinstance(value, int):
        new = value + data.draw(st.sampled_from([1, -1]))
    else:
        index = data.draw(st.integers(0, max(len(value) - 1, 0)))
        other = data.draw(st.characters(exclude_categories=["Cs"]))
        new = value[:index] + other + value[index + 1 :]
    holder[place[-1]] = new
    if new == value:
        return
    with pytest.raises(Refused):
        admit(GOOD["operation_id"], changed, GOOD["token"], TRUST, grant_world.NOW)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD["token"]) - 1), st.sampled_from("ABCxyz019-_.="))
def test_one_changed_character_anywhere_in_the_grant_is_refused(index: int, other: str) -> None:
    token = GOOD["token"]
    changed = token[:index] + other + token[index + 1 :]
    # The last character of a base64url part may carry bits that mean nothing; that is the same signature.
    if changed == token or index == len(token) - 1:
        return
    with pytest.raises(Refused):
        admit(GOOD["operation_id"], GOOD["proposal"], changed, TRUST, grant_world.NOW)


@given(st.text(max_size=300) | st.just(GOOD["token"] * 3))
def test_no_text_in_place_of_a_grant_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(Refused):
        admit(GOOD["operation_id"], GOOD["proposal"], text, TRUST, grant_world.NOW)
