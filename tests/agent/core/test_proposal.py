"""Canonical bytes and digest: the written contract of docs/grant.md, held against the vectors both sides share."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.core.errors import Refused
from agent.core.proposal import canonical_bytes, digest
from tests.agent.proposals import proposal

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "proposals.json").read_text(encoding="utf-8"))

values = st.recursive(
    st.booleans() | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), values, max_size=5))
def test_canonical_bytes_do_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    turned = dict(reversed(list(value.items())))
    assert canonical_bytes(value) == canonical_bytes(turned)
    assert digest(value) == "sha256:" + hashlib.sha256(canonical_bytes(value)).hexdigest()
    assert json.loads(canonical_bytes(value)) == value


@pytest.mark.parametrize("bad", [1.5, None, {"a": None}, {"a": [0.1]}, {1: "a"}, 2**53, {"a": b"x"}])
def test_what_the_contract_does_not_know_has_no_canonical_form(bad: Any) -> None:
    with pytest.raises(Refused) as refused:
        canonical_bytes({"v": bad} if not isinstance(bad, dict) else bad)
    assert refused.value.code == "not_canonical"


@pytest.mark.parametrize("field", sorted(proposal().to_json()))
def test_every_field_is_part_of_the_digest(field: str) -> None:
    plain = proposal().to_json()
    changed = dict(plain)
    changed[field] = f"{plain[field]}x" if isinstance(plain[field], str) else {"other": "x"}
    assert digest(changed) != digest(plain)


def test_a_proposal_has_no_field_that_is_not_in_the_contract() -> None:
    with pytest.raises(ValidationError):
        proposal(approved=True)
