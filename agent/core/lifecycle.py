"""The states of a proposal and the only steps between them. Anything else is an error, in code and in the database."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from agent.core.errors import Refused

Decision = Literal["approve", "reject", "withdraw"]
"""What a person can decide about a waiting proposal."""


class State(StrEnum):
    """Where a proposal stands."""

    AWAITING = "awaiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    EXECUTING = "executing"
    STALE = "stale"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXECUTED = "executed"
    VERIFIED = "verified"
    NOT_VERIFIED = "not_verified"
    INCONCLUSIVE = "inconclusive"


STEPS: dict[State, frozenset[State]] = {
    State.AWAITING: frozenset({State.APPROVED, State.REJECTED, State.EXPIRED, State.SUPERSEDED, State.WITHDRAWN}),
    State.APPROVED: frozenset({State.EXECUTING, State.EXPIRED, State.WITHDRAWN}),
    State.EXECUTING: frozenset({State.EXECUTED, State.FAILED, State.STALE, State.UNKNOWN}),
    State.UNKNOWN: frozenset({State.EXECUTED, State.FAILED}),
    State.EXECUTED: frozenset({State.VERIFIED, State.NOT_VERIFIED, State.INCONCLUSIVE}),
}
"""From each state, where it may go. States that are missing here are final."""

GOES_ON = frozenset({State.AWAITING, State.APPROVED, State.EXECUTING, State.EXECUTED})
"""Where something still has to happen without anybody asking anew."""


def step(current: State, to: State) -> State:
    """Return `to` when the table allows it; raise Refused with code `illegal_step` otherwise."""
    if to not in STEPS.get(current, frozenset()):
        raise Refused("illegal_step", f"a proposal that is {current} cannot become {to}")
    return to
