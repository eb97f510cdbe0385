"""What must not work, tried in a browser: a hostile host page, the wrong person, twice, too late, and an older card."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.world import (
    APPROVER,
    REQUESTER,
    TROUBLE,
    Demo,
    Person,
    Witness,
    asks,
    card_in,
    sign_in,
    signs_in_from_card,
)

HOSTILE = """<!doctype html><html lang="en"><title>Hostile</title><body>
<script>
  window.heard = [];
  addEventListener("message", (event) => heard.push(JSON.stringify([event.origin, event.data])));
</script>
<script src="{origin}/embed.js" data-token-url="/token"></script></body></html>"""

TRUSTED = """<!doctype html><html lang="en"><title>Trusted</title><body>
<script type="module" src="{origin}/widget.js"></script>
<countersign-chat endpoint="{origin}" token-url="/token"></countersign-chat></body></html>"""

STRICT = (
    "default-src 'none'; script-src {origin}; connect-src 'self' {origin}; style-src 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)

ATTACK = """async ({ origin, digest }) => {
  const told = {};
  const attempt = async (name, what) => {
    try { told[name] = await what(); } catch (error) { told[name] = `no: ${error.name}`; }
  };
  const loader = [...document.body.children].find((one) => one.shadowRoot?.querySelector("iframe"));
  const frame = loader.shadowRoot.querySelector("iframe");
  const inside = frame.contentWindow;
  await attempt("document", () => frame.contentDocument?.title ?? "no: null");
  await attempt("dom", () => inside.document.body.textContent);
  await attempt("storage", () => JSON.stringify(inside.sessionStorage));
  await attempt("names", () => inside.customElements.get("countersign-card"));
  await attempt("dispatch", () => inside.dispatchEvent(new Event("keydown")));
  const place = frame.getBoundingClientRect();
  for (let y = place.top + 5; y < place.bottom; y += 12)
    for (const x of [place.left + 40, place.left + place.width / 2])
      for (const kind of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"])
        document.elementFromPoint(x, y)?.dispatchEvent(
          new MouseEvent(kind, { bubbles: true, composed: true, clientX: x, clientY: y, button: 0 }));
  for (let n = 0; n < 40; n++) {
    frame.focus();
    for (const key of ["Tab", "Enter", " "])
      for (const at of [frame, document, window])
        at.dispatchEvent(new KeyboardEvent("keydown", { key, code: key, bubbles: true, composed: true }));
  }
  const { token } = await (await fetch("/token")).json();
  const forged = [
    { type: "countersign.token", token },
    { type: "countersign.token", token: "csf_forged", expires_at: "2099-01-01T00:00:00Z" },
    { type: "countersign.token", token: null },
    { type: "countersign.opened" },
    { type: "countersign.approve", digest }, { type: "countersign-decided", digest, decision: "approve" },
    { type: "countersign.decide", digest, decision: "approve" }, null, 7, "countersign.token",
  ];
  for (const message of forged) inside.postMessage(message, "*");
  const popup = window.open(`${origin}/sign-in?popup=1&next=/signed-in`);
  await new Promise((done) => setTimeout(done, 1500));
  await attempt("popup", () => popup.document.body.textContent);
  const url = `${origin}/api/proposals/${digest}/decision`;
  const body = JSON.stringify({ decision: "approve" });
  const json = { "Content-Type": "application/json" };
  const post = (init) => fetch(url, { method: "POST", body, ...init }).then((answer) => answer.status);
  await attempt("widget token", () => post({ headers: { ...json, Authorization: `Bearer ${token}` } }));
  await attempt("cookie", () => post({ headers: json, credentials: "include" }));
  const plain = { "Content-Type": "text/plain" };
  await attempt("simple", () => post({ headers: plain, mode: "no-cors", credentials: "include" }));
  await attempt("frame token", async () =>
    (await fetch(`${origin}/api/frame-token`, { method: "POST", credentials: "include" })).text());
  const resume = { threadId: "x", runId: "RUN-forged", state: {}, messages: [], tools: [], context: [],
    forwardedProps: {},
    resume: [{ interruptId: `${digest}.0`, status: "resolved", payload: { approved: true } }] };
  await attempt("resume", () => fetch(`${origin}/api/agent`, { method: "POST", body: JSON.stringify(resume),
    headers: { ...json, Authorization: `Bearer ${token}` } }).then((answer) => answer.status));
  const form = Object.assign(document.createElement("form"), { action: url, method: "post", target: "nowhere" });
  document.body.append(Object.assign(document.createElement("iframe"), { name: "nowhere" }), form);
  form.submit();
  await new Promise((done) => setTimeout(done, 1500));
  popup?.close();
  return { told, heard: window.heard };
}"""

CLICK_EVERYTHING = """() => {
  let clicked = 0;
  const all = (root) => {
    for (const one of root.querySelectorAll("*")) {
      if (one.shadowRoot) all(one.shadowRoot);
      if (one.matches("button, [role=button], summary, [tabindex]") && one.closest("header") === null) {
        one.click();
        one.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, composed: true }));
        clicked++;
      }
      if (one.localName === "countersign-card") {
        one.mode = "decide";
        one.page = true;
        for (const name of ["approve", "decide", "sendReject"]) one[name]?.({ decision: "approve" });
      }
    }
  };
  all(document);
  return clicked;
}"""

pytestmark = pytest.mark.timeout(240)  # a fix runs in seconds, and in many more where others work as well


@pytest.fixture
def context(chrome: Browser) -> Iterator[BrowserContext]:
    """A browser of its own."""
    one = chrome.new_context(viewport={"width": 1280, "height": 1000})
    yield one
    one.close()


@pytest.fixture
def broken(demo: Demo, dana: Person) -> Demo:
    """The application is stopped and no card waits."""
    dana.clear()
    demo.breaks("service-stopped")
    return demo


@pytest.fixture
def medium(demo: Demo, dana: Person) -> dict[str, Any]:
    """A card of medium risk, on a ticket of the requester's."""
    dana.clear()
    demo.breaks("config-broken")
    with demo.person(REQUESTER) as ines:
        ines.asks(TROUBLE)
    return dana.waiting()


def stands_in(page: Page, demo: Demo, html: str, policy: str = "") -> None:
    """Have another page at the company's address, as if its site were in somebody else's hands."""
    headers = {"Content-Security-Policy": policy.format(origin=demo.origin)} if policy else {}

    def answer(route: Route) -> None:
        route.fulfill(body=html.format(origin=demo.origin), content_type="text/html", headers=headers)

    page.route(f"{demo.company}/", answer)
    page.goto(f"{demo.company}/")


def test_a_script_of_the_host_page_that_tries_to_approve_in_the_frame_cannot(
    context: BrowserContext, broken: Demo, dana: Person
) -> None:
    page = context.new_page()
    sign_in(page, broken, APPROVER)
    stands_in(page, broken, HOSTILE)
    page.get_by_role("button", name="Countersign").click()
    frame = page.frame_locator("iframe[title=Countersign]")
    card = asks(frame)
    expect(card.get_by_role("button", name="Sign in to decide")).to_be_visible()
    digest = dana.waiting()["digest"]
    # The worst case: the approver is signed in, in the frame as well, and the button would work for a real click.
    with page.expect_popup():
        card.get_by_role("button", name="Sign in to decide").click()
    expect(card.get_by_role("button", name="Approve and run on")).to_have_attribute("aria-disabled", "false")

    done = page.evaluate(ATTACK, {"origin": broken.origin, "digest": digest})
    told = done["told"]
    reached = {name: said for name, said in told.items() if not str(said).startswith("no: ")}
    assert reached.pop("widget token") == 403
    assert reached.pop("resume") in {403, 404, 409}
    reached.pop("simple")  # it is sent without a cookie, and its answer is opaque
    assert reached == {}, "the host page reached something of the frame's"
    assert not [one for one in done["heard"] if "csf_" in one or "expires_at" in one], "a token came to the host page"
    assert dana.state(digest) == "awaiting"
    assert not broken.well()
    # And the person still can.
    card.get_by_role("button", name="Approve and run on").click()
    expect(card.locator(".state")).to_contain_text("Ran and verified")


def test_the_inline_widget_under_strict_policy_shows_the_card_and_no_script_of_its_page_can_decide(
    context: BrowserContext, broken: Demo, dana: Person
) -> None:
    witness = Witness().watch(context)
    page = context.new_page()
    sign_in(page, broken, APPROVER)
    stands_in(page, broken, TRUSTED, STRICT)
    box = page.get_by_role("textbox", name="Your message")
    box.fill(TROUBLE)
    box.press("Enter")
    card = card_in(page)
    expect(card).to_contain_text("Waiting for a decision")
    digest = dana.waiting()["digest"]
    expect(card.get_by_role("link", name=re.compile("decide"))).to_have_attribute(
        "href", f"{broken.origin}/approvals/{digest.replace(':', '%3A')}"
    )
    for name in ("Approve", "Reject", "Edit", "Sign in"):
        expect(card.get_by_role("button", name=name)).to_have_count(0)
    assert page.evaluate(CLICK_EVERYTHING) > 3
    page.wait_for_timeout(500)
    assert dana.state(digest) == "awaiting"
    assert witness.violations == [] and witness.errors == []
    assert witness.foreign(broken.origin, broken.company) == []


def test_who_reported_it_is_told_in_words_that_somebody_else_has_to_approve(
    context: BrowserContext, demo: Demo, dana: Person, medium: dict[str, Any]
) -> None:
    page = context.new_page()
    sign_in(page, demo, REQUESTER, f"/approvals/{medium['digest']}")
    approve = page.get_by_role("button", name="Approve and run on")
    expect(approve).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#obstacle")).to_contain_text(re.compile("ines.costa|not|else"))
    approve.click(force=True)
    page.wait_for_timeout(300)
    assert dana.state(medium["digest"]) == "awaiting"
    # The same with the page's own scruples taken away: the server refuses.
    status = page.evaluate(
        """async ([digest, shown]) => {
          const answer = await fetch(`/api/proposals/${digest}/decision`, { method: "POST",
            headers: { "Content-Type": "application/json" }, body: JSON.stringify({ decision: "approve", shown }) });
          return answer.status;
        }""",
        [medium["digest"], medium["shown"]],
    )
    assert status == 403
    assert dana.state(medium["digest"]) == "awaiting"


def test_a_card_of_medium_risk_is_approved_only_after_all_of_it_was_seen_and_a_double_click_approves_once(
    context: BrowserContext, demo: Demo, dana: Person, medium: dict[str, Any]
) -> None:
    sent: list[str] = []
    page = context.new_page()
    page.set_viewport_size({"width": 1280, "height": 420})
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/decision") else None)
    sign_in(page, demo, APPROVER, f"/approvals/{medium['digest']}")
    approve = page.get_by_role("button", name="Approve and run on")
    expect(approve).to_have_attribute("aria-disabled", "true")
    approve.dispatch_event("click")
    assert dana.state(medium["digest"]) == "awaiting" and sent == []
    for end in ("#end-runs", "#end-changes"):
        page.locator(end).scroll_into_view_if_needed()
        page.wait_for_timeout(150)
    expect(approve).to_have_attribute("aria-disabled", "false")
    approve.dblclick()
    expect(page.locator("countersign-card .state").first).to_contain_text("Ran and verified")
    assert len(sent) == 1, "a double click was sent twice"
    assert demo.well()


def test_an_edited_card_is_a_new_one_and_the_old_one_is_void(
    chrome: Browser, context: BrowserContext, demo: Demo, dana: Person, medium: dict[str, Any]
) -> None:
    if not medium["editable"]:
        pytest.skip("this fix has nothing that could be edited")
    page, other = context.new_page(), context.new_page()
    sign_in(page, demo, APPROVER, f"/approvals/{medium['digest']}")
    other.goto(f"{demo.origin}/approvals/{medium['digest']}")
    page.get_by_role("button", name="Edit", exact=True).click()
    field = page.locator("form.form .field").first
    before = field.input_value()
    field.fill(before[:7] if len(before) > 12 else before + "x")
    page.get_by_role("button", name="Make a new card").click()
    page.wait_for_timeout(3000)
    print(page.locator("countersign-card").inner_text()[:300], page.url)
    expect(other.locator("countersign-card")).to_contain_text("Replaced by a newer card")
    assert dana.state(medium["digest"]) == "superseded"
    assert dana.decides(medium["digest"], "approve").status_code == 409


def test_after_a_sign_in_from_the_chat_a_decision_is_that_persons_and_a_token_of_the_page_decides_nothing(
    context: BrowserContext, broken: Demo, dana: Person
) -> None:
    page = context.new_page()
    page.goto(broken.links["sign_in"])
    page.goto(broken.company)
    page.get_by_role("button", name="Countersign").click()
    frame = page.frame_locator("iframe[title=Countersign]")
    card = asks(frame)
    signs_in_from_card(page, card, "lee.brandt")
    card.get_by_role("button", name="Reject", exact=True).click()
    card.get_by_role("button", name="Too risky now").click()
    card.get_by_role("button", name="Reject, run nothing").click()
    expect(card).to_contain_text("Rejected by lee.brandt")
    expect(card).to_contain_text("Too risky now")
    assert not broken.well()
