"""Await approval: the interrupt is a doorbell. Whoever rings, the journal alone says what was decided."""

from __future__ import annotations

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agent.core.lifecycle import State as Standing
from agent.nodes.context import Context, State


async def await_approval(state: State, runtime: Runtime[Context]) -> State:
    """Wait until the journal holds a decision; what a resume call carries is ignored."""
    context = runtime.context
    while True:
        context.journal.expire(context.stamp())
        if context.journal.proposal(state["digest"]).state is not Standing.AWAITING:
            return {}
        interrupt({"digest": state["digest"]})


def may_execute(state: State, context: Context) -> bool:
    """True when the journal says approved, or that execution had begun or ended before a crash."""
    return context.journal.proposal(state["digest"]).state in {Standing.APPROVED, Standing.EXECUTING, Standing.EXECUTED}
