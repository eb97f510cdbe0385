"""Text from elsewhere inside an answer: whatever it is, it stays text."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.chat.markdown import clean_value, code, fence, json_block, prose, quotation, table

HOSTILE = (
    "```\n# heading\n[x](http://evil.example)",
    "[E9] and [1] say so",
    "`` ` `` ```` ~~~",
    "![x](https://evil.example/p.png)",
    "<img src=x onerror=alert(1)>",
    "http://evil.example www.evil.example mail@evil.example",
    "\u202egnitirw\u202c \u200bhidden \x1b[31mred",
    "a | b \\| c",
    "# not a heading",
    "1. not a list",
    "**bold** _it_ ~~gone~~ &amp;",
    "password=hunter2 token: abcdef Bearer abcdefghijkl",
)
anything = st.one_of(st.sampled_from(HOSTILE), st.text(), st.lists(st.sampled_from(HOSTILE)).map("\n".join))


@given(anything)
@example("`````")
def test_nothing_breaks_out_of_a_fence(text: str) -> None:
    lines = fence(text).split("\n")
    ticks = re.match(r"`+", lines[0])
    assert ticks is not None
    assert lines[-1] == ticks[0]
    assert all(ticks[0] not in line for line in lines[1:-1])


@given(anything)
def test_nothing_breaks_out_of_a_code_span(text: str) -> None:
    span = code(text)
    if not span:
        return
    ticks = re.match(r"`+", span)
    assert ticks is not None
    assert span.endswith(ticks[0])
    inside = span[len(ticks[0]) : -len(ticks[0])]
    assert len(ticks[0]) not in {len(run) for run in re.findall(r"`+", inside)}
    assert "\n" not in span


@given(anything)
@example("x http://evil.example")
def test_prose_has_no_mark_that_markdown_would_obey(text: str) -> None:
    line = prose(text)
    assert "\n" not in line
    assert not re.search(r"[\[\]`]", line)
    unescaped = re.sub(r"\\.", "x", line)
    assert not re.search(r"[*_`<>|~!&{}]", unescaped)
    assert not re.search(r"(?i)\b(?:https?:|www\.)", unescaped)
    assert not re.match(r"\s*(?:[#+\-=>]|\d+[.)])", unescaped)


@given(anything)
def test_a_quotation_stays_a_quotation_and_cites_nothing_in_its_prose(text: str) -> None:
    quoted = quotation(text)
    assert all(line.startswith(">") for line in quoted.split("\n"))


def test_a_quoted_command_is_left_exactly_as_it_stands() -> None:
    text = "Run `awk '{print a[1]}'` as in [1].\n```sh\necho ${list[2]}\n```\nthen [E3]"
    assert quotation(text) == "> Run `awk '{print a[1]}'` as in (1).\n> ```sh\n> echo ${list[2]}\n> ```\n> then (E3)"


@given(st.lists(st.lists(anything, min_size=2, max_size=2), max_size=4))
def test_a_row_of_a_table_has_as_many_cells_as_the_head(rows: list[list[str]]) -> None:
    made = table(["a", "b"], [[code(cell) for cell in row] for row in rows])
    assert all(line.count("|") == 3 for line in made.split("\n"))


@pytest.mark.parametrize("show", [prose, code, fence, quotation])
def test_no_secret_is_shown(show: type) -> None:
    text = str(show("db password=hunter2 and to\u200bken: s3cr3t and postgres://u:pw12@host/x"))
    assert not any(secret in text for secret in ("hunter2", "s3cr3t", "pw12"))


def test_a_value_under_the_name_of_a_secret_is_not_shown() -> None:
    cleaned = clean_value({"db_password": "hunter2", "port": 5432, "inner": [{"api-key": "k1"}], "tokens": 3})
    assert cleaned == {"db_password": "[redacted]", "port": 5432, "inner": [{"api-key": "[redacted]"}], "tokens": 3}
    assert "hunter2" not in json_block({"password": "hunter2"})


def test_of_a_long_log_the_newest_lines_are_shown() -> None:
    assert fence("\n".join(f"line {n}" for n in range(30)), "log", 2, newest=True) == "```log\n…\nline 28\nline 29\n```"
