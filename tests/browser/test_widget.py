"""The widget where nobody is kind to it: hostile styles and texts, small windows, other languages, no motion."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.canned import Canned, at_that_time, recorded, serving
from tests.browser.states import CARD, shown
from tests.browser.world import Witness

WIDGET = Path(__file__).resolve().parents[2] / "agent" / "widget"
HOST = """<!doctype html><html lang="en"><title>Host</title><style>{css}</style><body>
<script type="module" src="/widget.js"></script><countersign-chat></countersign-chat></body></html>"""
LOOSE = {"Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'"}
STYLES = {
    "everything unset": "* { all: unset !important; font: 40px serif !important; }",
    "everything gone": ":not(html, body, countersign-chat) { display: none !important; visibility: hidden !important;"
    " opacity: 0 !important; }",
    "unreadable": "* { color: #fff !important; background: #fff !important; line-height: 0 !important; opacity: 0.99;"
    " letter-spacing: 2em !important; text-transform: uppercase !important; }",
    "reset by hand": "html { font-size: 4px; } *, ::before, ::after { box-sizing: content-box !important; margin: 30px;"
    " padding: 30px; border: 5px solid red; font-family: cursive; } :root { --_text: red; --_background: red; }",
}
LEGIBLE = """() => {
  const card = document.querySelector("countersign-chat").shadowRoot.querySelector("countersign-card");
  const heading = card.shadowRoot.querySelector("h3, [role=heading]");
  const style = getComputedStyle(heading);
  const place = heading.getBoundingClientRect();
  return { size: parseFloat(style.fontSize), family: style.fontFamily, color: style.color,
    transform: style.textTransform, spacing: style.letterSpacing, line: style.lineHeight, seen: style.visibility,
    display: style.display,
    width: place.width, height: place.height };
}"""


@contextmanager
def showing(chrome: Browser, canned: Canned, path: str, **context: Any) -> Iterator[tuple[Page, Witness]]:
    """A page of a canned server, with a witness."""
    own = chrome.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    witness = Witness().watch(own)
    at_that_time(own, canned.told)
    try:
        with serving(canned):
            page = own.new_page()
            page.add_init_script(f"sessionStorage.setItem('countersign.thread', {canned.thread!r})")
            page.goto(canned.origin + path)
            yield page, witness
    finally:
        own.close()


@pytest.mark.parametrize("name", STYLES)
def test_a_host_pages_styles_leave_the_widget_legible(chrome: Browser, name: str) -> None:
    plain = measured(chrome, "")
    assert plain["size"] > 14 and plain["width"] > 100
    hostile = measured(chrome, STYLES[name])
    for key in ("size", "family", "color", "transform", "spacing", "line", "seen", "display"):
        assert hostile[key] == plain[key], f"{key}: {hostile[key]} for {plain[key]}"
    assert hostile["width"] > 100 and hostile["height"] >= plain["height"] * 0.9


def measured(chrome: Browser, css: str) -> dict[str, Any]:
    """Return how the card's heading looks on a page with these styles."""
    canned = Canned(recorded("low"))
    canned.while_open()
    canned.documents["/host/page"] = (HOST.format(css=css), LOOSE)
    with showing(chrome, canned, "/host/page") as (page, _):
        expect(page.locator("countersign-card")).to_be_attached()
        page.wait_for_timeout(200)
        return dict(page.evaluate(LEGIBLE))


def hostile_texts() -> list[str]:
    """Return the corpus that the widget's own tests keep."""
    source = (WIDGET / "tests" / "markdown.test.ts").read_text(encoding="utf-8")
    block = source.split("const HOSTILE = [", 1)[1].split("\n];", 1)[0]
    found = re.findall(r'^\s*("(?:[^"\\]|\\.)*")', block, re.M)
    return [json.loads(one) for one in found] + ["<img src=x onerror=window.hit=1>", "<script>window.hit=1</script>"]


OURS = set(
    "A BLOCKQUOTE BR BUTTON CODE DEL DIV EM H3 H4 H5 H6 HR LI OL P PRE SPAN STRONG TABLE TBODY TD TH THEAD TR UL"
    " SVG PATH".split()
)
ELEMENTS = """() => {
  const found = [];
  for (const answer of document.querySelector("countersign-frame").shadowRoot.querySelector("countersign-chat")
    .shadowRoot.querySelectorAll("countersign-answer"))
    for (const one of answer.shadowRoot.querySelectorAll("*")) found.push([one.tagName.toUpperCase(),
      one.getAttribute("href"), one.getAttributeNames().filter((name) => /^on|^src|^style/.test(name)).join()]);
  return found;
}"""


def test_hostile_text_runs_nothing_fetches_nothing_and_makes_no_element(chrome: Browser) -> None:
    texts = hostile_texts()
    assert len(texts) > 25
    canned = Canned(recorded("low"))
    canned.while_open()
    for n, text in enumerate(texts):
        for event in (
            {"type": "TEXT_MESSAGE_START", "messageId": f"bad-{n}", "role": "assistant"},
            {"type": "TEXT_MESSAGE_CONTENT", "messageId": f"bad-{n}", "delta": text},
            {"type": "TEXT_MESSAGE_END", "messageId": f"bad-{n}"},
        ):
            canned.events.append((1000 + len(canned.events), event))
    with showing(chrome, canned, "/embed") as (page, witness):
        expect(page.locator("countersign-answer")).to_have_count(len(texts) + 1)
        page.wait_for_timeout(500)
        elements = page.evaluate(ELEMENTS)
        assert page.evaluate("window.hit") is None
        assert witness.foreign(canned.origin) == []
        assert witness.violations == [] and witness.errors == []
    assert {tag for tag, _, _ in elements} <= OURS
    assert {href for _, href, _ in elements if href and not re.match(r"https?://|mailto:", href)} == set()
    assert {attributes for tag, _, attributes in elements if attributes and tag not in {"SVG", "PATH"}} == set()


TEXT = """() => {
  const all = (node) => {
    if (node.nodeType === Node.TEXT_NODE) return [node.textContent.trim()];
    if (["STYLE", "SCRIPT", "NOSCRIPT", "CODE", "PRE", "COUNTERSIGN-ANSWER"].includes(node.nodeName)) return [];
    const names = ["aria-label", "title", "placeholder"];
    const named = node.nodeType === 1 ? names.map((name) => node.getAttribute(name) ?? "") : [];
    return [...named, ...[...(node.shadowRoot ?? node).childNodes].flatMap(all)];
  };
  return all(document.body).filter(Boolean);
}"""


def catalogue(*names: str) -> dict[str, set[str]]:
    """Return what the English and German catalogues say, for rooms of the interface."""
    found = {}
    for locale in ("en", "de"):
        texts = [(WIDGET / "src" / "text" / locale / f"{name}.ts").read_text(encoding="utf-8") for name in names]
        found[locale] = set(re.findall(r':\s*"((?:[^"\\]|\\.)*)"', "\n".join(texts)))
    return found


@pytest.mark.parametrize(
    ("state", "rooms"),
    [
        ("chat-empty", ("chat",)),
        ("chat-verified", ("chat", "card")),
        ("approval-medium-before", ("card", "console")),
        ("approval-edit", ("card", "console")),
        ("console-incidents", ("console",)),
        ("console-incident", ("console", "card")),
    ],
)
def test_a_german_page_holds_no_sentence_of_the_english_catalogue(
    chrome: Browser, state: str, rooms: tuple[str, ...]
) -> None:
    words = catalogue(*rooms)
    only = {one for one in words["en"] - words["de"] if "{" not in one and len(one) > 3}
    assert len(only) > 50
    name = {"approval-edit": "approval-medium-before"}.get(state, state)
    with shown(chrome, name, locale="de-DE") as page:
        said = set(page.evaluate(TEXT))
        assert said & words["de"], "nothing on the page is German"
        assert said & only == set()
        assert page.evaluate("document.documentElement.lang") == "de"


def test_on_a_phone_the_chat_fills_the_window_and_every_button_of_the_card_can_be_reached(chrome: Browser) -> None:
    canned = Canned(recorded("low"))
    canned.while_open()
    canned.card["you"] = {"may_approve": True, "may_reject": True, "may_edit": True, "why_not": "", "sign_in": False}
    html = '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Host</title><body>'
    canned.documents["/host/page"] = (html + '<script src="/embed.js"></script></body></html>', LOOSE)
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with showing(chrome, canned, "/host/page", **phone) as (page, _):
        page.get_by_role("button", name="Countersign").tap()
        place = page.locator("iframe").bounding_box()
        assert place == {"x": 0, "y": 0, "width": 390, "height": 844}
        card = page.frame_locator("iframe").locator("countersign-card")
        expect(card.locator(".heading")).to_be_visible()
        for name in ("Approve and run on", "Reject", "Ask"):
            button = card.get_by_role("button", name=name).first
            button.scroll_into_view_if_needed()
            button.click(trial=True)
            box = button.bounding_box()
            assert box and box["height"] >= 24 and box["width"] >= 24 and box["x"] >= 0
            assert box["x"] + box["width"] <= 390, f"{name} is cut off"
        inner = page.frames[1]
        assert inner.evaluate("document.documentElement.scrollWidth") <= 390
        # It covers the launcher, so that it has a way out of its own.
        page.frame_locator("iframe").get_by_role("button", name="Close").tap()
        expect(page.locator("iframe")).to_be_hidden()


@pytest.mark.parametrize("name", ["chat-running", "approval-executing", "console-incidents"])
def test_with_reduced_motion_nothing_moves(chrome: Browser, name: str) -> None:
    with shown(chrome, name) as page:
        running = page.evaluate("document.getAnimations().filter((one) => one.playState === 'running').length")
        assert running == 0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("four_eyes", "somebody else has to approve"),
        ("already_decided", "decided this already"),
        ("changed", "changed after you looked"),
        ("expired", "time to decide is over"),
        ("stopped", "Effects are stopped"),
        ("not_you", "did not accept that it is you"),
    ],
)
def test_a_refusal_of_the_server_is_said_in_words_and_the_card_is_asked_for_again(
    chrome: Browser, code: str, words: str
) -> None:
    canned = Canned(recorded("low"))
    canned.while_open()
    canned.card["you"] = {"may_approve": True, "may_reject": True, "may_edit": True, "why_not": "", "sign_in": False}
    canned.refuses = (403 if code in {"four_eyes", "not_you"} else 409, code, "no")
    with showing(chrome, canned, f"/approvals/{canned.card['digest']}") as (page, _):
        page.get_by_role("button", name="Approve and run on").click()
        expect(page.get_by_role("alert")).to_contain_text(words)
    assert [one["decision"] for one in canned.decisions] == ["approve"]
    assert canned.decisions[0]["shown"] == canned.card["shown"]


def test_when_the_time_is_over_the_page_says_so_and_offers_no_approval(chrome: Browser) -> None:
    with shown(chrome, "approval-expired") as page:
        expect(page.locator(CARD)).to_be_visible()
        expect(page.locator("countersign-card")).to_contain_text("Nobody decided in time. Nothing was changed.")
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
