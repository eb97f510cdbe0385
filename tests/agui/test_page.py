"""A small page of another site, with AG-UI's client and a key: it asks, shows the card and completes the approval."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.agui.conftest import APPROVER, World
from tests.agui.test_conformance import TROUBLE
from tests.browser import chromium

LOOK_SECONDS = 30


@pytest.fixture(scope="module")
def browser() -> Path:
    """A Chromium that starts; without one these tests are skipped, and the summary says why."""
    found = chromium.find()
    if found is None:
        pytest.skip(chromium.WHY_NOT)
    return found


@pytest.fixture
def page(browser: Path, broken: World) -> Iterator[tuple[Page, list[str]]]:
    """The page in a browser, with everything that its console said."""
    said: list[str] = []
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=browser, args=[*chromium.FLAGS])
        shown = chrome.new_page()
        shown.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.goto(broken.site.show({"origin": broken.origin, "key": broken.approver}))
        yield shown, said
        chrome.close()


def test_a_page_of_another_site_completes_an_approval(page: tuple[Page, list[str]], broken: World) -> None:
    shown, said = page
    expect.set_options(timeout=LOOK_SECONDS * 1000)
    shown.get_by_label("What is wrong?").fill(TROUBLE)
    shown.get_by_role("button", name="Ask").click()
    expect(shown.locator("#state")).to_have_text("waiting for you")
    card = shown.locator("#card")
    name = broken.lab.application.name
    expect(card.get_by_role("heading")).to_contain_text(name)
    assert json.loads(card.locator("#exact").inner_text())["target"] == name
    expect(card.locator("#fix")).to_have_text("awaiting")
    assert not broken.seen_from_outside().ok

    card.get_by_role("button", name="Approve").click()
    expect(shown.locator("#state")).to_have_text("idle")
    expect(card.locator("#fix")).to_have_text("verified")
    assert said == []
    assert broken.seen_from_outside().ok, "the page says that it is verified, and users see it broken"
    with broken.api() as api:
        (decided, *_) = api.get("/api/proposals", params={"state": "verified"}).json()["proposals"]
    assert decided["decision"]["by"] == APPROVER and decided["target"]["name"] == name
