"""Rehearse: let the remediation server show what the fix would change, and freeze exactly that into a proposal."""

from __future__ import annotations

import json
from typing import Any

from langgraph.runtime import Runtime

from agent.core.display import inert, one_line
from agent.core.errors import CountersignError
from agent.core.evidence import Observation, summary
from agent.core.lifecycle import GOES_ON
from agent.core.policy import who_may
from agent.core.proposal import AGENT, Effect, Expectation, Proposal, digest
from agent.core.verdict import Diagnosis, Fix
from agent.gateway.pins import pinned_digest
from agent.nodes.context import Context, State, observations, stamp
from agent.nodes.propose import chosen_fix, without_fix


async def rehearse(state: State, runtime: Runtime[Context]) -> State:
    """Store the proposal and return its digest, or the diagnosis without a fix when the target says otherwise."""
    context = runtime.context
    already = context.journal.current(state["incident"])
    if already is not None and already.state in GOES_ON:
        # This station ran before and died after it had put up the proposal, perhaps before the incident said so.
        if context.journal.incident(state["incident"]).state in {"open", "investigating"}:
            context.journal.move_incident(
                context.stamp(), state["incident"], "awaiting_approval", AGENT, digest=already.digest
            )
        return {"digest": already.digest}
    fix = chosen_fix(state)
    assert fix is not None
    diagnosis = Diagnosis.from_json(state["diagnosis"])
    context.say("step", name="rehearse", says="rehearsing the fix on the real target, changing nothing")
    try:
        seen = await context.acting.rehearse(fix.action, fix.target, fix.params)
        promise = await context.acting.action(fix.action)
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
    requester = one_line(state.get("requester", ""), 120) or "unknown"
    proposal = frozen(context, state["incident"], fix, seen, AGENT, requester)
    beside = _beside(state, context, diagnosis, seen, proposal) | about_action(promise, seen)
    name = context.journal.propose(context.stamp(), proposal, beside)
    context.journal.move_incident(context.stamp(), state["incident"], "awaiting_approval", AGENT, digest=name)
    assert name == digest(proposal.to_json())
    return {"digest": name}


def frozen(context: Context, incident: str, fix: Fix, seen: dict[str, Any], author: str, requester: str) -> Proposal:
    """Freeze what was rehearsed into a proposal: another word anywhere is another proposal."""
    now = context.now()
    return Proposal(
        incident=incident,
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
        author=author,
        requester=requester,
        created_at=stamp(now),
        expires_at=stamp(now + context.proposal_life),
        nonce=context.nonce(),
    )


def about_action(promise: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """Return what the card says beside the envelope that comes from the catalogue and the rehearsal."""
    return {
        "action_title": one_line(promise["title"], 120),
        "action_description": one_line(promise["description"], 600),
        "schema": promise["params_schema"],
        "diff": inert(seen.get("diff", ""), 8000),
        "rehearsed_at": seen.get("observed_at", ""),
    }


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
                "seen": [_seen(by_id[one]) for one in cause.evidence if one in by_id],
                "other_causes": against,
                "owner": target.owner,
                "needed_by": context.estate.needed_by(proposal.target),
                "may_approve": list(who_may(proposal, target)),
                "ticket": state.get("ticket", ""),
                "subject": state["subject"],
                "missing": list(state.get("missing", [])),
            }
        )
    )
    return plain


def _seen(one: Observation) -> dict[str, str]:
    """Return an observation as the card shows it."""
    return {
        "id": one.id,
        "tool": one.check.tool,
        "service": one.check.service,
        "at": one.at,
        "says": one_line(summary(one), 400),
        "server": one.server,
    }
