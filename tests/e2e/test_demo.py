"""`countersign demo` as a script meets it: exit codes, events, refusals, two at once."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.world import Demo, countersign, operations


def test_the_story_ends_with_code_0_only_after_a_verified_fix(place: Path) -> None:
    demo = Demo(place, "--approve-as", "dana.meyer", "--json")
    assert demo.wait() == 0, demo.text()
    events = [json.loads(line) for line in demo.text().splitlines()]
    result = events[-1]
    assert result["event"] == "result" and result["state"] == "verified" and result["service_well"] is True
    kinds = [event["event"] for event in events]
    order = [kinds.index(kind) for kind in ("service", "source", "check", "diagnosis", "card", "verify", "result")]
    assert order == sorted(order), "sources come before checks, the card before anything is done"
    assert operations(place) == ["finished"]


def test_without_a_terminal_it_stops_at_the_card_with_code_3_and_changes_nothing(place: Path) -> None:
    demo = Demo(place)
    assert demo.wait() == 3, demo.text()
    assert "Proposed fix for INC-0001" in demo.text() and "nothing was changed" in demo.text()
    assert operations(place) == []


def test_whoever_reported_the_trouble_cannot_approve_a_medium_fix(place: Path) -> None:
    demo = Demo(place, "--fault", "config-broken", "--approve-as", "ines.costa")
    assert demo.wait() == 2, demo.text()
    assert "ines.costa is not an approver" in demo.text() and "Traceback" not in demo.text()
    assert operations(place) == []


def test_a_second_demo_runs_beside_the_first_and_one_folder_holds_one(place: Path) -> None:
    home = place / "h"
    home.mkdir(mode=0o711)
    first = Demo(place, "--approve-as", "dana.meyer", home=home)
    first.says("Starting a small estate")
    refused = countersign("demo", "--script", "--dir", str(home / "demo"), home=home)
    assert refused.returncode == 2 and "another demo is running" in refused.stderr
    second = Demo(place, "--approve-as", "dana.meyer", "--fault", "database-locked", home=home)
    assert (first.wait(), second.wait()) == (0, 0), first.text() + second.text()
    assert sorted(one.name for one in home.iterdir()) == ["demo", "demo-2"]


def test_an_unknown_fault_or_estate_is_a_plain_error(place: Path) -> None:
    assert "choose one of" in countersign("demo", "--fault", "nonsense", home=place).stderr
    (place / "estate.yaml").write_text("services: {front: 1}", encoding="utf-8")
    bad = countersign("demo", "--script", "--estate", str(place / "estate.yaml"), home=place)
    assert bad.returncode == 2 and "Traceback" not in bad.stderr and bad.stderr.count("\n") <= 3, bad.stderr


def test_outside_a_demo_no_command_takes_an_approver_or_reads_the_signing_key(place: Path) -> None:
    for command in (["ask"], ["approvals", "approve"], ["doctor"]):
        shown = countersign(*command, "--help", home=place).stdout
        assert "--approve-as" not in shown and "--key" not in shown
    nothing = countersign("approvals", "list", home=place)
    assert nothing.returncode == 2 and "no demo is running" in nothing.stderr
