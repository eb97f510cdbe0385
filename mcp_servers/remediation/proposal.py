"""The proposal as this server reads it: strict, closed, without coercion (docs/grant.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from mcp_servers.inventory import ServiceName

Risk = Literal["low", "medium", "high"]
Scalar = str | int | bool
Facts = dict[str, Scalar]

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
ActionId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Person = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,128}$")]
Instant = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Effect(_Closed):
    """What the rehearsal saw and what it says will be there afterwards."""

    before: Facts
    after: Facts


class Expectation(_Closed):
    """One look by a diagnostics tool after the fix: its `field` must equal `equals`."""

    tool: ActionId
    args: Facts
    field: str = Field(max_length=128)
    equals: Scalar


class UndoAction(_Closed):
    """The action of the same catalogue that gives back what was there before."""

    action: ActionId
    target: ServiceName
    params: Facts


class CannotUndo(_Closed):
    """Why nothing gives back what was there before."""

    cannot: str = Field(min_length=1, max_length=500)


class Proposal(_Closed):
    """Everything that a person approves and that this server runs; its digest is the operation id."""

    v: Literal[1]
    domain: Literal["countersign.proposal"]
    incident: str = Field(min_length=1, max_length=128)
    action: ActionId
    target: ServiceName
    params: Facts
    risk: Risk
    precondition: str = Field(max_length=1000)
    effect: Effect
    expect: list[Expectation] = Field(max_length=16)
    undo: UndoAction | CannotUndo
    catalogue: Digest
    tools: Digest
    author: Person
    requester: Person | Literal[""]
    created_at: Instant
    expires_at: Instant
    nonce: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class UnreadableProposal(ValueError):
    """The object is not a proposal; the message names the first field that is wrong."""


def read_proposal(value: Any) -> Proposal:
    """Read a proposal, refusing unknown keys, wrong types and impossible times. Raises UnreadableProposal."""
    try:
        proposal = Proposal.model_validate(value)
        if instant(proposal.created_at) >= instant(proposal.expires_at):
            raise UnreadableProposal("expires_at: it expires before it was created")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "proposal"
        raise UnreadableProposal(f"{where}: {first['msg']}") from error
    except UnreadableProposal:
        raise
    except ValueError as error:
        raise UnreadableProposal(f"created_at or expires_at: {error}") from error
    return proposal


def instant(text: str) -> datetime:
    """Read an Instant (UTC, whole seconds)."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
