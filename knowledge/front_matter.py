"""The YAML between two `---` lines at the top of a page, with the line each value stands on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

MAX_CHARACTERS = 64_000
_FENCE = re.compile(r"^---[ \t]*$")


class FrontMatterError(ValueError):
    """The front matter cannot be read; `line` is the line of the file."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Split:
    """A page in two parts. `yaml_line` and `body_line` are the lines (from 1) on which each begins."""

    yaml: str | None
    body: str
    yaml_line: int
    body_line: int


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The values, and the nodes they were read from."""

    values: dict[str, Any]
    node: yaml.MappingNode
    first_line: int

    def find(self, path: Sequence[str | int]) -> yaml.Node:
        """The node at `path`; where the path leads nowhere, the nearest one above."""
        node: yaml.Node = self.node
        for step in path:
            below = _below(node, step)
            if below is None:
                break
            node = below
        return node

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the file on which the value at `path` (or the nearest above it) begins."""
        return int(self.find(path).start_mark.line) + self.first_line

    def key_line(self, path: Sequence[str | int], key: str) -> int:
        """The line of `key` itself within the mapping at `path`."""
        node = self.find(path)
        if isinstance(node, yaml.MappingNode):
            for name, _ in node.value:
                if name.value == key:
                    return int(name.start_mark.line) + self.first_line
        return self.line(path)


def _below(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    return None


def split(text: str) -> Split:
    """Part a page in front matter and body. A page without front matter is all body.

    Raises FrontMatterError when the first `---` is never closed.
    """
    lines = text.splitlines(keepends=True)
    if not lines or not _FENCE.match(lines[0].rstrip("\r\n")):
        return Split(None, text, 1, 1)
    for number, line in enumerate(lines[1:], start=1):
        if _FENCE.match(line.rstrip("\r\n")):
            return Split("".join(lines[1:number]), "".join(lines[number + 1 :]), 2, number + 2)
    if not any(re.match(r"\w+:", line) for line in lines[1:5]):
        return Split(None, text, 1, 1)  # a thematic break, as Markdown calls it, and no front matter
    raise FrontMatterError("the front matter begins with --- and is never closed by another ---", 1)


def parse(source: str, first_line: int) -> FrontMatter:
    """Read the YAML of a front matter. Raises FrontMatterError with the line of the file."""
    if len(source) > MAX_CHARACTERS:
        raise FrontMatterError(f"the front matter is longer than {MAX_CHARACTERS} characters", first_line)
    try:
        _refuse_aliases(source, first_line)
        node = yaml.compose(source, Loader=yaml.SafeLoader)
        if node is None:
            mark = yaml.Mark("", 0, 0, 0, None, 0)
            node = yaml.MappingNode("tag:yaml.org,2002:map", [], mark, mark)
        if not isinstance(node, yaml.MappingNode):
            raise FrontMatterError("the front matter is not a list of `key: value`", first_line)
        _refuse_duplicates(node, first_line)
        values = yaml.safe_load(source) or {}
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        line = (place.line if place else 0) + first_line
        raise FrontMatterError(f"the front matter is not valid YAML: {error.problem or error.context}", line) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, FrontMatterError):
            raise
        raise FrontMatterError(f"the front matter is not valid YAML: {error}", first_line) from error
    return FrontMatter(values, node, first_line)


def _refuse_aliases(source: str, first_line: int) -> None:
    """A few aliases of aliases make a page of a few lines into gigabytes."""
    for event in yaml.parse(source, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = (event.start_mark.line if event.start_mark else 0) + first_line
            raise FrontMatterError("anchors and aliases (& and *) are not used here: write the value out", line)


def _refuse_duplicates(node: yaml.Node, first_line: int) -> None:
    """YAML would quietly keep the last of two equal keys."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(item, first_line)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise FrontMatterError("a key is a word, not a list or a mapping", key.start_mark.line + first_line)
        if key.value in seen:
            raise FrontMatterError(f"`{key.value}` is written twice", key.start_mark.line + first_line)
        seen.add(key.value)
        _refuse_duplicates(value, first_line)
