"""Who may approve what: the one table, asked when a person decides and asked again before anything runs."""

from __future__ import annotations

from agent.core.errors import Refused
from agent.core.estate import Service
from agent.core.proposal import AGENT, Proposal


def may_approve(proposal: Proposal, approver: str, target: Service) -> None:
    """Return when `approver` may approve `proposal`; raise Refused with the reason otherwise.

    | risk   | who                                                            |
    |--------|----------------------------------------------------------------|
    | low    | any approver or responder of the service, the requester too    |
    | medium | an approver of the service who is neither requester nor author |
    | high   | as medium, and by passkey, which this release does not have    |
    """
    if not approver or _same(approver, AGENT):
        raise Refused("not_a_person", "only a person can approve; the assistant's own identity never can")
    if target.name != proposal.target:
        raise Refused("wrong_target", f"the proposal is about {proposal.target}, not {target.name}")
    match proposal.risk:
        case "low":
            if approver not in {*target.approvers, *target.responders}:
                raise Refused("not_entitled", f"{approver} is neither approver nor responder of {target.name}")
        case "medium":
            if approver not in target.approvers:
                raise Refused("not_entitled", f"{approver} is not an approver of {target.name}")
            if _same(approver, proposal.requester):
                raise Refused("four_eyes", f"{approver} reported this ticket; someone else has to approve the fix")
            if _same(approver, proposal.author):
                raise Refused("four_eyes", f"{approver} wrote this proposal; someone else has to approve it")
        case "high":
            raise Refused("needs_passkey", "a high-risk fix needs a passkey, which this release cannot check yet")


def may_decide(proposal: Proposal, person: str, target: Service) -> None:
    """Return when `person` may reject, withdraw or edit `proposal`; raise Refused with the reason otherwise."""
    if person not in {*target.approvers, *target.responders, proposal.requester} or _same(person, AGENT):
        raise Refused("not_entitled", f"{person} is neither approver nor responder of {target.name}")


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def who_may(proposal: Proposal, target: Service) -> tuple[str, ...]:
    """Return the people who may approve `proposal`, in the order of the inventory."""
    allowed = []
    for person in dict.fromkeys((*target.approvers, *target.responders)):
        try:
            may_approve(proposal, person, target)
        except Refused:
            continue
        allowed.append(person)
    return tuple(allowed)
