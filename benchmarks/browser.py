"""Measure the chat in a browser: how long an update takes while an answer streams in, and when a card is on screen.

The first against a server without a lab (`tests/browser/canned.py`), since what is measured is the browser: an answer
of 20,000 characters comes in pieces of 16. The second on a real lab, from when the journal has the proposal.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import sleep, time
from typing import Any

from playwright.sync_api import Browser, expect

from benchmarks.figures import summary
from tests.browser import chromium
from tests.browser.canned import Canned, recorded, serving
from tests.browser.world import asks, chat, open_browser, running_demo

CHARACTERS, PIECE = 20_000, 16
PARAGRAPH = (
    "The pool of connections is **exhausted**: `permits-api` waits for `permits-db` [1], and every request waits with "
    "it.\n\n- first look at the lock\n- then at who holds it\n\n| what | how much |\n|---|---|\n| waiting | 37 |\n\n"
    "```sql\nSELECT pid, state FROM pg_stat_activity;\n```\n\n"
)
PROBE = """(() => {
  window.updates = [];
  window.frames_ = [];
  let begun = 0;
  let framed = false;
  const channel = new MessageChannel();
  channel.port1.onmessage = () => { window.frames_.push(performance.now() - begun); framed = false; };
  const request = window.requestAnimationFrame.bind(window);
  const chat = document.querySelector("countersign-frame").shadowRoot.querySelector("countersign-chat").shadowRoot;
  const measure = async () => {
    for (let n = 0; n < 60; n++) await null;  // every element has drawn by then
    chat.querySelector(".log").scrollHeight;  // style and layout, now
    window.updates.push(performance.now() - begun);
  };
  window.requestAnimationFrame = (call) => request((at) => {
    if (!framed) {
      framed = true;
      begun = performance.now();
      channel.port2.postMessage(0);  // its task comes after this frame was painted
      void measure();
    }
    call(at);
  });
})()"""


def streaming(browser: Browser) -> tuple[dict[str, Any], dict[str, Any]]:
    """Stream a long answer; return how long its updates took, without the painting and with it, in seconds."""
    canned = Canned(recorded("low"))
    canned.while_open()
    text = (PARAGRAPH * (CHARACTERS // len(PARAGRAPH) + 1))[:CHARACTERS]
    first = int(canned.events[-1][0]) + 1
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    made: list[dict[str, Any]] = [{"type": "TEXT_MESSAGE_START", "messageId": "long", "role": "assistant"}]
    made += [{"type": "TEXT_MESSAGE_CONTENT", "messageId": "long", "delta": piece} for piece in pieces]
    made += [{"type": "TEXT_MESSAGE_END", "messageId": "long"}]
    context = browser.new_context(viewport={"width": 480, "height": 800})
    with serving(canned):
        page = context.new_page()
        page.add_init_script(f"sessionStorage.setItem('countersign.thread', {canned.thread!r})")
        page.goto(f"{canned.origin}/embed")
        expect(page.locator("countersign-card")).to_be_attached()
        page.evaluate(PROBE)
        canned.pace = 0.004
        canned.events += [(first + n, event) for n, event in enumerate(made)]
        expect(page.locator("countersign-answer")).to_have_count(2)
        answer = page.locator("countersign-answer").last
        while not answer.evaluate("(one) => one.done"):
            page.wait_for_timeout(500)
        updates, frames = ([one / 1000 for one in page.evaluate(f"window.{name}")] for name in ("updates", "frames_"))
    context.close()
    return summary(updates), summary(frames)


def card_on_screen(browser: Browser, runs: int) -> dict[str, Any]:
    """Return the seconds from a proposal that stands in the journal to its card on screen, on a real lab."""
    took = []
    with running_demo() as demo, demo.person("dana.meyer") as dana, ThreadPoolExecutor() as beside:
        for _ in range(runs):
            dana.clear()
            demo.breaks("service-stopped")
            context = browser.new_context()
            frame = chat(context.new_page(), demo.company)
            stored = beside.submit(_stored, demo.directory / "assistant" / "state" / "journal.db")
            asks(frame).locator(".heading").wait_for()
            shown = time()
            took.append(shown - stored.result(10))
            context.close()
    return summary(took)


def _stored(journal: Path) -> float:
    """Return when the next proposal stands in the journal: looked at every five milliseconds."""
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as raw:
        before = found = raw.execute("SELECT count(*) FROM proposals").fetchone()
        while found == before:
            sleep(0.005)
            found = raw.execute("SELECT count(*) FROM proposals").fetchone()
    return time()


def main() -> int:
    """Print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="cards to wait for")
    parser.add_argument("--only", choices=("streaming", "card"))
    options = parser.parse_args()
    found = chromium.find()
    if found is None:
        print(f"Not measured: {chromium.WHY_NOT}.", file=sys.stderr)
        return 0
    figures: dict[str, Any] = {}
    with open_browser(found) as browser:
        if options.only != "card":
            updates, frames = streaming(browser)
            figures["update while 20,000 characters stream in: script, style and layout"] = updates
            figures["the same with painting, without a graphics card"] = frames
        if options.only != "streaming":
            figures["proposal stored to card on screen"] = card_on_screen(browser, options.runs)
    print("| figure | median | p95 | worst | values |\n|---|---|---|---|---|")
    for name, one in figures.items():
        print(f"| {name} | {_ms(one['median'])} | {_ms(one['p95'])} | {_ms(one['worst'])} | {one['runs']} |")
    print(json.dumps(figures))
    return 0


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


if __name__ == "__main__":
    sys.exit(main())
