"""Investigate: make the read-only checks that were asked for, side by side, each question once."""

from __future__ import annotations

from langgraph.runtime import Runtime

from agent.core.evidence import Check
from agent.nodes.case import case_of
from agent.nodes.context import State, say_check, say_checking
from agent.nodes.investigation import Investigation

MOST_CHECKS = 60
"""Checks of one incident, all rounds together; what is beyond is named as not looked at."""


async def investigate(state: State, runtime: Runtime[Investigation]) -> State:
    """Return the observations so far with the answers to the reasoner's next questions added."""
    context = runtime.context
    case = case_of(state, context)
    done = {one.check.key for one in case.observations}
    wanted: dict[str, Check] = {}
    for check in await context.reasoner.plan(case):
        if check.key not in done and check.key not in {one.key for one in wanted.values()}:
            wanted[f"E{len(done) + len(wanted) + 1}"] = check
    missing = list(state.get("missing", []))
    room = MOST_CHECKS - len(done)
    if len(wanted) > room:
        missing.append(f"{len(wanted) - room} further checks were not made: the limit is {MOST_CHECKS} for an incident")
        wanted = dict(list(wanted.items())[:room])
    if wanted:
        context.say("step", name="investigate", says=f"looking at the systems, {len(wanted)} checks, read only")
    say_checking(context, wanted)
    made = await context.looking.observe_all(wanted, lambda one: say_check(context, one))
    return {
        "observations": [*state.get("observations", []), *(one.to_json() for one in made)],
        "rounds": state.get("rounds", 0) + 1,
        "missing": missing,
    }
