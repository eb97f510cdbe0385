"""When working memory is lost: what the journal still knows, put where the path can go on from."""

from __future__ import annotations

from agent.core.verdict import Cause, Diagnosis, Fix, Outcome, Truth
from agent.journal.store import Incident, StoredProposal
from agent.nodes.context import State


def recovered(incident: Incident, stored: StoredProposal) -> State:
    """Return working memory as far as the card remembers it; the evidence itself is gone and said to be missing."""
    proposal, card = stored.proposal, stored.card
    cause = Cause(
        id="recovered",
        page=str(card["page"]),
        service=proposal.target,
        says=str(card["why"]),
        truth=Truth.TRUE,
        fix=Fix(proposal.action, proposal.target, dict(proposal.params)),
    )
    diagnosis = Diagnosis(Outcome.FIX, str(card["why"]), (cause,))
    return {
        "incident": incident.id,
        "ticket": incident.ticket,
        "subject": str(card["subject"]),
        "body": "",
        "requester": proposal.requester,
        "service": incident.service,
        "asked_for": "",
        "sources": [],
        "similar": [],
        "observations": [],
        "rounds": 1,
        "diagnosis": diagnosis.to_json(),
        "digest": stored.digest,
        "missing": ["working memory was lost; the evidence stands on the card and in the first note"],
    }
