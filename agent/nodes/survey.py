"""Survey: the ticket names no service, yet a page about services fits it. Look at those that users see."""

from __future__ import annotations

from langgraph.runtime import Runtime

from agent.core.evidence import Check
from agent.core.verdict import outlook
from agent.nodes.context import State, say_check, say_checking
from agent.nodes.investigation import Investigation

MOST_SERVICES = 20


async def survey(state: State, runtime: Runtime[Investigation]) -> State:
    """Take the one service that does not answer as it should as the ticket's subject, and say so; otherwise none."""
    context = runtime.context
    seen_by_users = context.estate.user_facing()[:MOST_SERVICES]
    checks = {
        f"E{number}": Check.of("check_http" if "health" in service.facets else "check_tcp", service=service.name)
        for number, service in enumerate(seen_by_users, 1)
    }
    context.say("step", name="survey", says=f"no service is named; looking at the {len(checks)} that users see")
    say_checking(context, checks)
    made = await context.looking.observe_all(checks, lambda one: say_check(context, one))
    ill = outlook([service.name for service in seen_by_users], made).ill
    update: State = {"observations": [one.to_json() for one in made]}
    if len(ill) == 1:
        update["service"] = ill[0]
        update["missing"] = [
            *state.get("missing", []),
            f"the ticket names no service; {ill[0]} was taken because it is the only one that users see failing",
        ]
        context.journal.move_incident(
            context.stamp(), state["incident"], "investigating", "countersign", service=ill[0]
        )
    return update
