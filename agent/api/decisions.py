"""A decision over HTTP: the same door whichever way it comes in, and that door is the approvals process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

from agent.api.cards import cannot_decide, card_of
from agent.api.identity.principal import Principal
from agent.api.parts import Parts
from agent.api.problems import Problem
from agent.core.card import friction
from agent.core.display import one_line
from agent.core.errors import Refused
from agent.core.lifecycle import State
from agent.journal.store import StoredProposal


class Decision(BaseModel):
    """What a person decided about a card, and what they saw."""

    model_config = ConfigDict(extra="forbid")
    decision: Literal["approve", "reject", "edit", "ask", "withdraw"]
    reason: StrictStr = Field(default="", max_length=2000)
    args: dict[str, StrictBool | StrictInt | StrictStr] = Field(default_factory=dict, max_length=32)
    question: StrictStr = Field(default="", max_length=20_000)
    thread: StrictStr = Field(default="", max_length=100)
    shown: StrictStr = Field(default="", max_length=100)
    seconds_on_screen: StrictInt = Field(default=0, ge=0, le=7 * 24 * 3600)

    @model_validator(mode="after")
    def _nothing_that_would_be_left_out(self) -> Self:
        """Whoever approves with other arguments believes that these would run."""
        if self.args and self.decision != "edit":
            raise ValueError("args belong to an edit; an approval runs exactly what the card shows")
        return self


@dataclass(frozen=True)
class Decided:
    """What came of it: where the proposal stands, the one that took its place, and whether the path goes on."""

    stored: StoredProposal
    successor: str = ""

    @property
    def goes_on(self) -> bool:
        """True when the path has something to do now."""
        return not self.successor and self.stored.state is not State.AWAITING


async def take(one: Parts, digest: str, asked: Decision, principal: Principal, via: str) -> Decided:
    """Take a decision. Refused or Problem says why not; then nothing has changed."""
    allowed_to_decide(principal)
    stored = one.journal.proposal(digest)
    _what_was_shown(one, stored, asked, by_browser=via != "ag-ui" and principal.via != "key")
    if stored.state in {State.EXPIRED, State.SUPERSEDED}:
        raise Refused(str(stored.state), f"this proposal is {stored.state}; another one may stand in its place")
    if asked.decision == "edit":
        new = await one.assistant.edit(stored.digest, asked.args, principal.person)
        return Decided(new, successor=new.digest)
    if asked.decision == "ask":
        raise Refused("bad_request", "a question goes into a conversation")
    if asked.decision == "approve" and friction(stored.proposal.risk)["page_only"] and via != "page":
        raise Refused("needs_page", "a high-risk fix is approved on its own page")
    seen: dict[str, str | int] = {"shown": asked.shown} if asked.shown else {}
    if asked.seconds_on_screen:
        seen["seconds_on_screen"] = asked.seconds_on_screen
    said = one_line(asked.reason, 500)
    came_in = f"{via}:{principal.via}" + (f":{principal.credential}" if principal.credential else "")
    await one.decide(stored.digest, asked.decision, principal.person, said, came_in, **seen)
    return Decided(one.journal.proposal(stored.digest))


def allowed_to_decide(principal: Principal) -> None:
    """Raise Problem when nobody can decide the way this principal came in."""
    if why := cannot_decide(principal):
        raise Problem(403, "widget_cannot_decide" if principal.via == "widget" else "not_permitted", why)


def _what_was_shown(one: Parts, stored: StoredProposal, asked: Decision, *, by_browser: bool) -> None:
    """Refuse a decision about a card that was drawn from other bytes than those that stand here."""
    card = card_of(stored, one.journal, one.assistant.estate, one.assistant.stamp())
    if asked.shown and asked.shown != card["shown"]:
        raise Refused("changed", "what you saw is not what would run; look at the card again")
    if asked.decision == "approve" and not asked.shown and by_browser:
        raise Refused("changed", "an approval from a page names what was shown (`shown`); look at the card again")
