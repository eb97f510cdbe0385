"""The verdict: a suggestion only from what was really observed, and none where the evidence does not carry one."""

from __future__ import annotations

from typing import Any

from agent.core.evidence import Check, Observation
from agent.core.verdict import Cause, Diagnosis, Fix, Outcome, Outlook, Truth, judge, outlook


def seen(tool: str, service: str, **result: Any) -> Observation:
    return Observation(f"E-{tool}-{service}", Check.of(tool, service=service), "2026-11-20T10:00:00Z", 1, result=result)


def unseen(tool: str, service: str) -> Observation:
    return Observation(
        f"E-{tool}-{service}", Check.of(tool, service=service), "2026-11-20T10:00:00Z", 1, error="no answer"
    )


def cause(name: str, truth: Truth, service: str = "api", depth: int = 1, action: str = "restart", **more: Any) -> Cause:
    fix = Fix(action, service, {}) if action else None
    return Cause(name, "RB-1", service, f"{name} on {service}", truth, ("E1",), fix=fix, depth=depth, **more)


ILL = outlook(["web", "api"], [seen("check_http", "web", ok=False), seen("service_status", "api", state="stopped")])


def test_a_confirmed_cause_with_a_fix_is_proposed() -> None:
    verdict = judge("web", ILL, [cause("stopped", Truth.TRUE), cause("other", Truth.FALSE)], (), True)
    assert verdict.outcome is Outcome.FIX
    assert verdict.chosen is not None and verdict.chosen.id == "stopped"
    assert verdict.ruled_out == 1


def test_what_is_not_known_never_carries_a_proposal() -> None:
    verdict = judge("web", ILL, [cause("stopped", Truth.NOT_KNOWN, decided_by=("service_status on api",))], (), True)
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.chosen is None
    assert verdict.causes[0].decided_by == ("service_status on api",)


def test_a_healthy_service_gets_no_proposal_whatever_a_page_says() -> None:
    well = outlook(["web"], [seen("check_http", "web", ok=True), seen("service_status", "web", state="running")])
    assert judge("web", well, [cause("stopped", Truth.TRUE)], (), True).outcome is Outcome.HEALTHY


def test_evidence_that_contradicts_itself_gets_no_proposal() -> None:
    view = outlook(["api"], [seen("check_http", "api", ok=True), seen("service_status", "api", state="stopped")])
    verdict = judge("api", view, [cause("stopped", Truth.TRUE)], (), True)
    assert verdict.outcome is Outcome.CONTRADICTION
    assert "api" in verdict.says


def test_a_service_that_could_not_be_looked_at_is_neither_well_nor_ill() -> None:
    view = outlook(["web"], [unseen("check_http", "web"), unseen("service_status", "web")])
    assert view == Outlook(unseen=("web",))


def test_two_confirmed_causes_with_different_fixes_are_left_to_a_person() -> None:
    rivals = [cause("stopped", Truth.TRUE), cause("broken", Truth.TRUE, action="restore")]
    assert judge("web", ILL, rivals, (), True).outcome is Outcome.UNDECIDED


def test_the_deepest_failing_dependency_explains_the_ones_above() -> None:
    above, below = cause("a", Truth.TRUE, "api", 1), cause("b", Truth.TRUE, "db", 2, "unlock")
    verdict = judge("web", ILL, [above, below], (), True)
    assert verdict.chosen is not None and verdict.chosen.service == "db"


def test_at_most_three_causes_are_told() -> None:
    many = [cause(f"c{number}", Truth.NOT_KNOWN, action=f"act{number}") for number in range(6)]
    assert len(judge("web", ILL, many, (), True).causes) == 3


def test_the_same_fix_from_two_services_above_it_counts_once() -> None:
    twice = [
        cause("lock", Truth.TRUE, "db", 0),
        Cause("lock", "RB-1", "web", "lock", Truth.TRUE, fix=Fix("restart", "db", {})),
    ]
    assert len(judge("web", ILL, twice, (), True).causes) == 1


def test_no_page_and_no_fix_are_said_plainly() -> None:
    assert judge("web", ILL, [], (), False).outcome is Outcome.NO_PAGE
    by_hand = judge("web", ILL, [cause("full", Truth.TRUE, action="", steps="1. Make room.")], (), True)
    assert by_hand.outcome is Outcome.BY_HAND


def test_a_diagnosis_survives_its_way_through_plain_json() -> None:
    verdict = judge("web", ILL, [cause("stopped", Truth.TRUE), cause("full", Truth.NOT_KNOWN, action="")], ("x",), True)
    assert Diagnosis.from_json(verdict.to_json()) == verdict
    assert type(verdict.to_json()["outcome"]) is str
