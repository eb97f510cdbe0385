"""Every state that a person can find a page in, each from a recording: for accessibility checks and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi.responses import HTMLResponse
from playwright.sync_api import Browser, Page, expect

from agent.api.identity.pages import choice, link, page, says, words
from tests.browser.canned import Canned, at_that_time, recorded, serving
from tests.browser.world import TROUBLE

PEOPLE = [
    ("dana.meyer", "Dana Meyer", "dana.meyer · approves fixes"),
    ("ines.costa", "Ines Costa", "ines.costa · reports problems"),
]
WIDTHS = (1280, 390)
THEMES = ("light", "dark")


def _nothing(_: Canned) -> None:
    return


def _still(_: Page) -> None:
    return


@dataclass(frozen=True)
class State:
    """A page in a state: which recording, what is changed in it, where it is, and what is done there."""

    path: str
    ready: str
    """What is on screen when it is there."""
    prepare: Callable[[Canned], None] = _nothing
    act: Callable[[Page], None] = _still
    told: str = "low"
    begun: bool = True


def _may(canned: Canned, *, approve: bool = True, why: str = "", sign_in: bool = False) -> None:
    you = {"may_approve": approve, "may_reject": not sign_in, "may_edit": approve, "why_not": why, "sign_in": sign_in}
    canned.card["you"] = you


def _open(canned: Canned) -> None:
    canned.while_open()


def _running(canned: Canned) -> None:
    canned.events = canned.events[:40]


def _signed_out(canned: Canned) -> None:
    canned.while_open()
    _may(canned, approve=False, sign_in=True)


def _not_allowed(canned: Canned) -> None:
    canned.while_open()
    _may(canned, approve=False, why="you reported this; somebody else has to approve it")


def _became(state: str) -> Callable[[Canned], None]:
    """The card as it is after it was decided."""

    def prepare(canned: Canned) -> None:
        after = canned.told["after"]["card"]
        decision = {**after["decision"], "state": "rejected" if state == "rejected" else "approved"}
        if state == "rejected":
            decision["reason"] = "Not the cause: the database is what is slow"
        outcome = after["outcome"] if state in {"verified", "not_verified", "failed"} else None
        if outcome and state != "verified":
            outcome = {**outcome, "reason": "the service was started and ended again within 2 s"}
            outcome["checks"] = [{**one, "ok": False} for one in outcome["checks"]]
        if state == "executing":
            outcome = {**after["outcome"], "finished_at": "", "reason": "", "checks": []}
        if state == "expired":
            canned.while_open()
        canned.card_is(state=state, decision=None if state == "expired" else decision, outcome=outcome)

    return prepare


def _high(canned: Canned) -> None:
    canned.while_open()
    friction = {"page_only": True, "type_target": True, "wait_ms": 600, "see_all": True}
    risk = {
        "level": "high",
        "why": "it cannot be undone, and everybody who files a permit needs it",
        "reversible": False,
    }
    canned.card_is(friction=friction, risk=risk)


def _hidden(canned: Canned) -> None:
    canned.while_open()
    exact = canned.card["exact"].replace("permits-api", "permits-\u202eipa\u200b")
    canned.card_is(hidden_characters=True, exact=exact, diff=f"-{canned.card['diff']}\u2066\n+ nothing")


def _see_all(at: Page) -> None:
    for end in ("#end-runs", "#end-changes"):
        at.locator(end).last.scroll_into_view_if_needed()
        at.wait_for_timeout(120)
    expect(at.locator("button.approve").last).to_have_attribute("aria-disabled", "false")


def _clicks(name: str) -> Callable[[Page], None]:
    def act(at: Page) -> None:
        at.get_by_role("button", name=name, exact=True).last.click()
        at.wait_for_timeout(100)

    return act


def _cites(at: Page) -> None:
    at.locator("countersign-answer button").first.click()
    expect(at.get_by_role("dialog")).to_be_visible()


def _unfolds(at: Page) -> None:
    at.locator("countersign-work button").first.click()


def _popup(canned: Canned) -> None:
    parts = [words("This is a demo: be whoever you like."), choice("/x", {"next": "/"}, "person", PEOPLE)]
    _document(canned, page("Who do you want to be?", parts))


def _failed(canned: Canned) -> None:
    parts = [
        words("The identity provider did not sign you in."),
        link("Try again", "/sign-in"),
        words("refused", "code"),
    ]
    _document(canned, page("You are not signed in", parts))


def _signed_in(canned: Canned) -> None:
    _document(canned, page("You are signed in", [words("Signed in as Dana Meyer."), says("You can close this.")]))


def _document(canned: Canned, made: HTMLResponse) -> None:
    canned.documents["/host/page"] = (
        bytes(made.body).decode(),
        {"Content-Security-Policy": made.headers["content-security-policy"]},
    )


CARD = "countersign-card .heading"
STATES: dict[str, State] = {
    "chat-empty": State("/embed", "countersign-composer textarea", begun=False),
    "chat-running": State("/embed", "countersign-work li", _running),
    "chat-card-low": State("/embed", CARD, _open),
    "chat-card-sign-in": State("/embed", CARD, _signed_out),
    "chat-card-medium": State("/embed", CARD, _open, told="medium"),
    "chat-source": State("/embed", "countersign-answer button", _open, _cites),
    "chat-checks": State("/embed", "countersign-work button", _open, _unfolds),
    "chat-verified": State("/embed", "countersign-tail"),
    "chat-history": State("/embed", CARD, _open, _clicks("Earlier conversations")),
    "approval-low": State("/approvals/{digest}", CARD, _open),
    "approval-medium-before": State("/approvals/{digest}", CARD, _open, told="medium"),
    "approval-medium-seen": State("/approvals/{digest}", CARD, _open, _see_all, told="medium"),
    "approval-high": State("/approvals/{digest}", CARD, _high, told="medium"),
    "approval-not-allowed": State("/approvals/{digest}", CARD, _not_allowed, told="medium"),
    "approval-hidden": State("/approvals/{digest}", CARD, _hidden, told="medium"),
    "approval-edit": State("/approvals/{digest}", CARD, _open, _clicks("Edit"), told="medium"),
    "approval-reject": State("/approvals/{digest}", CARD, _open, _clicks("Reject")),
    "approval-ask": State("/approvals/{digest}", CARD, _open, _clicks("Ask")),
    "approval-rejected": State("/approvals/{digest}", CARD, _became("rejected")),
    "approval-expired": State("/approvals/{digest}", CARD, _became("expired")),
    "approval-executing": State("/approvals/{digest}", CARD, _became("executing"), told="medium"),
    "approval-verified": State("/approvals/{digest}", CARD, _became("verified"), told="medium"),
    "approval-failed": State("/approvals/{digest}", CARD, _became("failed"), told="medium"),
    "console-incidents": State("/", "countersign-console main, countersign-console [role=main], h1", _open),
    "console-waiting": State("/#/waiting", "countersign-console h1", _open),
    "console-incident": State("/#/incidents/{incident}", "countersign-console h1", _open),
    "console-knowledge": State("/#/knowledge?q=502", "countersign-console h1", _open),
    "console-lab": State("/#/lab", "countersign-console h1", _open),
    "sign-in-people": State("/host/page", "h1", _popup),
    "sign-in-failed": State("/host/page", "h1", _failed),
    "signed-in": State("/host/page", "h1", _signed_in),
}


def _threads(told: dict[str, Any]) -> list[dict[str, str]]:
    """Two earlier conversations, besides this one."""
    titles = {told["thread"]: TROUBLE, "TH-0000000000000001": "T-1002 Saving takes for ever and then fails"}
    common = {"incident": told["incident"], "created_at": told["at"], "updated_at": told["at"], "state": "idle"}
    return [{"id": id_, "title": title, **common} for id_, title in titles.items()]


@contextmanager
def shown(
    chrome: Browser,
    name: str,
    *,
    width: int = 1280,
    theme: str = "light",
    bypass_csp: bool = False,
    locale: str = "en-GB",
) -> Iterator[Page]:
    """The page in a state."""
    state = STATES[name]
    told = recorded(state.told)
    canned = Canned(told)
    _may(canned)
    canned.answers["threads"]["threads"] = _threads(told)
    state.prepare(canned)
    canned.begun = state.begun
    context = chrome.new_context(
        viewport={"width": width, "height": 900 if width > 480 else 844},
        color_scheme="dark" if theme == "dark" else "light",
        bypass_csp=bypass_csp,
        reduced_motion="reduce",
        locale=locale,
    )
    at_that_time(context, told)
    if name == "approval-expired":
        late = datetime.fromisoformat(told["at"]).astimezone(UTC) + timedelta(hours=1)
        context.clock.set_fixed_time(late)
    try:
        with serving(canned):
            at = context.new_page()
            if state.begun:
                at.add_init_script(f"sessionStorage.setItem('countersign.thread', {canned.thread!r})")
            at.goto(canned.origin + state.path.format(digest=told["digest"], incident=told["incident"]))
            expect(at.locator(state.ready).last).to_be_visible()
            at.wait_for_timeout(150)
            state.act(at)
            yield at
    finally:
        context.close()
