"""Rehearse: let the remediation server show what the fix would change, and freeze exactly that into a proposal."""

from __future__ import annotations

import json
from typing import Any

from langgraph.runtime import Runtime

from agent.core.display import inert, one_line
from agent.core.errors import CountersignError
from agent.core.evidence import summary
from agent.core.lifecycle import GOES_ON
from agent.core.policy import who_may
from agent.core.proposal import AGENT, Effect, Expectation, Proposal, digest
from agent.core.verdict import Diagnosis
from agent.gateway.pins import pinned_digest
from agent.nodes.context import Context, State, observations, stamp
from agent.nodes.propose import chosen_fix, without_fix


async def rehearse(state: State, runtime: Runtime[Context]) -> State:
    """Store the proposal and return its digest, or the diagnosis without a fix when the target says otherwise."""
    context = runtime.context
    already = context.journal.current(state["incident"])
    if already is not None and already.state in GOES_ON:
        return {"digest": already.digest}  # this station ran before and died after it had put up the proposal
    fix = chosen_fix(state)
    assert fix is not None
    diagnosis = Diagnosis.from_json(state["diagnosis"])
    context.say("step", name="rehearse", says="rehearsing the fix on the real target, changing nothing")
    try:
        seen = await context.acting.rehearse(fix.action, fix.target, fix.params)
    except CountersignError as error:
        return {"diagnosis": without_fix(diagnosis, f"it could not be rehearsed ({error})").to_json()}
    if not seen["precondition"]["met"]:
        return {
            "diagnosis": without_fix(
                diagnosis,
                f"the target is not in the state that the fix needs ({one_line(seen['precondition']['says'])})",
            ).to_json()
        }
    if not seen["changes"]:
        return {"diagnosis": without_fix(diagnosis, "the rehearsal shows that it would change nothing").to_json()}
    now = context.now()
    proposal = Proposal(
        incident=state["incident"],
        action=fix.action,
        target=fix.target,
        params=fix.params,
        risk=seen["risk"],
        precondition=seen["precondition"]["says"],
        effect=Effect(before=seen["before"], after=seen["after"]),
        expect=[Expectation.model_validate(one) for one in seen["expect"]],
        undo=seen["undo"],
        catalogue=seen["catalogue"],
        tools=pinned_digest(),
        author=AGENT,
        requester=one_line(state.get("requester", ""), 120) or "unknown",
        created_at=stamp(now),
        expires_at=stamp(now + context.proposal_life),
        nonce=context.nonce(),
    )
    name = context.journal.propose(context.stamp(), proposal, _beside(state, context, diagnosis, seen, proposal))
    context.journal.move_incident(context.stamp(), state["incident"], "awaiting_approval", AGENT, digest=name)
    assert name == digest(proposal.to_json())
    return {"digest": name}


def _beside(
    state: State, context: Context, diagnosis: Diagnosis, seen: dict[str, Any], proposal: Proposal
) -> dict[str, Any]:
    """Return what stands on the card beside the envelope: why, evidence, sources, the readable difference."""
    cause = diagnosis.causes[0]
    by_id = {one.id: one for one in observations(state)}
    target = context.estate.services[proposal.target]
    against = [f"{other.says} ({other.standing})" for other in diagnosis.causes[1:]]
    plain: dict[str, Any] = json.loads(
        json.dumps(
            {
                "why": cause.says,
                "standing": cause.standing,
                "page": cause.page,
                "title": next((s["title"] for s in state["sources"] if s["page"] == cause.page), cause.page),
                "evidence": [
                    f"{one} {by_id[one].check.tool} {by_id[one].check.service}: {summary(by_id[one])}"
                    for one in cause.evidence
                    if one in by_id
                ],
                "other_causes": against,
                "diff": inert(seen.get("diff", ""), 8000),
                "owner": target.owner,
                "rehearsed_at": seen.get("observed_at", ""),
                "may_approve": list(who_may(proposal, target)),
                "ticket": state.get("ticket", ""),
                "subject": state["subject"],
                "missing": list(state.get("missing", [])),
            }
        )
    )
    return plain
