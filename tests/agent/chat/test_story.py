"""The story: what goes out as JSON comes back equal."""

from __future__ import annotations

import json

import pytest

from agent.chat.story import Story
from tests.agent.chat.worlds import BARE, BY_HAND, FULL, VERIFIED


@pytest.mark.parametrize("story", [FULL, BARE, BY_HAND, VERIFIED], ids=["full", "bare", "by hand", "verified"])
def test_a_story_survives_json(story: Story) -> None:
    assert Story.from_json(json.loads(json.dumps(story.to_json()))) == story


def test_a_story_of_another_version_is_read() -> None:
    assert Story.from_json({"incident": "INC-1", "unheard_of": 1}) == Story("INC-1")


def test_what_goes_out_shares_nothing_with_the_story() -> None:
    plain = FULL.to_json()
    plain["sources"][0]["title"] = "another"
    assert FULL.sources[0]["title"] != "another"


def test_sources_are_numbered_in_the_order_of_those_that_fit() -> None:
    assert [FULL.number_of(page) for page in ("RB-101", "RB-190", "RB-104", "nowhere")] == [1, 0, 2, 0]
