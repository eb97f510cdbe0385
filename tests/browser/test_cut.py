"""A stream that breaks off after any event: the widget asks for the rest, and the page ends up the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser.canned import Canned, at_that_time, recorded, serving
from tests.browser.world import until

TEXT = """() => {
  const text = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.textContent;
    if (["STYLE", "SCRIPT"].includes(node.nodeName)) return "";
    const given = node.nodeName === "SLOT" ? node.assignedNodes() : null;
    return [...(given ?? (node.shadowRoot ?? node).childNodes)].map(text).join(" ");
  };
  const frame = document.querySelector("countersign-frame");
  const chat = frame.shadowRoot.querySelector("countersign-chat");
  return text(chat.shadowRoot.querySelector(".log")).replace(/\\s+/g, " ").trim();
}"""
EVENTS = len(recorded("low")["events"])
SAMPLE = sorted({1, 12, 40, 80, 83, 85, 88, EVENTS} & set(range(1, EVENTS + 1)))


@pytest.fixture(scope="module")
def context(chrome: Browser) -> Iterator[BrowserContext]:
    """A browser whose clock stands at the time of the recording."""
    one = chrome.new_context(viewport={"width": 480, "height": 900})
    at_that_time(one, recorded("low"))
    yield one
    one.close()


def final_text(context: BrowserContext, cut: int) -> str:
    """Return what stands in the conversation at its end, when the first stream breaks off after `cut` events."""
    canned = Canned(recorded("low"))
    canned.cut = cut
    with serving(canned):
        page = context.new_page()
        page.add_init_script(f"sessionStorage.setItem('countersign.thread', {canned.thread!r})")
        page.goto(f"{canned.origin}/embed")
        expect(page.locator("countersign-tail").last).to_be_attached()
        expect(page.locator("countersign-card .state").first).to_contain_text("Ran and verified")
        page.wait_for_function("document.fonts.ready.then(() => true)")
        until(lambda: canned.streams == (2 if cut else 1))
        said = str(page.evaluate(TEXT))
        page.close()
    return said


@pytest.fixture(scope="module")
def whole(context: BrowserContext) -> str:
    """What stands there when nothing breaks off."""
    said = final_text(context, 0)
    assert "The fix ran and is verified" in said and "Ran and verified" in said
    return said


@pytest.mark.parametrize("cut", SAMPLE)
def test_a_stream_cut_after_an_event_ends_in_the_same_page(context: BrowserContext, whole: str, cut: int) -> None:
    assert final_text(context, cut) == whole


@pytest.mark.nightly
@pytest.mark.parametrize("cut", [cut for cut in range(1, EVENTS + 1) if cut not in SAMPLE])
def test_a_stream_cut_after_every_other_event_ends_in_the_same_page(
    context: BrowserContext, whole: str, cut: int
) -> None:
    assert final_text(context, cut) == whole
