"""Reasoning with runbooks: each relevant page on each service in scope; what was not seen is never taken for false."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent.core.estate import Estate, Service
from agent.core.evidence import Check, Observation
from agent.core.verdict import Outcome, Truth
from agent.reasoning.reasoner import Case, Page
from agent.reasoning.runbook import RunbookReasoner
from knowledge.documents import read_documents

ALL = frozenset({"health", "listen", "supervisor"})
ESTATE = Estate(
    [
        Service("web", "web", depends_on=("api",), facets=ALL),
        Service("api", "app", depends_on=("db",), facets=ALL),
        Service("db", "postgres", facets=frozenset({"listen", "postgres"})),
    ]
)
PAGE = """---
id: RB-1
title: Does not answer
owner: web
reviewed: 2026-09-01
checks:
  http: {tool: check_http, args: {service: $service}}
  unit: {tool: service_status, args: {service: $service}}
  locks: {tool: postgres_activity, args: {service: $nearest.postgres}}
causes:
  - id: stopped
    says: "$service is stopped"
    when: >-
      !http.ok && unit.state == "stopped"
    fix: {action: restart_service, target: $service}
  - id: locked
    says: "session $locks.blocker.pid blocks"
    when: >-
      locks.waiting > 0
    fix: {action: end_blocking_session, target: $nearest.postgres, args: {pid: $locks.blocker.pid}}
  - id: by-hand
    says: "$service hangs"
    when: >-
      !http.ok && unit.state == "running"
    steps: What to do by hand
---
# Does not answer

## What to do by hand

1. Look at it.
"""


def case(tmp_path: Path, *observations: Observation, relevant: bool = True) -> Case:
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    documents, problems = read_documents([tmp_path])
    assert not problems
    return Case("web", ESTATE, (Page(documents[0], 0.9, relevant),), observations)


def seen(tool: str, service: str, **result: Any) -> Observation:
    return Observation(f"E-{tool}-{service}", Check.of(tool, service=service), "2026-11-20T10:00:00Z", 1, result=result)


def broken(tool: str, service: str) -> Observation:
    return Observation(f"E-{tool}-{service}", Check.of(tool, service=service), "2026-11-20T10:00:00Z", 1, error="hung")


async def test_the_plan_looks_at_every_service_in_scope_and_asks_nothing_twice(tmp_path: Path) -> None:
    plan = await RunbookReasoner().plan(case(tmp_path))
    assert Check.of("check_http", service="web") in plan and Check.of("check_http", service="api") in plan
    assert plan.count(Check.of("postgres_activity", service="db")) == 1
    assert Check.of("check_http", service="db") not in plan, "the inventory has nothing to look at there"
    assert len(plan) == len(set(plan))


async def test_a_page_that_does_not_fit_is_not_reasoned_with(tmp_path: Path) -> None:
    plan = await RunbookReasoner().plan(case(tmp_path, relevant=False))
    assert Check.of("postgres_activity", service="db") not in plan
    verdict = await RunbookReasoner().diagnose(case(tmp_path, seen("check_http", "web", ok=False), relevant=False))
    assert verdict.outcome is Outcome.NO_PAGE


async def test_the_cause_is_found_on_the_service_below_the_one_complained_about(tmp_path: Path) -> None:
    verdict = await RunbookReasoner().diagnose(
        case(
            tmp_path,
            *(seen("check_http", "web", ok=False), seen("service_status", "web", state="running")),
            *(seen("check_http", "api", ok=False), seen("service_status", "api", state="stopped")),
            seen("postgres_activity", "db", waiting=0),
        )
    )
    assert verdict.outcome is Outcome.FIX and verdict.chosen is not None
    assert verdict.chosen.says == "api is stopped"
    assert verdict.chosen.evidence == ("E-check_http-api", "E-service_status-api")
    assert [one.says for one in verdict.causes] == ["api is stopped", "web hangs"]


async def test_a_check_that_failed_is_not_known_and_proposes_nothing(tmp_path: Path) -> None:
    verdict = await RunbookReasoner().diagnose(
        case(tmp_path, seen("check_http", "web", ok=False), broken("service_status", "web"))
    )
    assert verdict.outcome is Outcome.UNDECIDED
    assert all(one.truth is Truth.NOT_KNOWN for one in verdict.causes)
    assert any("service_status on web (hung)" in what for one in verdict.causes for what in one.decided_by)


async def test_a_fix_whose_parameter_was_not_observed_is_not_proposed(tmp_path: Path) -> None:
    verdict = await RunbookReasoner().diagnose(
        case(tmp_path, seen("check_http", "web", ok=False), seen("postgres_activity", "db", waiting=2, blocker={}))
    )
    assert verdict.outcome is Outcome.BY_HAND
    assert verdict.chosen is None


async def test_where_no_action_fits_the_steps_by_hand_are_quoted(tmp_path: Path) -> None:
    verdict = await RunbookReasoner().diagnose(
        case(
            tmp_path,
            *(seen("check_http", "web", ok=False), seen("service_status", "web", state="running")),
            *(seen("check_http", "api", ok=True), seen("service_status", "api", state="running")),
            seen("postgres_activity", "db", waiting=0),
        )
    )
    assert verdict.outcome is Outcome.BY_HAND
    assert verdict.causes[0].steps == "1. Look at it."
