"""Propose: turn the chosen cause into one action of the catalogue, with typed parameters; nothing else is possible."""

from __future__ import annotations

from langgraph.runtime import Runtime

from agent.core.verdict import Diagnosis, Fix, Outcome
from agent.nodes.context import Context, State


async def propose(state: State, runtime: Runtime[Context]) -> State:
    """Check that the fix is within the incident's scope; leave the diagnosis without a proposal when it is not."""
    context = runtime.context
    diagnosis = Diagnosis.from_json(state["diagnosis"])
    cause = diagnosis.chosen
    if cause is None or cause.fix is None:
        return {}
    scope = context.estate.scope(state["service"])
    if cause.fix.target not in scope:
        # What may be acted on follows from the ticket's service and the inventory, never from text.
        return {
            "diagnosis": without_fix(
                diagnosis, f"the fix would act on {cause.fix.target}, which this incident is not about"
            ).to_json()
        }
    context.say("step", name="propose", says=f"{cause.fix.action} on {cause.fix.target}")
    return {}


def chosen_fix(state: State) -> Fix | None:
    """Return the fix that is to be rehearsed, when there is one."""
    cause = Diagnosis.from_json(state["diagnosis"]).chosen
    return cause.fix if cause else None


def without_fix(diagnosis: Diagnosis, why: str) -> Diagnosis:
    """Return the diagnosis with its causes, but proposing nothing, and say why."""
    return Diagnosis(
        Outcome.UNDECIDED,
        f"{diagnosis.says} No fix is proposed: {why}.",
        diagnosis.causes,
        diagnosis.missing,
        diagnosis.reasoner,
        diagnosis.ruled_out,
    )
