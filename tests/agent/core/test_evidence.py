"""What an observation is told as: the telling fields, and False among them."""

from __future__ import annotations

from agent.core.evidence import Check, Observation, summary


def test_a_no_is_told_and_what_is_absent_is_not() -> None:
    result = {"service": "web", "ok": False, "status": 502, "error": "", "latency_ms": 0, "inner": {"valid": False}}
    seen = Observation("E1", Check.of("check_http", service="web"), "2026-11-20T10:00:00Z", 1, result=result)
    assert summary(seen) == "ok false; status 502; inner valid False"


def test_a_check_that_was_not_made_says_why() -> None:
    seen = Observation("E1", Check.of("check_http", service="web"), "2026-11-20T10:00:00Z", 1, error="it hung")
    assert summary(seen) == "could not be made: it hung"


def test_an_observation_survives_its_way_through_plain_json() -> None:
    seen = Observation("E1", Check.of("check_http", service="web"), "2026-11-20T10:00:00Z", 1, result={"ok": True})
    assert Observation.from_json(seen.to_json()) == seen
