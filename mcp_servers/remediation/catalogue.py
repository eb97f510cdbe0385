"""The closed catalogue of actions: data beside plays, read and checked once at start-up.

An action is a play `plays/<id>.yml` and what it promises, `plays/<id>.action.yaml` (docs/grant.md describes both).
The digest of the catalogue covers every promise, play and module byte, so an approval given for one catalogue is
worth nothing on another.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mcp_servers.inventory import Service
from mcp_servers.remediation import lint
from mcp_servers.remediation.canonical import digest, same
from mcp_servers.remediation.proposal import ActionId, CannotUndo, Risk, Scalar

HERE = Path(__file__).parent
FACETS = ("health", "listen", "supervisor", "logs", "config", "disk", "postgres")


class CatalogueError(ValueError):
    """The catalogue cannot be used; the message says which file and why."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TextParam(_Closed):
    """A text that must match `pattern` as a whole."""

    type: Literal["string"]
    pattern: str
    maxLength: int = Field(ge=1, le=1024)
    description: str

    def wrong(self, value: Any) -> str:
        """Return why `value` is not one, or nothing."""
        if not isinstance(value, str):
            return "must be a text"
        if len(value) > self.maxLength:
            return f"is longer than {self.maxLength} characters"
        return "" if re.fullmatch(self.pattern, value) else f"does not match {self.pattern}"


class NumberParam(_Closed):
    """A whole number within bounds."""

    type: Literal["integer"]
    minimum: int
    maximum: int
    description: str

    def wrong(self, value: Any) -> str:
        """Return why `value` is not one, or nothing."""
        if not isinstance(value, int) or isinstance(value, bool):
            return "must be a whole number"
        return "" if self.minimum <= value <= self.maximum else f"must be {self.minimum} to {self.maximum}"


Param = Annotated[TextParam | NumberParam, Field(discriminator="type")]


class Params(_Closed):
    """A closed JSON schema of the parameters: nothing that is not named here is accepted."""

    type: Literal["object"]
    additionalProperties: Literal[False]
    properties: dict[ActionId, Param]
    required: list[ActionId] = []

    def wrong(self, values: Mapping[str, Any]) -> str:
        """Return one sentence on the first parameter that is wrong, or nothing."""
        for name in values:
            if name not in self.properties:
                known = ", ".join(self.properties) or "none"
                return f"Unknown parameter {name!r}; the action takes: {known}."
        for name in self.required:
            if name not in values:
                return f"The parameter {name!r} is missing."
        for name, value in values.items():
            if reason := self.properties[name].wrong(value):
                return f"The parameter {name!r} {reason}."
        return ""


class Precondition(_Closed):
    """When the action may be taken: `says` for people; for the program at least one of `any_of` holds.

    Each alternative maps a fact of the rehearsal's `before` to its allowed values; `$name` stands for a parameter.
    """

    says: str = Field(min_length=1, max_length=1000)
    any_of: list[dict[str, list[Scalar]]] = Field(min_length=1)

    def met(self, before: Mapping[str, Scalar], params: Mapping[str, Scalar]) -> bool:
        """Whether the facts allow the action."""
        return any(
            all(
                fact in before and any(same(before[fact], value) for value in _allowed(values, params))
                for fact, values in alternative.items()
            )
            for alternative in self.any_of
        )


def _allowed(values: list[Scalar], params: Mapping[str, Scalar]) -> Iterator[Scalar]:
    for value in values:
        if isinstance(value, str) and value.startswith("$"):
            if value[1:] in params:
                yield params[value[1:]]
        else:
            yield value


class ExpectTemplate(_Closed):
    """A look by a diagnostics tool afterwards; `$target` in its arguments stands for the service."""

    tool: ActionId
    args: dict[str, Scalar]
    field: str
    equals: Scalar


class UndoTemplate(_Closed):
    """The action that gives back; `$name` in a parameter stands for a value that the module gives for it."""

    action: ActionId
    params: dict[str, Scalar]


class Promise(_Closed):
    """One `<id>.action.yaml`."""

    id: ActionId
    title: str = Field(min_length=1, max_length=120)
    description: str = Field(min_length=1, max_length=2000)
    risk: Risk
    params: Params
    precondition: Precondition
    expect: list[ExpectTemplate] = Field(min_length=1)
    undo: UndoTemplate | CannotUndo
    reversible: bool
    """False where acting takes something away that nothing gives back; such an action is never of low risk."""
    requires: list[Literal["health", "listen", "supervisor", "logs", "config", "disk", "postgres"]]
    limit_s: int = Field(ge=1, le=300)
    """How long the play may take."""

    @model_validator(mode="after")
    def _honest(self) -> Promise:
        if not self.reversible and self.risk == "low":
            raise ValueError("an action that is not reversible cannot be of low risk")
        if isinstance(self.undo, UndoTemplate) and not self.reversible:
            raise ValueError("it names an undo and says that it is not reversible")
        for param in self.params.properties.values():
            if isinstance(param, TextParam):
                re.compile(param.pattern)
        return self


@dataclass(frozen=True)
class Action:
    """An action of the catalogue: what it promises and the play that does it."""

    promise: Promise
    play: Path

    @property
    def id(self) -> str:
        return self.promise.id

    @property
    def risk(self) -> Risk:
        return self.promise.risk

    @property
    def precondition(self) -> Precondition:
        return self.promise.precondition

    @property
    def undo(self) -> UndoTemplate | CannotUndo:
        return self.promise.undo

    def wrong_params(self, params: Mapping[str, Any]) -> str:
        """Return one sentence on the first parameter that is wrong, or nothing."""
        return self.promise.params.wrong(params)

    def missing_facets(self, service: Service) -> list[str]:
        """Return what the action needs and the inventory does not say of `service`."""
        return [facet for facet in self.promise.requires if not getattr(service, facet)]

    def expectations(self, target: str) -> list[dict[str, Any]]:
        """Return the looks afterwards, for `target`."""
        return [
            {**template.model_dump(), "args": {k: target if v == "$target" else v for k, v in template.args.items()}}
            for template in self.promise.expect
        ]

    def undo_for(self, target: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what undoes the action on `target`, with what the module has `given` for it.

        Raises CatalogueError when the module gave less than the template needs.
        """
        if isinstance(self.undo, CannotUndo):
            return self.undo.model_dump()
        params: dict[str, Scalar] = {}
        for name, value in self.undo.params.items():
            if isinstance(value, str) and value.startswith("$"):
                if value[1:] not in given:
                    raise CatalogueError(f"{self.id}: the play gave no {value[1:]!r} for the undo")
                value = given[value[1:]]
            params[name] = value
        return {"action": self.undo.action, "target": target, "params": params}

    def public(self) -> dict[str, Any]:
        """Return the action as `list_actions` shows it."""
        promise = self.promise.model_dump()
        return {
            "id": self.id,
            "title": self.promise.title,
            "description": self.promise.description,
            "risk": self.risk,
            "params_schema": promise["params"],
            "precondition": self.precondition.says,
            "expect": promise["expect"],
            "undo": promise["undo"],
            "undoable": isinstance(self.undo, UndoTemplate),
        }


@dataclass(frozen=True)
class Catalogue:
    """All actions by id, and the digest over everything they are made of."""

    actions: Mapping[str, Action]
    digest: str


def load_catalogue(code: Path = HERE) -> Catalogue:
    """Read and check every action. Raises CatalogueError, naming the file."""
    plays, modules = code / "plays", code / "modules"
    actions: dict[str, Action] = {}
    content: dict[str, Any] = {}
    try:
        for path in sorted(plays.glob("*.action.yaml")):
            action = _read_action(path, modules)
            actions[action.id] = action
            content[path.name] = {"promise": action.promise.model_dump(), "play": _sha256(action.play)}
        strays = {path.stem for path in plays.glob("*.yml")} - set(actions)
        if strays:
            raise CatalogueError(f"{plays}: plays without an .action.yaml beside them: {', '.join(sorted(strays))}")
        files = {f"{path.parent.name}/{path.name}": _sha256(path) for path in _python(code)}
    except OSError as error:
        raise CatalogueError(f"cannot read the catalogue: {error}") from error
    if not actions:
        raise CatalogueError(f"{plays}: no actions")
    for action in actions.values():
        _check_undo(action, actions)
    return Catalogue(actions, digest({"actions": content, "code": files}))


def _read_action(path: Path, modules: Path) -> Action:
    try:
        promise = Promise.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError, re.error) as error:
        raise CatalogueError(f"{path}: {error}") from error
    if path.name != f"{promise.id}.action.yaml":
        raise CatalogueError(f"{path}: it describes {promise.id!r}; name it {promise.id}.action.yaml")
    play = path.with_name(f"{promise.id}.yml")
    if not play.is_file():
        raise CatalogueError(f"{path}: there is no play {play.name} beside it")
    if complaints := lint.play_complaints(play, {module.stem for module in modules.glob("*.py")}):
        raise CatalogueError(f"{play}: {complaints[0]}")
    return Action(promise, play)


def _check_undo(action: Action, actions: Mapping[str, Action]) -> None:
    if not isinstance(action.undo, UndoTemplate):
        return
    back = actions.get(action.undo.action)
    if back is None:
        raise CatalogueError(f"{action.id}: its undo {action.undo.action!r} is not in the catalogue")
    unknown = set(action.undo.params) - set(back.promise.params.properties)
    if unknown:
        raise CatalogueError(f"{action.id}: its undo gives parameters that {back.id!r} has not: {sorted(unknown)}")


def _python(code: Path) -> list[Path]:
    files = [path for name in ("modules", "module_utils", "callback") for path in sorted((code / name).glob("*.py"))]
    for path in files:
        if complaints := lint.module_complaints(path):
            raise CatalogueError(f"{path}: {complaints[0]}")
    return files


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
