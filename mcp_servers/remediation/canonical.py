"""The bytes that are hashed and signed: RFC 8785 canonical JSON, narrowed to what has one reading everywhere.

Integers, strings, booleans, lists and objects; no floats and no null (docs/grant.md). The agent implements the same
contract on its side of the wall; `tests/vectors/proposals.json` holds both to it.
"""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785

MAX_DEPTH = 12
MAX_BYTES = 64 * 1024


class NotCanonical(ValueError):
    """The value has no canonical form under the contract; the message says why."""


def canonical_bytes(value: Any) -> bytes:
    """Return the canonical JSON of `value` in UTF-8. Raises NotCanonical."""
    _walk(value, depth=0)
    try:
        encoded = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise NotCanonical(f"no canonical form: {error}") from error
    except UnicodeEncodeError as error:
        raise NotCanonical("a text holds half a surrogate pair, which UTF-8 cannot carry") from error
    if len(encoded) > MAX_BYTES:
        raise NotCanonical(f"larger than {MAX_BYTES} bytes")
    return encoded


def digest(value: Any) -> str:
    """Return `sha256:` and the hexadecimal SHA-256 of the canonical bytes. Raises NotCanonical."""
    return "sha256:" + hashlib.sha256(canonical_bytes(value)).hexdigest()


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal as canonical JSON; unlike `==`, true is not 1 here."""
    return canonical_bytes(left) == canonical_bytes(right)


def _walk(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotCanonical(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        if len(value) > MAX_BYTES:
            raise NotCanonical(f"larger than {MAX_BYTES} bytes")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise NotCanonical("every key is a text")
            _walk(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, depth + 1)
    elif not isinstance(value, int):  # bool is an int
        raise NotCanonical(f"{type(value).__name__} is not allowed: integers, texts, booleans, lists and objects only")
