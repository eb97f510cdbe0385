"""What every stream of events promises, checked apart from the program: the protocol's models, and pairs that close."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from ag_ui.core import Event
from pydantic import TypeAdapter

ANY_EVENT: TypeAdapter[Any] = TypeAdapter(Event)
ENDS = ("RUN_FINISHED", "RUN_ERROR")
Json = dict[str, Any]


def kinds(events: Sequence[Json]) -> list[str]:
    """Return the types of events."""
    return [one["type"] for one in events]


def of(events: Sequence[Json], kind: str) -> list[Json]:
    """Return the events of one type."""
    return [one for one in events if one["type"] == kind]


def activities(events: Sequence[Json], kind: str) -> list[Json]:
    """Return the contents of one kind of activity."""
    return [one["content"] for one in events if one.get("activityType") == kind]


def runs_of(events: Sequence[Json]) -> list[list[Json]]:
    """Split a conversation into its runs, each from its RUN_STARTED on."""
    number = 0
    numbered = []
    for one in events:
        number += one["type"] == "RUN_STARTED"
        numbered.append((number, one))
    return [[one for _, one in several] for _, several in groupby(numbered, key=lambda pair: pair[0])]


def check_run(events: Sequence[Json]) -> None:
    """Fail unless this is one whole run: valid events, one beginning, one end, and everything begun in it ended."""
    for one in events:
        ANY_EVENT.validate_python(one)
    names = kinds(events)
    assert names[0] == "RUN_STARTED" and names.count("RUN_STARTED") == 1, names
    assert names[-1] in ENDS and sum(name in ENDS for name in names) == 1, names
    _check_steps(events)
    _check_calls(events)
    _check_texts(events)
    _check_citations(events)


def check_thread(events: Sequence[Json]) -> None:
    """Fail unless every run of a conversation is whole, the last one excepted while it goes on."""
    runs = runs_of(events)
    for one in runs[:-1]:
        check_run(one)
    if runs and runs[-1][-1]["type"] in ENDS:
        check_run(runs[-1])


def _check_steps(events: Sequence[Json]) -> None:
    open_step = ""
    for one in events:
        if one["type"] == "STEP_STARTED":
            assert not open_step, f"{one['stepName']} began inside {open_step}"
            open_step = one["stepName"]
        elif one["type"] == "STEP_FINISHED":
            assert one["stepName"] == open_step
            open_step = ""
    assert not open_step


def _check_calls(events: Sequence[Json]) -> None:
    stations = ("TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END", "TOOL_CALL_RESULT")
    calls = {one["toolCallId"] for one in events if one["type"] in stations}
    for call in calls:
        mine = [one for one in events if one.get("toolCallId") == call]
        assert kinds(mine) == list(stations), kinds(mine)
        json.loads(mine[1]["delta"])


def _check_texts(events: Sequence[Json]) -> None:
    stations = ("TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END")
    texts = {one["messageId"] for one in events if one["type"] in stations}
    for text in texts:
        mine = [one["type"] for one in events if one.get("messageId") == text]
        middle = mine[1:-1]
        assert (mine[0], mine[-1]) == (stations[0], stations[2]), mine
        assert middle and set(middle) == {stations[1]}, mine


def _check_citations(events: Sequence[Json]) -> None:
    """A source that a text cites was shown before, in the same run."""
    shown = 0
    for one in events:
        if one.get("activityType") == "sources":
            numbers = [source["n"] for source in one["content"]["sources"]]
            assert numbers == list(range(1, len(numbers) + 1))
            shown = len(numbers)
        if one["type"] == "TEXT_MESSAGE_CONTENT":
            cited = [int(number) for number in re.findall(r"\[(\d{1,2})\]", one["delta"])]
            assert all(1 <= number <= shown for number in cited), (cited, shown, one["delta"])
