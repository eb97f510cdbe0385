"""Execute: claim the approved proposal once and hand it, with its grant, to the server that checks both again."""

from __future__ import annotations

import asyncio
from typing import Any

from langgraph.runtime import Runtime

from agent.core.display import one_line
from agent.core.errors import CountersignError
from agent.core.lifecycle import State as Standing
from agent.core.proposal import AGENT
from agent.nodes.context import Context, State

POLL_SECONDS = 0.5
POLLS = 240
RESULTS = {
    "finished": Standing.EXECUTED,
    "failed": Standing.FAILED,
    "refused": Standing.STALE,
    "unknown": Standing.UNKNOWN,
}


async def execute(state: State, runtime: Runtime[Context]) -> State:
    """Run the fix at most once. After a crash this station runs again: then it asks what became of the operation."""
    context, name = runtime.context, state["digest"]
    mine = context.journal.claim(context.stamp(), name, AGENT)
    stored = context.journal.proposal(name)
    if not mine and stored.state is not Standing.EXECUTING:
        return {}
    context.say(
        "state",
        digest=name,
        state="executing",
        says=f"{stored.proposal.action} on {stored.proposal.target}, approved by {stored.approver}",
    )
    context.journal.move_incident(context.stamp(), state["incident"], "executing", AGENT, digest=name)
    try:
        answer = await context.acting.execute(name, stored.proposal.to_json(), stored.grant)
    except CountersignError as error:
        # Not answered is not the same as not done. Only the server's own journal can tell.
        answer = {"state": "unknown", "reason": str(error)}
    answer = await _settled(context, name, answer)
    to = RESULTS.get(str(answer.get("state")), Standing.UNKNOWN)
    outcome = {
        key: answer[key]
        for key in ("code", "reason", "before", "after", "started_at", "finished_at")
        if answer.get(key)
    }
    context.journal.finish(context.stamp(), name, to, AGENT, outcome)
    context.say("state", digest=name, state=str(to), says=one_line(str(answer.get("reason") or ""), 400))
    return {}


async def _settled(context: Context, name: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Return the final word on an operation that is running or was not answered, as far as there is one."""
    for _ in range(POLLS):
        if answer.get("state") not in {"running", "unknown"} or (
            answer.get("operation_id") and (answer["state"] == "unknown")
        ):
            return answer
        try:
            known = await context.acting.operation(name)
        except CountersignError as error:
            return {"state": "unknown", "reason": f"{answer.get('reason', '')}; then: {error}"}
        if known["state"] == "unseen":
            # The server never began: the call was lost on the way, and this proposal may not be asked for twice here.
            return {"state": "failed", "reason": f"nothing was run: {answer.get('reason', 'the call did not arrive')}"}
        answer = known
        if known["state"] == "running":
            await asyncio.sleep(POLL_SECONDS)
    return answer


def was_executed(state: State, context: Context) -> bool:
    """True when there is something to verify."""
    return context.journal.proposal(state["digest"]).state is Standing.EXECUTED
