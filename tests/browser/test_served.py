"""`countersign serve` in a browser: signing in at a real OpenID provider, and a restart while a card is open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from agent.settings import Settings, load
from benchmarks.served import key, prepare, served
from evals.lab.faults import FAULTS
from evals.lab.lab import Lab
from tests.browser.world import APPROVER, REQUESTER, TROUBLE, Witness, asks, card_in, until
from tests.labs import lab_directory
from tests.oidc_server import ROLES, OidcServer, oidc_server

DANA = "u-1001"
FAULT = FAULTS["service-stopped"]
pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class World:
    """A lab, the configuration of a server on it, and a provider of identities."""

    lab: Lab
    settings: Settings
    provider: OidcServer

    @property
    def origin(self) -> str:
        """Where the server is while it runs."""
        return self.settings.serving.origin


@pytest.fixture(scope="module")
def world(chrome: Browser) -> Iterator[World]:
    """A lab and a provider. It asks for the browser first: without it nothing need start."""
    with lab_directory() as directory:
        lab = Lab.start(directory / "lab")
        try:
            with ThreadPoolExecutor(1) as beside:  # it has a loop of its own, and Playwright's runs in this thread
                settings = beside.submit(prepare, directory, lab).result()
            with oidc_server([f"{settings.serving.origin}/sign-in/callback"]) as provider:
                secret = settings.file.parent / "client.secret"
                secret.write_text(provider.client_secret, encoding="utf-8")
                secret.chmod(0o600)
                with settings.file.open("a", encoding="utf-8") as file:
                    file.write(_identity(provider))
                yield World(lab, load(settings.file), provider)
        finally:
            lab.stop(remove=True)


def _identity(provider: OidcServer) -> str:
    roles = "\n".join(f"{json.dumps(group)} = {json.dumps(role)}" for group, role in ROLES.items())
    return f"""
[identity]
issuer = {json.dumps(provider.issuer)}
client_id = {json.dumps(provider.client_id)}
client_secret_file = "client.secret"

[identity.roles]
{roles}
"""


@pytest.fixture
def broken(world: World) -> World:
    """The application is stopped."""
    world.lab.heal()
    FAULT.inject(world.lab)
    return world


@pytest.fixture
def context(chrome: Browser) -> Iterator[BrowserContext]:
    """A browser of its own."""
    one = chrome.new_context(viewport={"width": 1280, "height": 900})
    yield one
    one.close()


def a_card(world: World) -> str:
    """Have somebody ask, and return the card that comes of it."""
    bearer = {"Authorization": f"Bearer {key(world.settings, REQUESTER, 'read', 'ask')}", "Accept": "application/json"}
    with httpx.Client(base_url=world.origin, headers=bearer, timeout=30) as http:
        run = {
            "threadId": "", "runId": "RUN-browser", "state": {}, "tools": [], "context": [], "forwardedProps": {},
            "messages": [{"id": "MSG-1", "role": "user", "content": TROUBLE}],
        }  # fmt: skip
        assert http.post("/api/agent", json=run).status_code == 202
        cards = until(lambda: http.get("/api/proposals", params={"state": "awaiting"}).json()["proposals"], 60)
    return str(cards[0]["digest"])


def sign_in(page: Page, world: World, path: str) -> None:
    """Visit a page, and be sent to the provider and back."""
    page.goto(f"{world.origin}{path}")
    assert page.url.startswith(world.provider.issuer)
    page.get_by_role("button", name=DANA).click()
    page.wait_for_url(f"{world.origin}{path}")


def test_a_card_visited_signed_out_leads_over_the_provider_back_to_it_and_signing_out_ends_it(
    context: BrowserContext, broken: World
) -> None:
    witness = Witness().watch(context)
    page = context.new_page()
    with served(broken.settings):
        digest = a_card(broken)
        sign_in(page, broken, f"/approvals/{digest}")
        approve = page.get_by_role("button", name="Approve and run on")
        expect(approve).to_have_attribute("aria-disabled", "false")
        (cookie,) = [one for one in context.cookies(broken.origin) if one["name"] == "__Host-countersign"]
        assert cookie["httpOnly"] and cookie["secure"] and cookie["sameSite"] == "Lax"
        assert page.evaluate("document.cookie") == ""
        approve.click()
        expect(page.locator("countersign-card")).to_contain_text(f"Approved by {APPROVER}")
        expect(page.locator("countersign-card .state").first).to_contain_text("Ran and verified")
        assert FAULT.oracle(broken.lab).ok

        page.locator("details.menu summary").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("countersign-card")).to_have_count(0)
        assert context.request.get(f"{broken.origin}/api/me").status == 401
        assert witness.violations == [] and witness.errors == []


def test_a_restart_while_a_card_is_open_loses_neither_the_card_nor_the_conversation(
    context: BrowserContext, broken: World
) -> None:
    talk, own = context.new_page(), context.new_page()
    with served(broken.settings):
        sign_in(own, broken, "/")
        talk.goto(f"{broken.origin}/embed")
        asks(talk)
        expect(card_in(talk)).to_contain_text("Waiting for a decision")
        digest = digest_in(own)
        own.goto(f"{broken.origin}/approvals/{digest}")
        approve = own.get_by_role("button", name="Approve and run on")
        expect(approve).to_have_attribute("aria-disabled", "false")
    lost = own.locator("countersign-approval p[role=status]")
    expect(lost).to_be_visible()
    with served(broken.settings):
        expect(lost).to_have_count(0)
        expect(own.locator("countersign-card")).to_contain_text(digest.removeprefix("sha256:")[:12])
        expect(approve).to_have_attribute("aria-disabled", "false")
        approve.click()
        for page in (own, talk):
            expect(page.locator("countersign-card .state").last).to_contain_text("Ran and verified")
        expect(talk.get_by_text(TROUBLE).first).to_be_attached()
        assert FAULT.oracle(broken.lab).ok


def digest_in(page: Page) -> str:
    """Return the card that waits, as the page's own user sees it."""
    answer = page.evaluate("fetch('/api/proposals?state=awaiting').then((answer) => answer.json())")
    return str(answer["proposals"][-1]["digest"])
