"""The canonical bytes: what the contract's vectors say, and what no value may do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.remediation.canonical import MAX_BYTES, NotCanonical, canonical_bytes, digest, same
from tests.vectors import proposal_values

VECTORS: dict[str, Any] = json.loads(proposal_values.FILE.read_text(encoding="utf-8"))

SCALARS = st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner), max_leaves=9
)


def test_the_file_of_values_is_what_its_program_writes() -> None:
    assert proposal_values.document() == VECTORS


@pytest.mark.parametrize("vector", VECTORS["values"], ids=lambda vector: str(vector["name"]))
def test_a_value_has_the_bytes_and_the_digest_of_the_contract(vector: dict[str, Any]) -> None:
    assert canonical_bytes(vector["value"]).hex() == vector["canonical"]
    assert digest(vector["value"]) == vector["digest"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: str(vector["name"]))
def test_a_value_with_more_than_one_reading_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(NotCanonical):
        canonical_bytes(json.loads(vector["json"]))


def test_what_json_cannot_hold_is_refused() -> None:
    bad: list[Any] = [{1: "a"}, (1, 2), b"bytes", {"a": {3}}, "x" * (MAX_BYTES + 1), ["x" * 1000] * 70]
    for value in bad:
        with pytest.raises(NotCanonical):
            canonical_bytes(value)


def test_true_and_one_are_told_apart() -> None:
    assert not same({"a": True}, {"a": 1})
    assert not same({"a": "1"}, {"a": 1})
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})


@given(VALUES)
def test_canonical_bytes_read_back_as_the_value_and_are_a_fixed_point(value: Any) -> None:
    encoded = canonical_bytes(value)
    back = json.loads(encoded)
    assert back == value
    assert canonical_bytes(back) == encoded


@given(VALUES, VALUES)
def test_two_values_share_a_digest_only_if_they_are_the_same(left: Any, right: Any) -> None:
    assert (digest(left) == digest(right)) == (json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True))
