"""Pictures of every state, to be looked at: `python -m tests.browser.screenshots OUT [NAME ...]`.

`readme` as the only name makes the two pictures that the README shows, from a demo of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser import chromium
from tests.browser.states import STATES, THEMES, WIDTHS, shown
from tests.browser.world import APPROVER, asks, chat, open_browser, running_demo, sign_in


def readme(browser: Browser, out: Path) -> None:
    """The company's page with a card in the chat, and that card's own page."""
    with running_demo() as demo, demo.person(APPROVER) as dana:
        dana.clear()
        demo.breaks("config-broken")
        context = browser.new_context(viewport={"width": 1180, "height": 860}, reduced_motion="reduce")
        page, own = context.new_page(), context.new_page()
        page.goto(demo.links["sign_in"])
        asks(chat(page, demo.company)).get_by_role("button", name="Sign in to decide").wait_for()
        page.wait_for_timeout(1500)
        page.screenshot(path=out / "widget.png")
        own.set_viewport_size({"width": 1180, "height": 1180})
        sign_in(own, demo, APPROVER, f"/approvals/{dana.waiting()['digest']}")
        ready = own.get_by_role("button", name="Approve and run on")
        expect(ready).to_have_attribute("aria-disabled", "false")
        own.wait_for_timeout(500)
        own.screenshot(path=out / "approval.png")
        context.close()


def main(out: Path, names: list[str]) -> None:
    """Take them: each state at both widths and in both themes."""
    found = chromium.find()
    if found is None:
        raise SystemExit(chromium.WHY_NOT)
    out.mkdir(parents=True, exist_ok=True)
    with open_browser(found) as browser:
        if names == ["readme"]:
            readme(browser, out)
            return
        for name in names or STATES:
            for width in WIDTHS:
                for theme in THEMES:
                    with shown(browser, name, width=width, theme=theme) as page:
                        whole = name.startswith(("approval", "console"))
                        page.screenshot(path=out / f"{name}-{width}-{theme}.png", full_page=whole)
            print(name, flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
