"""Cards as they are shown: from the stored proposal to what a browser draws, with what this person may do with it."""

from __future__ import annotations

from typing import Any

from agent.api.identity.principal import Principal
from agent.core.card import for_person, render
from agent.core.errors import Refused
from agent.core.estate import Estate
from agent.core.lifecycle import State
from agent.journal.store import Journal, StoredProposal

Card = dict[str, Any]


def card_of(stored: StoredProposal, journal: Journal, estate: Estate, now: str) -> Card:
    """Return the card of a stored proposal. Refused when what is stored is not what the journal says was put up."""
    if not journal.card_is_whole(stored):
        raise Refused("altered", "the card is not the one that was put up with this proposal; ask for a new one")
    decision = {"by": stored.approver, "at": stored.decided_at, "reason": stored.reason, "state": str(stored.state)}
    successor = ""
    if stored.state is State.SUPERSEDED:
        current = journal.current(stored.incident)
        successor = current.digest if current and current.digest != stored.digest else ""
    return render(
        stored.proposal, stored.digest, stored.card, stored.state, now, estate, decision, stored.outcome, successor
    )


def card_for(stored: StoredProposal, journal: Journal, estate: Estate, now: str, principal: Principal) -> Card:
    """Return the card with what the person who looks at it may do."""
    card = card_of(stored, journal, estate, now)
    return card | {
        "you": for_person(
            stored.proposal, stored.state, principal.person, estate, cannot_decide(principal), principal.via == "widget"
        )
    }


def cannot_decide(principal: Principal) -> str:
    """Return why nobody can decide the way this principal came in, or nothing."""
    if principal.via == "widget":
        return "a page's own token decides nothing; sign in to decide"
    if principal.is_machine:
        return "only a person can decide, and this key belongs to none"
    if "decide" not in principal.permissions:
        return "your role does not include deciding"
    return ""
