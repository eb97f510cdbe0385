from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from knowledge.lint import ActionShape, ToolShape, lint
from tests.knowledge.worlds import RUNBOOK, folder

SERVICE = {"type": "object", "properties": {"service": {"type": "string"}}, "required": ["service"]}
HTTP = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "status": {"type": "integer"}, "body": {"type": "string"}},
}
UNIT = {
    "type": "object",
    "properties": {
        "state": {"$ref": "#/$defs/State"},
        "files": {"type": "array", "items": {"$ref": "#/$defs/File"}},
        "last": {"anyOf": [{"$ref": "#/$defs/File"}, {"type": "null"}]},
    },
    "$defs": {
        "State": {"enum": ["running", "stopped"], "type": "string"},
        "File": {"type": "object", "properties": {"path": {"type": "string"}, "age_s": {"type": "integer"}}},
    },
}
TOOLS = {"check_http": ToolShape(SERVICE, HTTP), "service_status": ToolShape(SERVICE, UNIT)}
NO_PARAMS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
RESTORE = {
    "type": "object",
    "properties": {
        "revision": {"type": "string", "pattern": "^[0-9a-f]{7,64}$"},
        "keep": {"type": "integer", "minimum": 1, "maximum": 9},
    },
    "required": ["revision"],
}
ACTIONS: Mapping[str, ActionShape] = {"restart": ActionShape(NO_PARAMS), "restore": ActionShape(RESTORE)}
TODAY = date(2026, 11, 1)


def said(root: Path, name: str = "web.md") -> list[str]:
    found = lint([root], TOOLS, ACTIONS, TODAY)
    return [f"{problem.line}: {problem.message}" for problem in found if problem.path.name == name]


def test_a_sound_page_has_no_problem(tmp_path: Path) -> None:
    assert said(folder(tmp_path / "p", {"web.md": RUNBOOK})) == []


WHEN = '!http.ok && unit.state == "stopped"'
FIX = "{action: restart, target: $service}"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("owner: web", "owner: web\ncolour: red", 5, "unknown key `colour`"),
        ("    says:", "    note: x\n    says:", 11, "unknown key `causes.0.note`"),
        ("tool: check_http", "tool: check_htp", 7, "unknown tool `check_htp`"),
        ("{tool: check_http, args: {service: $service}}", "{tool: check_http}", 7, "needs `service`"),
        ("check_http, args: {service: $service}", "check_http, args: {servce: $service}", 7, "no `servce`"),
        ("check_http, args: {service: $service}", "check_http, args: {service: 5}", 7, "integer"),
        ("check_http, args: {service: $service}", "check_http, args: {service: $unit.state}", 7, "another check"),
        ("reviewed: 2026-09-12", "reviewed: 2026-09-12\nid: RB-2", 6, "`id` is written twice"),
        ("reviewed: 2026-09-12", "reviewed: soon", 5, "`reviewed`"),
        ("reviewed: 2026-09-12", "reviewed: 2024-09-12", 5, "last reviewed"),
        (WHEN, "!http.ok && unit.state = 'x'", 12, "cannot be read"),
        (WHEN, "!http.okay", 12, "`http.okay`: the result has no `okay` there; there are body, ok, status"),
        (WHEN, "!htp.ok", 12, "there is no check `htp`"),
        (WHEN, 'unit.state == "stoped"', 12, "'stoped' is none of 'running', 'stopped'"),
        (WHEN, 'unit.state in ["running", "halted"]', 12, "'halted' is none of"),
        (WHEN, 'http.status == "502"', 12, "'502' is string, and this is integer"),
        (WHEN, "http.status == true", 12, "True is boolean"),
        (WHEN, "!http.status", 12, "integer and stands where true or false is needed"),
        (WHEN, 'http.ok == true && unit.files[0].size > 3', 12, "no `size`"),
        (WHEN, "unit.files[0].age_s.more == 3", 12, "no `more`"),
        (WHEN, "unit.last.pat == 'x'", 12, "no `pat`"),
        (WHEN, "http.body.contains(5)", 12, "5 is integer"),
        ("when: >-\n      " + WHEN, "when: http.ok == false", 12, "block"),
        ("when: >-\n      " + WHEN, "when: http.status == 502 # and more", 12, "block"),
        (FIX, "{action: reboot, target: $service}", 14, "unknown action `reboot`"),
        (FIX, "{action: restart, target: shop}", 14, "a fix is for"),
        (FIX, "{action: restart, target: $http.body}", 14, "a fix is for"),
        (FIX, "{action: restart, args: {service: $service}}", 14, "has no `service`"),
        (FIX, "{action: restore}", 14, "needs `revision`"),
        (FIX, "{action: restore, args: {revision: HEAD}}", 14, "does not match"),
        (FIX, "{action: restore, args: {revision: $http.status}}", 14, "is integer, and string is needed"),
        (FIX, "{action: restore, args: {revision: $http.rev}}", 14, "no `rev`"),
        (FIX, "{action: restore, args: {revision: $gone.rev}}", 14, "there is no check `gone`"),
        (FIX, '{action: restore, args: {revision: "a$http.body"}}', 14, "stands alone"),
        (FIX, "{action: restore, args: {revision: abcdef0, keep: 12}}", 14, "outside"),
        ("    fix: " + FIX, "    steps: No such part", 14, "no heading `No such part`"),
        ('"$service is stopped"', '"$service has $unit.stat"', 11, "no `stat`"),
        ("Start it.", "Start\u200b it\u202e.", 20, "U+200B, U+202E"),
        ("Start it.", "See [other](gone.md).", 20, "gone.md, which is not there"),
        ("Start it.", "[bank.example](https://thief.example/x)", 20, "leads to thief.example"),
        ("Start it.", "![x](https://host.example/p.png?who=me)", 20, "host.example tells"),
        ("Start it.", "[x](javascript:alert)", 20, "`javascript:`"),
    ],
)  # fmt: skip
def test_every_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in RUNBOOK
    found = said(folder(tmp_path / "p", {"web.md": RUNBOOK.replace(old, new, 1)}))
    assert any(item.startswith(f"{line}: ") and words in item for item in found), found


@pytest.mark.parametrize(
    "when",
    ['unit.files[0].path == "x"', "unit.last.age_s > 3.5", "http.ok == true", "502 == http.status",
     "http.ok || http.status > 0",
     'unit.state.startsWith("st")', "http.status in [502, 504]", "unit.files.size() > 0", "(http.ok ? 1 : 2) == 1"],
)  # fmt: skip
def test_sound_conditions_pass(tmp_path: Path, when: str) -> None:
    assert said(folder(tmp_path / "p", {"web.md": RUNBOOK.replace(WHEN, when)})) == []


def test_two_pages_with_one_id_are_an_error_of_the_second(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", {"a.md": RUNBOOK, "web.md": "# intro\n", "z.md": RUNBOOK})
    assert said(root, "a.md") == []
    assert said(root, "z.md") == [f"2: the id `RB-1` is already that of {root / 'a.md'}"]


def test_a_file_that_cannot_be_read_does_not_end_the_lint(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", {"b.md": RUNBOOK.replace("owner: web", "ownr: web")})
    (root / "a.md").write_bytes(b"\xff\xfe")
    assert said(root, "a.md")[0].startswith("1: is not valid UTF-8")
    assert any("ownr" in item for item in said(root, "b.md"))
