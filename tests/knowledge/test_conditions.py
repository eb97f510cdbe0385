from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.conditions import MAX_CHARACTERS, Condition, ConditionError, Truth, tokenize

A, B = {"x": 1}, {"y": 2}


@pytest.mark.parametrize(
    ("source", "seen", "truth", "missing"),
    [
        ("a.x == 1 && b.y == 2", {"a": A, "b": B}, Truth.TRUE, ()),
        ("a.x == 0 && b.y == 2", {"a": A}, Truth.FALSE, ("b",)),
        ("b.y == 2 && a.x == 0", {"a": A}, Truth.FALSE, ("b",)),
        ("a.x == 1 && b.y == 2", {"a": A}, Truth.UNKNOWN, ("b",)),
        ("a.x == 1 || b.y == 2", {"a": A}, Truth.TRUE, ("b",)),
        ("b.y == 2 || a.x == 1", {"a": A}, Truth.TRUE, ("b",)),
        ("a.x == 0 || b.y == 2", {"a": A}, Truth.UNKNOWN, ("b",)),
        ("!(b.y == 2)", {"a": A}, Truth.UNKNOWN, ("b",)),
        ("b.y != 2", {}, Truth.UNKNOWN, ("b",)),
        ("a.gone == 1", {"a": A}, Truth.UNKNOWN, ()),
        ("a.gone == 1 && a.x == 0", {"a": A}, Truth.FALSE, ()),
        ("a.x > 'text'", {"a": A}, Truth.UNKNOWN, ()),
        ("a.x", {"a": A}, Truth.UNKNOWN, ()),
        ("a.x in [1, 2]", {"a": A}, Truth.TRUE, ()),
        ("a.s.contains('ab')", {"a": {"s": "cabs"}}, Truth.TRUE, ()),
        ("a.n.m == 'k'", {"a": {"n": {"m": "k"}}}, Truth.TRUE, ()),
        ("a.l[0].m > 3", {"a": {"l": [{"m": 4}]}}, Truth.TRUE, ()),
        ("a.l[1].m > 3", {"a": {"l": [{"m": 4}]}}, Truth.UNKNOWN, ()),
        ("a.x > 0.5", {"a": A}, Truth.TRUE, ()),
    ],
)
def test_what_was_not_seen_is_not_known_and_never_false(
    source: str, seen: dict[str, dict[str, Any]], truth: Truth, missing: tuple[str, ...]
) -> None:
    verdict = Condition(source).evaluate(seen)
    assert (verdict.truth, verdict.missing) == (truth, missing)
    assert (verdict.reason != "") == (truth is Truth.UNKNOWN)


@pytest.mark.parametrize(
    "source",
    ["", "a =", "a = 1", "1 == 1", "has(a.b)", "a.l.exists(i, i > 1)", "a.l.map(i, i)", "evil(a.b)", "a.b == 'x",
     "(" * 40 + "a.b" + ")" * 40, "a.b == 1 || " * 400 + "a.b == 2", "a.b @ 1"],
)  # fmt: skip
def test_a_text_that_is_no_condition_is_refused_in_one_sentence(source: str) -> None:
    with pytest.raises(ConditionError) as error:
        Condition(source)
    assert "\n" not in str(error.value)


def test_mentions_name_fields_operators_and_literals() -> None:
    source = """!http.ok && unit.state in ["failed", 'start]ing'] && "x.y == 1" == unit.log && -3 < a.l[0].n
        && unit.log.contains("c.d") && size(a.l) > 0 // e.f == 1"""
    found = {str(mention): (mention.operator, mention.literals) for mention in Condition(source).mentions}
    assert found == {
        "http.ok": ("truth", ()),
        "unit.state": ("in", ("failed", "start]ing")),
        "unit.log": ("contains", ("c.d",)),
        "a.l[0].n": ("<", (-3,)),
        "a.l": ("", ()),
    }
    assert Condition(source).checks == ("http", "unit", "a")


LEAVES = ["a.p", "b.p", "c.p", "true", "false"]
TREES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(LEAVES),
    lambda below: st.one_of(
        st.tuples(st.just("!"), below), st.tuples(st.just("&&"), below, below), st.tuples(st.just("||"), below, below)
    ),
    max_leaves=12,
)


def written(tree: Any) -> str:
    if isinstance(tree, str):
        return tree
    return f"!({written(tree[1])})" if tree[0] == "!" else f"({written(tree[1])} {tree[0]} {written(tree[2])})"


def kleene(tree: Any, seen: dict[str, bool]) -> bool | None:
    if isinstance(tree, str):
        return {"true": True, "false": False}.get(tree, seen.get(tree[0]))
    if tree[0] == "!":
        value = kleene(tree[1], seen)
        return None if value is None else not value
    values = {kleene(tree[1], seen), kleene(tree[2], seen)}
    decides: bool = tree[0] == "||"
    if decides in values:
        return decides
    return None if None in values else not decides


@given(TREES, st.dictionaries(st.sampled_from("abc"), st.booleans()))
def test_conditions_follow_three_valued_logic(tree: Any, seen: dict[str, bool]) -> None:
    source = f"a.p || !a.p || {written(tree)}" if "." not in written(tree) else written(tree)
    wanted = kleene(tree, seen)
    if source != written(tree):
        wanted = True if "a" in seen else (True if wanted else None)
    verdict = Condition(source).evaluate({name: {"p": value} for name, value in seen.items()})
    assert verdict.truth == {True: Truth.TRUE, False: Truth.FALSE, None: Truth.UNKNOWN}[wanted]


@given(st.text(max_size=MAX_CHARACTERS + 10))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        Condition(text).evaluate({})
    except ConditionError:
        return


@given(st.text(alphabet=st.characters(exclude_characters="\n\r"), max_size=40))
def test_a_string_means_what_was_written(text: str) -> None:
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    assert [token.value for token in tokenize(quoted)] == [text]
