"""The card as data: everything a person sees before deciding, rendered here and nowhere else.

What will run comes from the frozen proposal alone. A browser draws what stands here and computes nothing.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from agent.core.errors import Refused
from agent.core.estate import Estate
from agent.core.lifecycle import State
from agent.core.note import expectation_in_words, undo_in_words
from agent.core.policy import may_approve, may_decide
from agent.core.proposal import AGENT, Proposal

WAIT_MS = 600
"""How long a card of medium or high risk must stand unchanged before it can be approved."""
RISK_WHY = {
    "low": "Rule R-low: the catalogue rates this action low. Any responder or approver of the service may decide.",
    "medium": "Rule R-medium: the catalogue rates this action medium. An approver decides who neither reported it nor "
    "wrote the proposal.",
    "high": "Rule R-high: the catalogue rates this action high. It needs an approver's passkey, on its own page.",
}
ON_FAILURE = "The incident then reads “not verified”, nothing further runs by itself, and a person has to look."


def render(
    proposal: Proposal,
    digest: str,
    beside: Mapping[str, Any],
    state: State,
    now: str,
    estate: Estate,
    decision: Mapping[str, str] | None = None,
    outcome: Mapping[str, Any] | None = None,
    successor: str = "",
) -> dict[str, Any]:
    """Return the card (contract: docs/api.md).

    `decision` has by, at, reason and state; `outcome` is what came of it. `shown` is the SHA-256 of the part that never
    changes: a decision names it, so that the record says what was on screen.
    """
    fixed = _fixed(proposal, digest, beside, estate)
    shown = hashlib.sha256(json.dumps(fixed, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
    return {
        **fixed,
        "state": str(state),
        "now": now,
        "decision": dict(decision) if decision and decision.get("by") else None,
        "outcome": _outcome(outcome or {}),
        "successor": successor or None,
        "shown": f"sha256:{shown}",
    }


def _fixed(proposal: Proposal, digest: str, beside: Mapping[str, Any], estate: Estate) -> dict[str, Any]:
    schema = dict(beside.get("schema") or {})
    described = schema.get("properties", {})
    title = str(beside.get("action_title") or proposal.action.replace("_", " ").capitalize())
    before, after = proposal.effect.before, proposal.effect.after
    facts = dict.fromkeys((*before, *after))
    # What is not there any more afterwards has changed as well: only what is equal on both sides is unchanged.
    changed = [key for key in facts if key not in before or key not in after or before[key] != after[key]]
    exact = {"action": proposal.action, "target": proposal.target, "params": proposal.params}
    text = json.dumps(exact, indent=2, ensure_ascii=False, sort_keys=True)
    return {
        "digest": digest,
        "short": digest.removeprefix("sha256:")[:12],
        "incident": proposal.incident,
        "ticket": str(beside.get("ticket", "")),
        "subject": str(beside.get("subject", "")),
        "headline": f"{title} on {proposal.target}",
        "action": proposal.action,
        "action_title": title,
        "action_description": str(beside.get("action_description", "")),
        "target": _target(proposal.target, estate),
        "params": [
            {"name": key, "value": _plain(value), "description": str(described.get(key, {}).get("description", ""))}
            for key, value in proposal.params.items()
        ],
        "args": dict(proposal.params),
        "exact": text,
        "hidden_characters": any(_hidden(character) for character in text),
        "risk": {"level": proposal.risk, "why": RISK_WHY[proposal.risk], "reversible": "cannot" not in proposal.undo},
        "precondition": proposal.precondition,
        "effect": [
            {"name": key, "before": _plain(before.get(key, "-")), "after": _plain(after.get(key, "-"))}
            for key in changed
        ],
        "unchanged": [{"name": key, "value": _plain(before[key])} for key in before if key not in changed],
        "diff": str(beside.get("diff", "")),
        "rehearsed_at": str(beside.get("rehearsed_at", "")),
        "undo": {
            "possible": "cannot" not in proposal.undo,
            "says": str(proposal.undo.get("cannot") or undo_in_words(proposal)),
        },
        "checks_afterwards": expectation_in_words(proposal),
        "on_failure": ON_FAILURE,
        "why": {
            "says": str(beside.get("why", "")),
            "standing": str(beside.get("standing", "")),
            "page": str(beside.get("page", "")),
            "title": str(beside.get("title", "")),
            "other_causes": list(beside.get("other_causes", [])),
            "missing": list(beside.get("missing", [])),
            "by": "runbooks",
        },
        "evidence": list(beside.get("seen", [])),
        "requester": proposal.requester,
        "author": proposal.author,
        "edited": proposal.author != AGENT,
        "may_approve": list(beside.get("may_approve", [])),
        "needed": 1,
        "created_at": proposal.created_at,
        "expires_at": proposal.expires_at,
        "friction": friction(proposal.risk),
        "editable": schema if described else None,
    }


def friction(risk: str) -> dict[str, Any]:
    """Return how much stands between a look and an approval, by risk."""
    return {
        "page_only": risk == "high",
        "type_target": risk == "high",
        "wait_ms": 0 if risk == "low" else WAIT_MS,
        "see_all": risk != "low",
    }


def for_person(
    proposal: Proposal, state: State, person: str, estate: Estate, can_decide: str = "", sign_in: bool = False
) -> dict[str, Any]:
    """Return what the person who looks may do with this card, and why not.

    `can_decide` is empty when the way they came in allows decisions, else the reason why it does not; `sign_in` says
    that signing in would change that.
    """
    target = estate.services.get(proposal.target)
    why = can_decide
    entitled = False
    if target is None:
        why = why or f"{proposal.target} is not in the inventory any more"
    else:
        try:
            may_decide(proposal, person, target)
            entitled = True
        except Refused as refusal:
            entitled = False
            why = why or str(refusal)
        try:
            may_approve(proposal, person, target)
        except Refused as refusal:
            why = why or str(refusal)
    waiting = state is State.AWAITING
    free = entitled and waiting and not can_decide
    return {
        "may_approve": waiting and not why,
        "why_not": why if waiting else "",
        "may_reject": free,
        "may_edit": free,
        "sign_in": sign_in and waiting,
    }


def _target(name: str, estate: Estate) -> dict[str, Any]:
    service = estate.services.get(name)
    return {
        "name": name,
        "title": service.title if service else "",
        "environment": service.environment if service else "",
        "owner": service.owner if service else "",
        "kind": service.kind if service else "",
        "needed_by": estate.needed_by(name),
    }


def _outcome(outcome: Mapping[str, Any]) -> dict[str, Any] | None:
    if not outcome:
        return None
    return {
        "started_at": str(outcome.get("started_at", "")),
        "finished_at": str(outcome.get("finished_at", "")),
        "reason": str(outcome.get("reason", "")),
        "checks": list(outcome.get("checks", [])),
    }


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hidden(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
