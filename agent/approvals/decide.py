"""The decision: who says so, whether they may, and the grant that follows from a yes. One door for every front end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.approvals.grant import sign_grant
from agent.core.display import one_line
from agent.core.errors import Refused
from agent.core.estate import Estate
from agent.core.lifecycle import Decision, State
from agent.core.policy import may_approve, may_decide
from agent.journal.store import Journal, StoredProposal

GRANT_LIFE = timedelta(minutes=10)
"""A grant lives for the time an execution may take to begin, and never longer than its proposal."""


class Approvals:
    """Decides with the key in hand. The estate is read anew for each decision, so that a removed approver is out."""

    def __init__(
        self,
        journal: Journal,
        key: Ed25519PrivateKey,
        audience: str,
        estate: Callable[[], Estate],
        now: Callable[[], datetime],
    ) -> None:
        self._journal, self._key, self._audience, self._estate, self._now = journal, key, audience, estate, now

    def decide(
        self,
        digest: str,
        decision: Decision,
        person: str,
        reason: str = "",
        via: str = "",
        seen: Mapping[str, Any] | None = None,
    ) -> StoredProposal:
        """Record what `person` decided about the proposal; an approval is signed. Refused says why not.

        `seen` is what the front end says it displayed; it is recorded and decides nothing.
        """
        now = self._now()
        at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        stored = self._journal.proposal(digest)
        proposal = stored.proposal
        if not self._journal.card_is_whole(stored):
            raise Refused("altered", "the card is not the one that was put up with this proposal; ask for a new one")
        target = self._estate().services.get(proposal.target)
        if target is None:
            raise Refused("wrong_target", f"{proposal.target} is not in the inventory any more")
        reason = one_line(reason, 500)
        match decision:
            case "approve":
                may_approve(proposal, person, target)
                expires = datetime.strptime(proposal.expires_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
                grant = sign_grant(
                    self._key, stored.digest, person, self._audience, now, min(expires, now + GRANT_LIFE)
                )
                return self._journal.decide(at, stored.digest, State.APPROVED, person, reason, grant, via, seen)
            case "reject" | "withdraw":
                may_decide(proposal, person, target)
                to = State.REJECTED if decision == "reject" else State.WITHDRAWN
                return self._journal.decide(at, stored.digest, to, person, reason, via=via, seen=seen)
