"""Tool pins: the definitions we reviewed, by digest. A server whose tools differ in any way is not used.

The whole set of a server is pinned, not each tool alone, so that a rename, an addition or a removal shows as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import rfc8785
from mcp.types import Tool

from agent.core.errors import Refused

PINS = Path(__file__).with_name("pins.json")


def definition(tool: Tool) -> dict[str, Any]:
    """Return what is pinned of a tool: all that a caller or a model goes by."""
    full = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        key: full[key] for key in ("name", "description", "inputSchema", "outputSchema", "annotations") if key in full
    }


def set_digest(definitions: Iterable[Mapping[str, Any]]) -> str:
    """Return the digest of a whole set of definitions, whatever order they were listed in."""
    ordered = sorted((dict(one) for one in definitions), key=lambda one: one["name"])
    return "sha256:" + hashlib.sha256(rfc8785.dumps(ordered)).hexdigest()


@cache
def _pins() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(PINS.read_text(encoding="utf-8"))
    return content


def pinned() -> dict[str, list[dict[str, Any]]]:
    """Return the pinned tool definitions by server, as committed beside this file."""
    return {server: list(tools) for server, tools in _pins()["tools"].items()}


def pinned_actions() -> list[dict[str, Any]]:
    """Return the catalogue's actions as they were when the pins were made: what a page's fix may name."""
    return list(_pins()["actions"])


def pinned_digest() -> str:
    """Return one digest over all pinned servers; it stands in every proposal."""
    joined = {server: set_digest(tools) for server, tools in pinned().items()}
    return "sha256:" + hashlib.sha256(rfc8785.dumps(joined)).hexdigest()


def check(server: str, tools: Iterable[Tool], pins: Mapping[str, list[dict[str, Any]]] | None = None) -> None:
    """Return when the listed tools are exactly the pinned ones; raise Refused and name the differences otherwise."""
    expected = {one["name"]: one for one in (pinned() if pins is None else pins).get(server, [])}
    offered = {tool.name: definition(tool) for tool in tools}
    differences = [f"{name} is new" for name in sorted(offered.keys() - expected.keys())]
    differences += [f"{name} is gone" for name in sorted(expected.keys() - offered.keys())]
    differences += [
        f"{name} has changed" for name in sorted(offered.keys() & expected.keys()) if offered[name] != expected[name]
    ]
    if differences:
        raise Refused(
            "tools_changed",
            f"the tools of the {server} server are not the ones that were reviewed "
            f"({'; '.join(differences)}); it is not used. After a review: `countersign mcp pin`",
        )


def write(tools: Mapping[str, list[dict[str, Any]]], actions: list[dict[str, Any]]) -> None:
    """Write the pins after a person reviewed the definitions."""
    content = {"tools": tools, "actions": actions}
    PINS.write_text(json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    _pins.cache_clear()
