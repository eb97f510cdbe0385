"""What is wrong with pages, with file and line, before anybody relies on them.

A misspelt field in a condition would be silence for ever, so every path and every literal is held against the schema
of the tool that answers, and every argument against the schema of the tool or action that takes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from knowledge.conditions import Condition, ConditionError, Mention
from knowledge.documents import Level, Problem, Source, headings, markdown_files, read_source, section, to_document
from knowledge.references import references_in
from knowledge.runbook import Cause, Runbook, is_executable, read_runbook
from knowledge.schemas import Schema, below, names, types, why_not
from knowledge.text import hidden_characters

REVIEW_DAYS = 365
_PLAIN_KEYS = {"id", "title", "owner", "reviewed", "alerts", "symptoms"}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_HOST = re.compile(r"^(?:https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[/:?#]|$)", re.IGNORECASE)
_TEXT_OPERATORS = {"contains", "startsWith", "endsWith", "matches"}


@dataclass(frozen=True, slots=True)
class ToolShape:
    """What a diagnostics tool takes and answers, as JSON schemas."""

    input_schema: Schema
    output_schema: Schema


@dataclass(frozen=True, slots=True)
class ActionShape:
    """What an action of the catalogue takes, as a JSON schema. The target is never among its parameters."""

    params_schema: Schema


def lint(
    folders: Sequence[Path],
    tools: Mapping[str, ToolShape],
    actions: Mapping[str, ActionShape],
    today: date | None = None,
) -> list[Problem]:
    """Every problem of the pages in these folders, in the order of files and lines."""
    problems: list[Problem] = []
    seen: dict[str, Path] = {}
    day = today or datetime.now(UTC).date()
    for folder in folders:
        if not folder.is_dir():
            problems.append(Problem(folder, 0, "error", "is not a folder: name a folder of Markdown pages"))
            continue
        for path in markdown_files(folder):
            source = read_source(path)
            if isinstance(source, Problem):
                problems.append(source)
                continue
            page = _Page(source, folder, tools, actions, day)
            problems += page.check()
            first = seen.setdefault(page.document.id, path)
            if first != path:
                line = source.front.line(["id"]) if source.front else 1
                problems.append(Problem(path, line, "error", f"the id `{page.document.id}` is already that of {first}"))
    return sorted(problems, key=lambda problem: (str(problem.path), problem.line, problem.message))


class _Page:
    """One page under inspection."""

    def __init__(
        self,
        source: Source,
        folder: Path,
        tools: Mapping[str, ToolShape],
        actions: Mapping[str, ActionShape],
        today: date,
    ) -> None:
        self.source = source
        self.document, _ = to_document(source, folder)
        self._tools = tools
        self._actions = actions
        self._today = today
        self._problems: list[Problem] = []

    def check(self) -> list[Problem]:
        self._characters()
        self._links()
        if self.source.front is not None:
            self._front_matter()
        return self._problems

    def _say(self, line: int, message: str, level: Level = "error") -> None:
        self._problems.append(Problem(self.source.path, line, level, message))

    def _at(self, *path: str | int) -> int:
        return self.source.front.line(path) if self.source.front else 1

    # -- the page as text

    def _characters(self) -> None:
        for number, line in enumerate(self.source.raw.split("\n"), start=1):
            found = hidden_characters(line.removesuffix("\r"))
            if found:
                self._say(
                    number,
                    f"hidden characters ({', '.join(found[:5])}): they are left out of what is shown and searched",
                )

    def _links(self) -> None:
        lines = self.source.parts.body.splitlines()
        fence = False
        for number, (line, _) in enumerate(headings(lines), start=self.source.parts.body_line):
            fence ^= line.lstrip().startswith(("```", "~~~"))
            if fence:
                continue
            for image, text, target in _LINK.findall(re.sub(r"`[^`]*`", "", line)):
                self._link(number, bool(image), text, target)

    def _link(self, line: int, image: bool, text: str, target: str) -> None:
        parts = urlsplit(target)
        if parts.scheme and parts.scheme not in ("http", "https", "mailto"):
            self._say(line, f"a link with `{parts.scheme}:` is not followed: use https or a file of these pages")
        elif parts.netloc or parts.scheme:
            shown = _HOST.match(text.strip())
            if image:
                self._say(
                    line,
                    f"an image from {parts.hostname} tells that host who reads this page: keep it beside the page",
                    "warning",
                )
            elif shown and parts.hostname and shown.group(1).lower() != parts.hostname.lower():
                self._say(line, f"a link shows {shown.group(1)} and leads to {parts.hostname}")
        elif parts.path and not (self.source.path.parent / parts.path).exists():
            self._say(line, f"a link leads to {parts.path}, which is not there")

    # -- the front matter

    def _front_matter(self) -> None:
        front = self.source.front
        assert front is not None
        values = front.values
        self._reviewed(values.get("reviewed"))
        if not is_executable(values):
            for key in values:
                if key not in _PLAIN_KEYS:
                    self._say(front.key_line([], str(key)), f"unknown key `{key}`", "warning")
            return
        self._when_styles()
        result = read_runbook(values)
        if isinstance(result, Runbook):
            self._runbook(result)
            return
        for path, message in result:
            unknown = message.startswith("unknown key")
            self._say(front.key_line(path[:-1], str(path[-1])) if unknown else front.line(path), message)

    def _reviewed(self, reviewed: Any) -> None:
        if type(reviewed) is not date:
            if reviewed is not None:
                self._say(self._at("reviewed"), "`reviewed` is a date such as 2026-09-12")
            return
        age = (self._today - reviewed).days
        if age > REVIEW_DAYS:
            self._say(self._at("reviewed"), f"last reviewed {age} days ago: have its owner read it again", "warning")
        elif age < 0:
            self._say(self._at("reviewed"), "reviewed in the future", "warning")

    def _when_styles(self) -> None:
        """A condition as a plain scalar is at YAML's mercy: ` #` cuts it, `: ` splits it, `!` makes it a tag, `>`
        folds it."""
        front = self.source.front
        assert front is not None
        causes = front.values.get("causes")
        for number in range(len(causes) if isinstance(causes, list) else 0):
            node = front.find(["causes", number, "when"])
            entry = causes[number] if isinstance(causes, list) else None
            if not isinstance(entry, dict) or "when" not in entry:
                continue
            if not isinstance(node, yaml.ScalarNode) or node.style is None:
                line = front.line(["causes", number, "when"])
                self._say(line, "`when` is written as a block (>-) or in quotes: YAML would change a plain one")

    def _runbook(self, runbook: Runbook) -> None:
        for name, check in runbook.checks.items():
            shape = self._tools.get(check.tool)
            if shape is None:
                self._say(
                    self._at("checks", name, "tool"), f"unknown tool `{check.tool}`; there are {_list(self._tools)}"
                )
                continue
            self._arguments(
                runbook, ("checks", name, "args"), check.args, shape.input_schema, f"tool `{check.tool}`", ()
            )
        for number, cause in enumerate(runbook.causes):
            self._condition(runbook, number, cause)
            self._references(runbook, ("causes", number, "says"), cause.says)
            self._outcome(runbook, number, cause)

    def _condition(self, runbook: Runbook, number: int, cause: Cause) -> None:
        try:
            condition = Condition(cause.when)
        except ConditionError as error:  # pragma: no cover - read_runbook has compiled it already
            self._say(self._at("causes", number, "when"), str(error))
            return
        line = self._at("causes", number, "when")
        for mention in condition.mentions:
            problem = self._mention(runbook, mention)
            if problem:
                self._say(line, f"`{mention}`: {problem}")

    def _mention(self, runbook: Runbook, mention: Mention) -> str:
        if mention.check not in runbook.checks:
            return f"there is no check `{mention.check}`; there are {_list(runbook.checks)}"
        if not mention.path:
            return "name a field of the check"
        shape = self._tools.get(runbook.checks[mention.check].tool)
        if shape is None:
            return ""
        found = _field(shape.output_schema, mention.path)
        if isinstance(found, str):
            return found
        given = types(found)
        if mention.operator == "truth" and given is not None and "boolean" not in given:
            return f"is {' or '.join(sorted(given))} and stands where true or false is needed"
        for literal in mention.literals:
            exact = mention.operator in ("==", "!=", "in")
            loose: list[Schema] = (
                found if exact else [{"type": sorted(types([s]) or ())} if types([s]) else {} for s in found]
            )
            reason = why_not(literal, loose, only_type_and_choice=True)
            if reason:
                return f"{literal!r} {reason}"
        return ""

    def _outcome(self, runbook: Runbook, number: int, cause: Cause) -> None:
        if cause.fix is None and cause.steps is None:
            self._say(
                self._at("causes", number),
                f"cause `{cause.id}` has neither a fix nor steps: a reader is left alone",
                "warning",
            )
        if cause.steps is not None and section(self.document, cause.steps) is None:
            self._say(self._at("causes", number, "steps"), f"the page has no heading `{cause.steps}`")
        fix = cause.fix
        if fix is None:
            return
        self._references(runbook, ("causes", number, "fix", "target"), fix.target)
        parts = next(references_in(fix.target), ())
        if not parts or parts[0] not in ("service", "nearest") or not re.fullmatch(r"\$[\w.-]+", fix.target):
            self._say(self._at("causes", number, "fix", "target"), "a fix is for `$service` or `$nearest.<kind>`")
        shape = self._actions.get(fix.action)
        if shape is None:
            line = self._at("causes", number, "fix", "action")
            self._say(line, f"unknown action `{fix.action}`; there are {_list(self._actions)}")
            return
        path = ("causes", number, "fix", "args")
        self._arguments(runbook, path, fix.args, shape.params_schema, f"action `{fix.action}`", tuple(runbook.checks))

    # -- arguments and references

    def _arguments(
        self,
        runbook: Runbook,
        path: tuple[str | int, ...],
        given: Mapping[str, Any],
        schema: Schema,
        what: str,
        checks: Sequence[str],
    ) -> None:
        properties = schema.get("properties") or {}
        for name in schema.get("required") or ():
            if name not in given:
                self._say(self._at(*path), f"{what} needs `{name}`")
        for name, value in given.items():
            line = self._at(*path, name)
            if name not in properties:
                self._say(line, f"{what} has no `{name}`; there are {_list(properties)}")
                continue
            accepted = below(schema, [name], schema)
            accepted = [] if isinstance(accepted, int) else accepted
            parts = next(references_in(value), None)
            if parts is None:
                reason = why_not(value, accepted)
                if reason:
                    self._say(line, f"`{name}`: {value!r} {reason}")
            elif parts[0] not in ("service", "nearest") and not checks:
                self._say(line, f"`{name}`: a check cannot use what another check has seen")
            else:
                self._references(runbook, (*path, name), value, accepted)

    def _references(
        self, runbook: Runbook, path: tuple[str | int, ...], value: str, accepted: Sequence[Schema] = ()
    ) -> None:
        line = self._at(*path)
        if path[-1] != "says" and "$" in value and not re.fullmatch(r"\$[A-Za-z_][\w.-]*", value):
            self._say(line, f"{value!r}: a reference stands alone; arguments are not put together from pieces")
            return
        for parts in references_in(value):
            reason = self._reference(runbook, parts, accepted)
            if reason:
                self._say(line, f"`${'.'.join(parts)}`: {reason}")

    def _reference(self, runbook: Runbook, parts: tuple[str, ...], accepted: Sequence[Schema]) -> str:
        found: list[Schema] | str
        if parts[0] == "service":
            found = [{"type": "string"}] if len(parts) == 1 else "a service has no fields here"
        elif parts[0] == "nearest":
            found = [{"type": "string"}] if len(parts) == 2 else "write `$nearest.<kind>`"
        elif parts[0] not in runbook.checks:
            found = f"there is no check `{parts[0]}`; there are {_list(runbook.checks)}"
        elif len(parts) == 1:
            found = "name a field of the check"
        else:
            shape = self._tools.get(runbook.checks[parts[0]].tool)
            found = [] if shape is None else _field(shape.output_schema, parts[1:])
        if isinstance(found, str):
            return found
        gives, takes = types(found), types(accepted)
        if found and accepted and gives is not None and takes is not None and not gives & (takes | _whole(takes)):
            return f"is {' or '.join(sorted(gives))}, and {' or '.join(sorted(takes))} is needed"
        return ""


def _whole(takes: set[str]) -> set[str]:
    return {"integer"} if "number" in takes else set()


def _field(schema: Schema, path: Sequence[str | int]) -> list[Schema] | str:
    """The schemas of a field of a tool's result, or what is wrong with the path."""
    found = below(schema, path, schema)
    if isinstance(found, int):
        above = below(schema, path[:found], schema)
        there = names(above) if isinstance(above, list) else []
        return f"the result has no `{path[found]}` there" + (f"; there are {', '.join(there)}" if there else "")
    return found


def _list(known: Iterator[str] | Mapping[str, Any]) -> str:
    return ", ".join(sorted(known)) or "none"
