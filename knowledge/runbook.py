"""What a page's front matter says when it is executable: checks to make, causes to tell apart, a fix for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from knowledge.conditions import RESERVED, Condition, ConditionError
from knowledge.references import references_in

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=120)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Scalar = str | bool | int
CheckName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
MAX_CHECKS = 20
MAX_CAUSES = 20
_BOUND_LATER = frozenset({"service", "nearest"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Check(_Strict):
    """One look at the systems: a diagnostics tool and its arguments, which may refer to `$service` and
    `$nearest.<kind>`."""

    tool: Word
    args: dict[str, Scalar] = Field(default_factory=dict)


class Fix(_Strict):
    """An action of the catalogue, whom it is for, and its parameters, which may refer to what a check has seen."""

    action: Word
    target: str = "$service"
    args: dict[str, Scalar] = Field(default_factory=dict)


class Cause(_Strict):
    """What may be wrong, the condition under which it is, and what to do: a fix, or a section to follow by hand."""

    id: Word
    says: Sentence
    when: str
    fix: Fix | None = None
    steps: str | None = None

    @field_validator("when")
    @classmethod
    def _compiles(cls, when: str) -> str:
        try:
            Condition(when)
        except ConditionError as error:
            raise ValueError(str(error)) from error
        return when

    @cached_property
    def condition(self) -> Condition:
        """The compiled condition."""
        return Condition(self.when)


class Runbook(_Strict):
    """The executable part of a page."""

    id: Word
    title: Sentence
    owner: Word
    reviewed: date
    alerts: tuple[Word, ...] = ()
    symptoms: tuple[Sentence, ...] = ()
    applies_to: tuple[Word, ...] = ()
    checks: dict[CheckName, Check] = Field(min_length=1, max_length=MAX_CHECKS)
    causes: tuple[Cause, ...] = Field(min_length=1, max_length=MAX_CAUSES)

    @field_validator("alerts", "symptoms", "applies_to", "causes", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("checks")
    @classmethod
    def _names(cls, checks: dict[str, Check]) -> dict[str, Check]:
        for name in checks:
            if name in RESERVED | _BOUND_LATER:
                raise ValueError(f"`{name}` cannot be the name of a check: the word has a meaning of its own")
        return checks

    @model_validator(mode="after")
    def _causes_differ(self) -> Runbook:
        ids = [cause.id for cause in self.causes]
        if len(ids) != len(set(ids)):
            raise ValueError("two causes have the same id")
        return self

    def may_serve(self, kind: str) -> bool:
        """Whether `$service` may stand for a service of this kind."""
        return not self.applies_to or kind in self.applies_to


def is_executable(values: Mapping[str, Any]) -> bool:
    """A front matter with checks or causes means to be executed; any other only describes its page."""
    return "checks" in values or "causes" in values


def read_runbook(values: Mapping[str, Any]) -> Runbook | list[tuple[tuple[str | int, ...], str]]:
    """Return the runbook, or every error as (path of the value, sentence)."""
    try:
        return Runbook.model_validate(dict(values))
    except ValidationError as error:
        return [_plain(item["loc"], item["msg"], item["type"]) for item in error.errors(include_url=False)]


def _plain(loc: tuple[str | int, ...], message: str, kind: str) -> tuple[tuple[str | int, ...], str]:
    path = tuple(step for step in loc if step != "[key]" and not re.match(r"function-|(str|bool|int)$", str(step)))
    name = ".".join(map(str, path)) or "the front matter"
    if kind == "extra_forbidden":
        return path, f"unknown key `{name}`"
    if kind == "missing":
        return path, f"`{name}` is missing"
    return path, f"`{name}`: {message.removeprefix('Value error, ')}"


def references(runbook: Runbook) -> Iterator[tuple[tuple[str | int, ...], tuple[str, ...]]]:
    """Every `$reference` of a runbook as (path of the value, parts of the reference)."""
    places: list[tuple[tuple[str | int, ...], Sequence[Any]]] = []
    for name, check in runbook.checks.items():
        places += [(("checks", name, "args", key), [value]) for key, value in check.args.items()]
    for number, cause in enumerate(runbook.causes):
        places.append((("causes", number, "says"), [cause.says]))
        if cause.fix is not None:
            places.append((("causes", number, "fix", "target"), [cause.fix.target]))
            places += [(("causes", number, "fix", "args", key), [value]) for key, value in cause.fix.args.items()]
    for path, values in places:
        for value in values:
            for parts in references_in(value):
                yield path, parts
