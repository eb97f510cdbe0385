"""Verify: look again from outside, with the diagnostics server and never with the tool that made the fix."""

from __future__ import annotations

import asyncio
from time import monotonic

from langgraph.runtime import Runtime

from agent.core.evidence import Check, Observation, summary
from agent.core.lifecycle import State as Standing
from agent.core.proposal import AGENT, Proposal
from agent.nodes.context import Context, State, observations

POLL_SECONDS = 0.4


async def verify(state: State, runtime: Runtime[Context]) -> State:
    """Repeat what the proposal expects and what showed the trouble until it is well or the time is up."""
    context, name = runtime.context, state["digest"]
    proposal = context.journal.proposal(name).proposal
    context.say("step", name="verify", says="looking again from outside")
    wanted = _wanted(proposal, state)
    deadline = monotonic() + context.verify_seconds
    while True:
        seen = await context.looking.observe_all(
            {f"V{i + 1}": check for i, (check, _, _) in enumerate(wanted)}, lambda _: None
        )
        answers = [_answer(one, field, equals) for one, (_, field, equals) in zip(seen, wanted, strict=True)]
        if all(answers) or monotonic() >= deadline:
            break
        await asyncio.sleep(POLL_SECONDS)
    to = (
        Standing.VERIFIED
        if answers and all(answers)
        else Standing.NOT_VERIFIED
        if any(answer is False for answer in answers)
        else Standing.INCONCLUSIVE
    )
    checks = [
        {
            "id": one.id,
            "tool": one.check.tool,
            "service": one.check.service,
            "ok": answer is True,
            "known": answer is not None,
            "says": summary(one),
        }
        for one, answer in zip(seen, answers, strict=True)
    ]
    for check in checks:
        context.say("verify", **check)
    context.journal.finish(context.stamp(), name, to, AGENT, {"checks": checks})
    context.say("state", digest=name, state=str(to), says="")
    return {}


def _wanted(proposal: Proposal, state: State) -> list[tuple[Check, str, object]]:
    """Return each check once, with the field that must hold and its value: the proposal's, then the symptoms'."""
    wanted: dict[str, tuple[Check, str, object]] = {}
    for one in proposal.expect:
        check = Check.of(one.tool, **one.args)
        wanted[f"{check.key}/{one.field}"] = (check, one.field, one.equals)
    for seen in observations(state):
        field = {"check_http": "ok", "check_tcp": "open"}.get(seen.check.tool)
        # What could not be looked at before cannot show that anything got better.
        if field and seen.result is not None and (not seen.result.get(field) or seen.check.service == state["service"]):
            wanted.setdefault(f"{seen.check.key}/{field}", (seen.check, field, True))
    return list(wanted.values())


def _answer(seen: Observation, field: str, equals: object) -> bool | None:
    """Return whether the field holds, None when the check could not be made."""
    if seen.result is None:
        return None
    value: object = seen.result
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value == equals
