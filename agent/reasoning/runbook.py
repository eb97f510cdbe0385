"""Reasoning with runbooks alone: the pages' own checks, conditions and causes, over what was really observed.

No key and no model. Every relevant page is applied to every service the incident is about, the one complained about
and all that it depends on; a condition that could not be decided is said to be so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agent.core.estate import NEEDS, Estate, Service
from agent.core.evidence import Check, Observation
from agent.core.verdict import Cause, Diagnosis, Fix, Truth, judge, outlook
from agent.reasoning.reasoner import Case, Page
from knowledge import conditions
from knowledge.documents import section
from knowledge.references import NotKnown, fill, resolve
from knowledge.runbook import Cause as PageCause
from knowledge.runbook import Runbook

_TRUTH = {
    conditions.Truth.TRUE: Truth.TRUE,
    conditions.Truth.FALSE: Truth.FALSE,
    conditions.Truth.UNKNOWN: Truth.NOT_KNOWN,
}
BY_HAND = "What to do by hand"
"""The heading that is quoted where a cause names no other."""


class RunbookReasoner:
    """Applies runbooks to services; see the module."""

    name = "runbooks"

    async def plan(self, case: Case) -> tuple[Check, ...]:
        """Return the outside and inside look at every service in scope, and the checks of every relevant page."""
        wanted = dict.fromkeys(_first_look(case.estate, case.estate.scope(case.service)))
        for page, service in _bindings(case):
            for check in _checks(_runbook(page), service.name, case.estate).values():
                if check is not None:
                    wanted[check] = None
        return tuple(wanted)

    async def diagnose(self, case: Case) -> Diagnosis:
        """Evaluate every cause of every relevant page on every service in scope, and judge."""
        scope = case.estate.scope(case.service)
        by_key = {one.check.key: one for one in case.observations}
        causes = [cause for page, service in _bindings(case) for cause in _evaluate(page, service, case, by_key)]
        return judge(
            case.service, outlook(scope, case.observations), causes, (), any(page.relevant for page in case.pages)
        )


def _runbook(page: Page) -> Runbook:
    assert page.document.executable is not None
    return page.document.executable


def _bindings(case: Case) -> Iterator[tuple[Page, Service]]:
    for page in case.pages:
        if not page.relevant or page.document.executable is None:
            continue
        for name in case.estate.scope(case.service):
            service = case.estate.services[name]
            if page.document.executable.may_serve(service.kind):
                yield page, service


def _first_look(estate: Estate, scope: tuple[str, ...]) -> Iterator[Check]:
    """From outside as a user would, and what the supervisor says, for whatever the inventory knows how to reach."""
    for name in scope:
        facets = estate.services[name].facets
        if "health" in facets:
            yield Check.of("check_http", service=name)
        elif "listen" in facets:
            yield Check.of("check_tcp", service=name)
        if "supervisor" in facets:
            yield Check.of("service_status", service=name)


def _checks(runbook: Runbook, service: str, estate: Estate) -> dict[str, Check | None]:
    """Return the page's checks with its blanks filled; None where there is nothing here for it to look at."""
    filled: dict[str, Check | None] = {}
    for name, check in runbook.checks.items():
        try:
            args = {
                key: resolve(value, service=service, observations={}, nearest=_nearest(estate, service))
                for key, value in check.args.items()
            }
        except NotKnown:
            filled[name] = None
            continue
        looked_at = estate.services.get(str(args.get("service", "")))
        needs = NEEDS.get(check.tool)
        applies = looked_at is not None and (needs is None or needs in looked_at.facets)
        filled[name] = Check.of(check.tool, **args) if applies else None
    return filled


def _nearest(estate: Estate, service: str) -> Any:
    return lambda kind: estate.nearest(service, kind)


def _evaluate(page: Page, service: Service, case: Case, by_key: Mapping[str, Observation]) -> Iterator[Cause]:
    runbook = _runbook(page)
    asked = _checks(runbook, service.name, case.estate)
    made = {name: by_key[check.key] for name, check in asked.items() if check is not None and check.key in by_key}
    # A check that failed to run is left out, never null: what was not seen is not known, and never false.
    seen: dict[str, dict[str, Any]] = {name: one.result for name, one in made.items() if one.result is not None}
    nearest = _nearest(case.estate, service.name)
    for cause in runbook.causes:
        verdict = cause.condition.evaluate(seen)
        truth = _TRUTH[verdict.truth]
        lacking = [_lacking(name, asked.get(name), made.get(name), service.name) for name in verdict.missing]
        if truth is Truth.NOT_KNOWN and all(asked.get(name) is None for name in verdict.missing) and verdict.missing:
            continue  # the page speaks of a kind of service that there is not: it does not apply here
        fix, trouble = _fix(cause, service.name, seen, nearest)
        yield Cause(
            id=cause.id,
            page=page.document.id,
            service=service.name,
            truth=truth,
            says=fill(cause.says, service=service.name, observations=seen, nearest=nearest),
            evidence=tuple(made[name].id for name in cause.condition.checks if name in made and name in seen),
            decided_by=tuple(lacking)
            + ((verdict.reason,) if truth is Truth.NOT_KNOWN and not lacking else ())
            + trouble,
            fix=fix,
            steps=_steps(page, cause) if fix is None else "",
            page_score=page.score,
            depth=case.estate.depth(case.service, service.name),
        )


def _lacking(name: str, check: Check | None, one: Observation | None, service: str) -> str:
    if check is None:
        return f"the page's check `{name}` has nothing to look at for {service}"
    why = f" ({one.error})" if one is not None and one.error else ""
    return f"{check.tool} on {check.service}{why}"


def _fix(
    cause: PageCause, service: str, seen: Mapping[str, Mapping[str, Any]], nearest: Any
) -> tuple[Fix | None, tuple[str, ...]]:
    """Return the fix with every blank filled from what was observed; none, and why, where one is not known."""
    if cause.fix is None:
        return None, ()
    try:
        target = resolve(cause.fix.target, service=service, observations=seen, nearest=nearest)
        params = {
            key: resolve(value, service=service, observations=seen, nearest=nearest)
            for key, value in cause.fix.args.items()
        }
    except NotKnown as unknown:
        return None, (f"for {cause.fix.action}: {unknown}",)
    return Fix(cause.fix.action, str(target), params), ()


def _steps(page: Page, cause: PageCause) -> str:
    return section(page.document, cause.steps or BY_HAND) or ""
