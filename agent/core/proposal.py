"""The proposal: one frozen action on one target, its canonical bytes and its digest (contract: docs/grant.md).

A proposal is never changed. Another parameter, another expiry, another word: another proposal.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from agent.core.errors import Refused

MOST_LEVELS, MOST_BYTES = 12, 64 * 1024
AGENT = "countersign"
"""The assistant's own identity: it may author a proposal and can never approve one."""

Risk = Literal["low", "medium", "high"]
Scalar = StrictBool | StrictInt | StrictStr


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Effect(_Frozen):
    """What the rehearsal said would change: facts of the target before and after, without times and process ids."""

    before: dict[str, Scalar]
    after: dict[str, Scalar]


class Expectation(_Frozen):
    """What must hold afterwards, as a question to a diagnostics tool."""

    tool: StrictStr
    args: dict[str, Scalar]
    field: StrictStr
    equals: Scalar


class Proposal(_Frozen):
    """The envelope that is shown, approved, signed and executed; exactly these fields are hashed."""

    v: Literal[1] = 1
    domain: Literal["countersign.proposal"] = "countersign.proposal"
    incident: StrictStr
    action: StrictStr
    target: StrictStr
    params: dict[str, Scalar]
    risk: Risk
    precondition: StrictStr
    effect: Effect
    expect: list[Expectation]
    undo: dict[str, Any]
    catalogue: StrictStr
    tools: StrictStr
    author: StrictStr
    requester: StrictStr
    created_at: StrictStr
    expires_at: StrictStr
    nonce: StrictStr = Field(pattern=r"^[0-9a-f]{32}$")

    def to_json(self) -> dict[str, Any]:
        """Return the plain object whose canonical bytes are hashed."""
        return self.model_dump(mode="json")


def canonical_bytes(value: object) -> bytes:
    """Return the RFC 8785 canonical form of `value`.

    Raises Refused for anything outside the contract: floats, null, keys that are not text, integers beyond 2**53 - 1.
    """
    _allow_only_contract_values(value, 0)
    try:
        canonical = bytes(rfc8785.dumps(value))  # type: ignore[arg-type]
    except (rfc8785.CanonicalizationError, UnicodeError, RecursionError) as error:
        raise Refused("not_canonical", f"this cannot be put into canonical form: {error}") from error
    if len(canonical) > MOST_BYTES:
        raise Refused("not_canonical", f"a proposal is at most {MOST_BYTES} bytes long")
    return canonical


def digest(value: object) -> str:
    """Return `sha256:` and the hexadecimal SHA-256 of the canonical bytes of `value`."""
    return "sha256:" + hashlib.sha256(canonical_bytes(value)).hexdigest()


def _allow_only_contract_values(value: object, depth: int) -> None:
    if depth > MOST_LEVELS:
        raise Refused("not_canonical", f"a proposal is at most {MOST_LEVELS} levels deep")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Refused("not_canonical", f"a key must be text, not {type(key).__name__}")
            _allow_only_contract_values(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _allow_only_contract_values(item, depth + 1)
    elif not isinstance(value, str | bool | int):
        raise Refused("not_canonical", f"a proposal holds text, whole numbers and booleans, not {type(value).__name__}")
