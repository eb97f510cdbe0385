"""Reason: ask the reasoner whether it needs to see more, and otherwise for its verdict."""

from __future__ import annotations

from langgraph.runtime import Runtime

from agent.core.verdict import Diagnosis, Outcome
from agent.nodes.case import case_of
from agent.nodes.context import State
from agent.nodes.investigation import Investigation
from agent.nodes.recall import may_search_again

MOST_ROUNDS = 3


async def reason(state: State, runtime: Runtime[Investigation]) -> State:
    """Return the diagnosis, or where to go again: to more checks, or to another search."""
    context = runtime.context
    diagnosis = _without_looking(state, context)
    if diagnosis is None:
        case = case_of(state, context)
        done = {one.check.key for one in case.observations}
        if state["rounds"] < MOST_ROUNDS and any(check.key not in done for check in await context.reasoner.plan(case)):
            return {"again": "investigate"}
        diagnosis = await context.reasoner.diagnose(case)
        if diagnosis.outcome in {Outcome.UNDECIDED, Outcome.NO_PAGE} and may_search_again(state):
            return {"again": "recall"}
    context.say("diagnosis", **diagnosis.to_json())
    context.journal.append(
        context.stamp(),
        "countersign",
        state["incident"],
        "diagnosed",
        {
            "outcome": diagnosis.outcome,
            "reasoner": diagnosis.reasoner,
            "causes": [f"{cause.page}/{cause.id} on {cause.service}: {cause.truth}" for cause in diagnosis.causes],
            "pages": [f"{source['page']}@{source['digest']}" for source in state["sources"] if source["relevant"]],
        },
    )
    return {"diagnosis": diagnosis.to_json()}


def after_reason(state: State) -> str:
    """Return where to go: on with a verdict, else to more checks or to another search."""
    return "propose" if state.get("diagnosis") else state["again"]


def _without_looking(state: State, context: Investigation) -> Diagnosis | None:
    """Return the verdict where there is nothing to look at: no text, or no service that we know."""
    if not state["subject"].strip() and not state["body"].strip():
        return Diagnosis(
            Outcome.NOTHING_TO_READ,
            "The ticket has no text, so there is nothing to go by. Please say what fails, since when, and for whom.",
        )
    if state["service"]:
        return None
    known = ", ".join(sorted(context.estate.services))
    if state["asked_for"]:
        return Diagnosis(
            Outcome.NO_SERVICE,
            f"The service {state['asked_for']} is not in the inventory, so nothing was "
            f"looked at. The inventory has: {known}.",
        )
    relevant = [source for source in state["sources"] if source["relevant"]]
    if relevant:
        looked = "no system was looked at" if not state["observations"] else "what users see was looked at from outside"
        return Diagnosis(
            Outcome.PAGE,
            f"The ticket names no service of the inventory, so {looked}; "
            f"the page {relevant[0]['page']} ({relevant[0]['title']}) is about it.",
        )
    return Diagnosis(
        Outcome.NO_SERVICE,
        "The ticket names no service of the inventory and no page fits it, so nothing "
        f"was looked at. Name one of: {known}.",
    )
