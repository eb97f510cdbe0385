"""A demo's sign-in: by the printed link alone, as any of its people, and only where there is a demo."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx
import pytest

from agent.api.identity.guard import COOKIE, Failures
from tests.agent.api.identity.world import DEMO, ORIGIN, World, problem

OURS = {"Origin": ORIGIN, "Accept": "text/html"}


async def by_the_link(world: World) -> httpx.AsyncClient:
    """A browser in which the printed link was opened."""
    browser = world.browser(headers=OURS)
    answer = await browser.get("/sign-in/demo", params={"code": DEMO.code, "next": "/approvals/x"})
    assert answer.status_code == 303
    return browser


async def test_the_link_leads_to_the_people_and_its_code_leaves_the_address_at_once(demo: World) -> None:
    browser = demo.browser(headers=OURS)
    answer = await browser.get("/sign-in/demo", params={"code": DEMO.code, "next": "/approvals/x"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in/demo?next=%2Fapprovals%2Fx")
    assert DEMO.code not in answer.headers["location"] and "httponly" in answer.headers["set-cookie"].lower()
    page = await browser.get(answer.headers["location"])
    assert page.status_code == 200
    for words in ("dana.meyer · approves fixes", "lee.brandt · looks into", "ines.costa · reports problems"):
        assert words in page.text
    assert "Ines &lt;b&gt;Costa&lt;/b&gt;" in page.text and "<b>" not in page.text


async def test_one_person_after_another_signs_in_and_comes_back(demo: World) -> None:
    browser, ids = await by_the_link(demo), []
    for person in ("dana.meyer", "ines.costa"):
        answer = await browser.post("/sign-in/demo", data={"person": person, "next": "/approvals/x"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/approvals/x")
        me = (await browser.get("/api/me")).json()
        assert (me["person"], me["via"], me["demo"]) == (person, "demo", True)
        ids.append(browser.cookies[COOKIE])
        assert f"You are {me['name'][:4]}" in (await browser.get("/sign-in/demo")).text
    assert demo.store.session(ids[0]) is None, "who one was before is signed out"


async def test_the_sign_in_page_leads_to_the_people_and_the_popup_to_its_end(demo: World) -> None:
    browser = await by_the_link(demo)
    answer = await browser.get("/sign-in?popup=1")
    assert answer.headers["location"] == "/sign-in/demo?next=%2Fsigned-in%3Fpopup%3D1"
    fields = Hidden()
    fields.feed((await browser.get(answer.headers["location"])).text)
    answer = await browser.post("/sign-in/demo", data={"person": "lee.brandt", **fields.found})
    assert answer.headers["location"] == "/signed-in?popup=1"
    assert (await browser.get("/sign-in?popup=1")).headers["location"] == "/signed-in?popup=1"
    given = (await browser.post("/api/frame-token")).json()
    frame = demo.browser(headers={"Authorization": f"Bearer {given['token']}"})
    assert (await frame.get("/api/me")).json()["person"] == "lee.brandt"


class Hidden(HTMLParser):
    """The hidden fields of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an input."""
        at = dict(attrs)
        if tag == "input":
            self.found[str(at["name"])] = str(at["value"])


async def test_without_the_link_there_are_no_people(demo: World) -> None:
    browser = demo.browser(headers=OURS)
    for answer in (
        await browser.get("/sign-in/demo"),
        await browser.get("/sign-in/demo", params={"code": DEMO.code[:-1]}),
        await browser.get("/sign-in/demo", params={"code": ""}),
        await browser.get("/sign-in/demo", params={"code": "ä\ud83d".encode("utf-8", "replace").decode()}),
        await browser.post("/sign-in/demo", data={"person": "dana.meyer"}),
    ):
        assert answer.status_code == 403 and "Open the sign-in link" in answer.text and "Meyer" not in answer.text
    assert COOKIE not in browser.cookies


async def test_a_page_elsewhere_cannot_make_one_be_somebody(demo: World) -> None:
    browser = await by_the_link(demo)
    form = {"person": "dana.meyer"}
    answer = await browser.post("/sign-in/demo", data=form, headers={"Origin": "https://evil.example"})
    problem(answer, 403, "cross_site")
    assert COOKIE not in browser.cookies


async def test_somebody_the_demo_does_not_have_cannot_be_picked(demo: World) -> None:
    browser = await by_the_link(demo)
    problem(await browser.post("/sign-in/demo", data={"person": "root"}), 422, "unknown_person")
    problem(await browser.post("/sign-in/demo", content=b"\xff\xfe"), 422, "unknown_person")
    problem(await browser.post("/sign-in/demo", content=b"x" * 5000), 413, "too_large")


async def test_whoever_guesses_the_code_is_slowed_down(demo: World) -> None:
    browser = demo.browser()
    for number in range(Failures.MOST):
        problem(await browser.get("/sign-in/demo", params={"code": str(number)}), 403, "needs_link")
    problem(await browser.get("/sign-in/demo", params={"code": "x"}), 429, "slow_down")


async def test_the_code_is_in_no_log_and_in_no_page(demo: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    browser = await by_the_link(demo)
    pages = [await browser.get("/sign-in/demo"), await browser.post("/sign-in/demo", data={"person": "dana.meyer"})]
    assert all(DEMO.code not in page.text for page in pages)
    # httpx, the test's own client, logs the addresses it asks for; what the server says is meant here.
    said = [one.getMessage() for one in caplog.records if one.name.startswith("countersign")]
    assert said and not any(DEMO.code in one for one in said)
    assert DEMO.code not in repr(DEMO)


async def test_a_server_that_is_no_demo_has_no_such_door(world: World) -> None:
    browser = world.browser(headers=OURS)
    problem(await browser.get("/sign-in/demo", params={"code": DEMO.code}), 404, "not_found")
    problem(await browser.post("/sign-in/demo", data={"person": "dana.meyer"}), 404, "not_found")
