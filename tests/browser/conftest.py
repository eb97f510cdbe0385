"""The browser that the tests in this folder share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium as browser
from tests.browser.world import Demo, Person, open_browser, running_demo

UNBUILT = "the browser pages have not been built (make widget), so there is nothing to look at"


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return a Chromium that starts; without one, whoever asks for it is skipped, and the summary says why."""
    found = browser.find()
    if found is None:
        pytest.skip(browser.WHY_NOT)
    return found


@pytest.fixture(scope="module")
def chrome(chromium: Path) -> Iterator[Browser]:
    """A running browser. One for each module: Playwright's loop must be gone before other tests have one of theirs."""
    from agent.api.pages import BUNDLE

    if not (BUNDLE / "frame.js").exists():
        pytest.skip(UNBUILT)
    with open_browser(chromium) as one:
        yield one


@pytest.fixture(scope="module")
def demo(chrome: Browser) -> Iterator[Demo]:
    """A demo with its two sites, shared by a module's tests. It asks for the browser first: without it none starts."""
    with running_demo() as one:
        yield one


@pytest.fixture(scope="module")
def dana(demo: Demo) -> Iterator[Person]:
    """An approver on another device."""
    with demo.person("dana.meyer") as one:
        yield one
