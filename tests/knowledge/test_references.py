from __future__ import annotations

from typing import Any

import pytest

from knowledge.references import NotKnown, fill, nearest_of_kind, resolve

SEEN: dict[str, dict[str, Any]] = {"locks": {"blocker": {"pid": 41}, "text": ""}, "changes": {"last_good": "abc1234"}}


def nearest(kind: str) -> str | None:
    return {"postgres": "db"}.get(kind)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("$service", "shop"), ("$nearest.postgres", "db"), ("$locks.blocker.pid", 41), ("$changes.last_good", "abc1234"),
     ("plain", "plain"), (7, 7), (True, True), ("a $service b", "a $service b")],
)  # fmt: skip
def test_a_reference_becomes_what_it_refers_to(value: Any, wanted: Any) -> None:
    assert resolve(value, service="shop", observations=SEEN, nearest=nearest) == wanted


@pytest.mark.parametrize(
    "value", ["$nearest.web", "$nearest", "$locks", "$locks.text", "$locks.gone", "$other.x", "$locks.blocker.pid.x"]
)
def test_what_was_not_seen_cannot_be_used(value: str) -> None:
    with pytest.raises(NotKnown) as error:
        resolve(value, service="shop", observations=SEEN, nearest=nearest)
    assert error.value.reference == value


def test_a_sentence_says_what_is_not_known() -> None:
    text = fill("pid $locks.blocker.pid of $service, $gone.x.", service="shop", observations=SEEN, nearest=nearest)
    assert text == "pid 41 of shop, (not known)."


def test_the_nearest_service_is_found_breadth_first_even_in_a_circle() -> None:
    kinds = {"front": "web", "app": "app", "far": "postgres", "near": "postgres", "cache": "redis"}
    depends = {"front": ["app", "cache"], "cache": ["near"], "app": ["cache", "front"], "near": ["far"]}
    assert nearest_of_kind("postgres", "front", kinds, depends) == "near"
    assert nearest_of_kind("web", "front", kinds, depends) == "front"
    assert nearest_of_kind("mail", "front", kinds, depends) is None
