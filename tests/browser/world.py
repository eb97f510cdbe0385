"""A demo as a process with its two sites, people who sign in to it, and a witness of what a browser reports."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Locator, Page, expect, sync_playwright

from agent.company.browser import LINKS
from evals.lab.faults import FAULTS, permits_usable
from evals.lab.lab import Lab
from tests.browser import chromium
from tests.labs import lab_directory

HERE = Path(__file__).resolve().parents[2]
T = TypeVar("T")
TROUBLE = "The permit portal shows an error and nobody can hand in an application. What is wrong?"
APPROVER, OTHER_APPROVER, RESPONDER, REQUESTER = "dana.meyer", "sam.okafor", "lee.brandt", "ines.costa"
START_SECONDS, LOOK_MS = 90, 40_000
UNASKED = "--disable-features=LocalNetworkAccessChecks"
"""A page that a test puts in the place of another has no address, and would need leave to load from loopback."""
LISTENERS = """
addEventListener("securitypolicyviolation", (event) =>
  window.witness(JSON.stringify([location.href, event.effectiveDirective, event.blockedURI, event.sample])));
"""


def until(look: Callable[[], T | None], seconds: float = 30) -> T:
    """Wait until something is there, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


@contextmanager
def open_browser(path: Path) -> Iterator[Browser]:
    """A running Chromium."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=LOOK_MS)
        browser = playwright.chromium.launch(executable_path=path, args=[*chromium.FLAGS, UNASKED])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Witness:
    """What happened in a browser context that nobody should have to see."""

    violations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> Self:
        """Listen in every page and frame of a context, from before their first script."""
        context.expose_binding("witness", lambda _, said: self.violations.append(said))
        context.add_init_script(LISTENERS)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("request", lambda request: self.requests.append(request.url))
        return self

    def foreign(self, *origins: str) -> list[str]:
        """Return the requests that went anywhere but to these origins."""
        return [url for url in self.requests if not url.startswith((*origins, "data:", "blob:", "about:"))]


class Demo:
    """`countersign demo` with its pages, as a process of its own."""

    def __init__(self, directory: Path, port: int = 0, *arguments: str) -> None:
        self.directory = directory
        self._said = tempfile.NamedTemporaryFile("w+", encoding="utf-8", suffix=".txt")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", "demo", "--dir", str(directory), "--port", str(port), *arguments],
            stdin=subprocess.DEVNULL, stdout=self._said, stderr=subprocess.STDOUT, cwd=HERE, start_new_session=True,
        )  # fmt: skip
        self.links: dict[str, str] = {}
        self._visited: Lab | None = None

    def ready(self) -> Self:
        """Wait until both sites are there and the first card waits."""
        links = self.directory / LINKS
        self._until(lambda: links.exists() and links.stat().st_size > 0)
        self.links = json.loads(links.read_text(encoding="utf-8"))
        self._until(lambda: "Serving until" in self.text())
        return self

    def _until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not what():
            assert time.monotonic() < deadline and self._process.poll() is None, self.text()
            time.sleep(0.05)

    @property
    def origin(self) -> str:
        """Where the assistant is."""
        return self.links["origin"]

    @property
    def company(self) -> str:
        """Where the company's page is."""
        return self.links["company"]

    @property
    def port(self) -> int:
        """The assistant's port, to start on again."""
        return int(self.origin.rpartition(":")[2])

    def text(self) -> str:
        """Return what it printed."""
        return Path(self._said.name).read_text(encoding="utf-8")

    def stop(self) -> None:
        """End it as a polite kill does, and wait for its end."""
        if self._visited is not None:
            self._visited.detach()
            self._visited = None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._said.close()

    def well(self) -> bool:
        """True when the company's users can do their work, as seen from outside."""
        return permits_usable(self._lab()).ok

    def breaks(self, fault: str) -> None:
        """Break something, and nothing else, without a ticket; whatever was broken before is mended first."""
        lab = self._lab()
        if not permits_usable(lab).ok:
            lab.heal()
        FAULTS[fault].inject(lab)

    def _lab(self) -> Lab:
        if self._visited is None:
            self._visited = Lab.attach(self.directory / "lab", own=False)
        return self._visited

    def person(self, name: str) -> Person:
        """Sign somebody in without a browser."""
        return Person(self, name)


@contextmanager
def running_demo(*arguments: str) -> Iterator[Demo]:
    """A demo in a directory of its own, whose first card waits; nothing is left of it."""
    with lab_directory() as directory:
        demo = Demo(directory / "demo", 0, *arguments)
        try:
            yield demo.ready()
        finally:
            demo.stop()


class Person:
    """Somebody's session, outside the browser under test: another device."""

    def __init__(self, demo: Demo, name: str) -> None:
        self.name, self._origin = name, demo.origin
        self._http = httpx.Client(base_url=demo.origin, timeout=60, headers={"Origin": demo.origin})
        jar: dict[str, str] = {}
        for method, address, content in (
            ("GET", demo.links["sign_in"], None),
            ("POST", "/sign-in/demo", {"person": name, "next": "/"}),
        ):
            answer = self._http.request(method, address, data=content, headers=_cookies(jar))
            assert answer.status_code == 303, answer.text
            for header in answer.headers.get_list("set-cookie"):
                jar |= {key: one.value for key, one in SimpleCookie(header).items()}
        # By hand: httpx keeps Secure cookies to itself on http, where browsers send them to loopback.
        self._http.cookies.clear()
        self._http.headers.update(_cookies(jar))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: str) -> Any:
        """Return what the API says."""
        answer = self._http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, content: dict[str, Any]) -> httpx.Response:
        """Send something to the API."""
        return self._http.post(path, json=content)

    def decides(self, digest: str, decision: str, **more: Any) -> httpx.Response:
        """Decide a card."""
        return self.post(f"/api/proposals/{digest}/decision", {"decision": decision, **more})

    def asks(self, text: str) -> str:
        """Say something in a conversation of their own; return it."""
        thread = str(self.post("/api/threads", {}).json()["id"])
        run = {
            "threadId": thread, "runId": f"RUN-{thread[3:]}", "state": {}, "tools": [], "context": [],
            "forwardedProps": {}, "messages": [{"id": "MSG-1", "role": "user", "content": text}],
        }  # fmt: skip
        answer = self._http.post("/api/agent", json=run, headers={"Accept": "application/json"})
        assert answer.status_code == 202, answer.text
        return thread

    def listens(self, thread: str) -> list[list[Any]]:
        """Return the events of a conversation so far, numbered."""
        found: list[list[Any]] = []
        with self._http.stream("GET", f"/api/threads/{thread}/events", timeout=20) as answer:
            seq = 0
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    seq = int(line[4:])
                if line.startswith("data: "):
                    event = json.loads(line[6:])
                    if event.get("name") == "countersign.caught_up":
                        break
                    found.append([seq, event])
        return found

    def waiting(self, incident_or_ticket: str = "", seconds: float = 40) -> dict[str, Any]:
        """Wait for the card of an incident or ticket (any without), and return it."""

        def look() -> dict[str, Any] | None:
            cards = self.get("/api/proposals", state="awaiting")["proposals"]
            mine = [one for one in cards if incident_or_ticket in ("", one["ticket"], one["incident"])]
            return mine[-1] if mine else None

        return until(look, seconds)

    def clear(self) -> None:
        """Reject every card that waits, so that the next test sees its own alone."""
        for card in self.get("/api/proposals", state="awaiting")["proposals"]:
            self.decides(card["digest"], "reject", reason="mended by hand")

    def state(self, digest: str) -> str:
        """Return where a proposal stands."""
        return str(self.get(f"/api/proposals/{digest}")["state"])

    def ends(self, digest: str, state: str, seconds: float = 40) -> None:
        """Wait until a proposal is in a state."""
        until(lambda: self.state(digest) == state, seconds)


def _cookies(jar: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{key}={value}" for key, value in jar.items())} if jar else {}


# ---- steps that people take in the browser ------------------------------------------------------------


def display(person: str) -> str:
    """Return how somebody is called."""
    return person.replace(".", " ").title()


def sign_in(page: Page, demo: Demo, person: str, to: str = "/") -> None:
    """Come by the printed link and be somebody."""
    page.goto(f"{demo.links['sign_in']}&next={quote(to, safe='')}")
    page.get_by_role("button", name=display(person)).click()
    page.wait_for_url(f"{demo.origin}{to}**")


def chat(page: Page, company: str) -> FrameLocator:
    """Open the chat on the company's page; return the frame."""
    page.goto(company)
    page.get_by_role("button", name="Countersign").click()
    frame = page.frame_locator("iframe[title=Countersign]")
    expect(frame.get_by_role("textbox", name="Your message")).to_be_visible()
    return frame


def asks(frame: FrameLocator | Page, text: str = TROUBLE) -> Locator:
    """Say something in the chat; return the card that comes of it."""
    box = frame.get_by_role("textbox", name="Your message")
    box.fill(text)
    box.press("Enter")
    return card_in(frame)


def card_in(place: FrameLocator | Page) -> Locator:
    """Return the card on screen; the newest where there are several."""
    return place.locator("countersign-card").last


def signs_in_from_card(page: Page, card: Locator, person: str) -> None:
    """Sign in by the popup that a card opens."""
    with page.expect_popup() as opened:
        card.get_by_role("button", name="Sign in to decide").click()
    popup = opened.value
    with popup.expect_event("close"):
        popup.get_by_role("button", name=display(person)).click()
    expect(card.get_by_role("button", name="Sign in to decide")).to_have_count(0)


# ---- the keyboard ------------------------------------------------------------

FOCUSED = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  if (!document.hasFocus() || !at || at === document.body || at.tagName === "IFRAME") return null;
  const drawn = (one) => {
    const style = getComputedStyle(one);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== "none";
  };
  const label = at.labels?.[0]?.textContent ?? "";
  const name = at.getAttribute("aria-label") || label || at.placeholder || at.textContent || "";
  const around = [at, at.parentElement, at.parentElement?.parentElement].filter(Boolean);
  return { name: name.replace(/\\s+/g, " ").trim(), tag: at.tagName, visible: around.some(drawn) };
}"""


def focused(page: Page) -> dict[str, Any]:
    """Return what has the focus: its name, its tag, and whether one can see that it has it."""
    for frame in reversed(page.frames):
        if found := frame.evaluate(FOCUSED):
            return dict(found)
    return {"name": "", "tag": "", "visible": False}


def tab_to(page: Page, name: str, *, back: bool = False, most: int = 80) -> None:
    """Press Tab until something of this name has the focus; wherever it stops on the way, one sees where it is."""
    passed = []
    for _ in range(most):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        at = focused(page)
        passed.append(at["name"][:40])
        if at["tag"]:
            assert at["visible"], f"one cannot see that {at} has the focus"
        if at["name"].startswith(name):
            return
    raise AssertionError(f"{name} is not reached by Tab: {passed}")
