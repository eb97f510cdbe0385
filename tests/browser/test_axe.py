"""axe-core finds nothing in any state, in either theme and width: WCAG 2.2 AA and its best practices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser.states import STATES, THEMES, WIDTHS, shown
from tests.npm_packages import installed

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
SAMPLE = (
    ("chat-empty", 390, "light"),
    ("chat-running", 1280, "dark"),
    ("chat-card-low", 390, "dark"),
    ("approval-medium-before", 1280, "light"),
    ("approval-medium-seen", 390, "dark"),
    ("approval-edit", 1280, "dark"),
    ("approval-reject", 390, "light"),
    ("approval-verified", 1280, "light"),
    ("console-incidents", 390, "dark"),
    ("console-incident", 1280, "light"),
    ("sign-in-people", 390, "light"),
)
ALL = [(name, width, theme) for name in STATES for width in WIDTHS for theme in THEMES]


@pytest.fixture(scope="module")
def axe(chrome: Browser) -> str:
    """The library's source."""
    _, folder = installed(Path(__file__).parent)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def found(chrome: Browser, axe: str, name: str, width: int, theme: str) -> list[str]:
    """Return what axe has to say against a state."""
    with shown(chrome, name, width=width, theme=theme, bypass_csp=True) as page:
        page.evaluate(axe)
        result: dict[str, Any] = page.evaluate(
            "(tags) => axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })", TAGS
        )
    return [
        f"{one['id']}: {node['target']} {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for one in result["violations"]
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("name", "width", "theme"), SAMPLE)
def test_axe_finds_nothing(chrome: Browser, axe: str, name: str, width: int, theme: str) -> None:
    assert found(chrome, axe, name, width, theme) == []


@pytest.mark.nightly
@pytest.mark.parametrize(("name", "width", "theme"), [one for one in ALL if one not in SAMPLE])
def test_axe_finds_nothing_in_any_other_state(chrome: Browser, axe: str, name: str, width: int, theme: str) -> None:
    assert found(chrome, axe, name, width, theme) == []
