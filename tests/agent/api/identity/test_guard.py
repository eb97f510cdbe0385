"""From a request to a principal: which credential counts, from where it may come, and how often one may err."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fastapi import Request

from agent.api.identity import widget_token
from agent.api.identity.guard import Failures, plain_origin
from tests.agent.api.identity.world import INTRANET, KEY, ORIGIN, PEER, Clock, World, problem


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://countersign.example.org"},
        {"Origin": "https://countersign.example.org:8443"},
        {"Origin": "https://countersign.example.org.evil.example"},
        {"Origin": "https://[", "Sec-Fetch-Site": "same-origin"},
        {"Origin": ""},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "none"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
async def test_a_page_of_another_origin_cannot_use_a_cookie_to_change_anything(
    world: World, headers: dict[str, str], method: str
) -> None:
    browser = world.signed_in()
    del browser.headers["Origin"], browser.headers["Sec-Fetch-Site"]
    path = "/decide" if method == "POST" else "/api/stop-of-the-test"
    if method != "POST":
        world.app.add_api_route(path, _nothing, methods=[method], dependencies=_ask())
    problem(await browser.request(method, path, headers=headers), 403, "cross_site")


async def test_without_an_origin_a_cookie_changes_nothing_and_still_reads(world: World) -> None:
    browser = world.signed_in()
    del browser.headers["Origin"]
    problem(await browser.post("/decide"), 403, "cross_site")
    assert (await browser.get("/read")).json()["via"] == "session"


async def test_our_own_page_may(world: World) -> None:
    browser = world.signed_in()
    assert (await browser.post("/decide")).json()["person"] == "dana.meyer"
    del browser.headers["Sec-Fetch-Site"]
    assert (await browser.post("/decide")).status_code == 200, "older browsers send no fetch metadata"


async def test_a_bearer_token_needs_no_origin_and_is_judged_alone(world: World) -> None:
    text, key = world.store.create_key("sam.okafor", ["read", "decide"], timedelta(days=1))
    browser = world.signed_in()
    answer = await browser.post("/decide", headers={"Authorization": f"Bearer {text}", "Origin": ""})
    assert answer.json() == {"person": "sam.okafor", "via": "key", "credential": key.id}
    answer = await browser.get("/read", headers={"Authorization": "Bearer csk_x_y"})
    problem(answer, 401, "bad_credential")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"], "the cookie beside it does not help"


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer ", "Basic ZGFuYTpwdw==", "Bearer a b", "Bearer " + "x" * 5000, "Bearer csf_", "csk_"],
)
async def test_what_is_no_credential_is_refused_plainly(world: World, value: str) -> None:
    problem(await world.browser().get("/read", headers={"Authorization": value}), 401, "bad_credential")


async def test_two_credentials_are_none(world: World) -> None:
    text, _ = world.store.create_key("sam.okafor", ["read"], timedelta(days=1))
    headers = [("Authorization", f"Bearer {text}"), ("Authorization", f"Bearer {text}")]
    problem(await world.browser().get("/read", headers=headers), 401, "bad_credential")


@pytest.mark.parametrize("name", ["access_token", "token", "api_key", "Key", "x"])
async def test_a_credential_in_an_address_is_refused_even_a_good_one(world: World, name: str) -> None:
    text, _ = world.store.create_key("sam.okafor", ["read"], timedelta(days=1))
    browser = world.signed_in()
    problem(await browser.get("/read", params={name: text}), 400, "credential_in_address")


async def test_a_session_cookie_that_is_not_known_is_nobody(world: World) -> None:
    for value in ("x" * 43, "x" * 5000, "", '"'):
        answer = await world.browser().get("/read", headers={"Cookie": f"__Host-countersign={value}"})
        problem(answer, 401, "sign_in")


async def test_a_frame_token_is_given_to_a_session_and_dies_with_it(world: World) -> None:
    browser = world.signed_in()
    answer = await browser.post("/api/frame-token")
    assert answer.headers["cache-control"] == "no-store"
    given = answer.json()
    frame = world.browser(headers={"Authorization": f"Bearer {given['token']}", "Origin": ORIGIN})
    assert (await frame.post("/decide")).json()["via"] == "frame"
    problem(await frame.post("/api/frame-token"), 403, "needs_session")
    problem(await frame.post("/decide", headers={"Origin": INTRANET}), 401, "wrong_origin")
    answer = await browser.post("/sign-out", headers={"Accept": "application/json"})
    assert answer.status_code == 204
    problem(await frame.post("/decide"), 401, "bad_credential")


async def test_a_frame_token_lives_fifteen_minutes(world: World) -> None:
    given = (await world.signed_in().post("/api/frame-token")).json()
    frame = world.browser(headers={"Authorization": f"Bearer {given['token']}"})
    world.clock.forward(minutes=15, seconds=-1)
    assert (await frame.get("/read")).status_code == 200
    world.clock.forward(seconds=1)
    problem(await frame.get("/read"), 401, "expired")


async def test_a_frame_token_is_not_given_to_another_site_nor_to_a_key(world: World) -> None:
    browser = world.signed_in()
    problem(await browser.post("/api/frame-token", headers={"Origin": "https://evil.example"}), 403, "cross_site")
    problem(await world.browser().post("/api/frame-token"), 401, "sign_in")
    text, _ = world.store.create_key("dana.meyer", ["read"], timedelta(days=1))
    headers = {"Authorization": f"Bearer {text}"}
    problem(await browser.post("/api/frame-token", headers=headers), 403, "needs_session")


async def test_a_stream_that_stays_open_is_no_use_of_its_session_and_ends_with_it(world: World) -> None:
    browser = world.signed_in()
    given = (await browser.post("/api/frame-token")).json()
    cookie, bearer = dict(browser.headers), {"Authorization": f"Bearer {given['token']}"}
    cookie["Cookie"] = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())

    def stream(headers: dict[str, str]) -> Request:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw, "client": PEER}
        return Request(scope)

    for _ in range(4):
        assert await world.guard.still(stream(cookie))
        world.clock.forward(minutes=14)
        assert await world.guard.still(stream(bearer)) is (world.clock() < Clock()() + timedelta(minutes=15))
    world.clock.forward(minutes=4)
    assert not await world.guard.still(stream(cookie)) and not await world.guard.still(stream({}))
    problem(await browser.get("/read"), 401, "sign_in")


async def test_whoever_guesses_is_slowed_down_and_nobody_else_is(world: World) -> None:
    guesser, text = world.browser(), world.store.create_key("sam.okafor", ["read"], timedelta(days=1))[0]
    for number in range(Failures.MOST):
        answer = await guesser.get("/read", headers={"Authorization": f"Bearer csk_{number}_x"})
        problem(answer, 401, "bad_credential")
    answer = await guesser.get("/read", headers={"Authorization": "Bearer csk_one_more"})
    problem(answer, 429, "slow_down")
    assert 1 <= int(answer.headers["retry-after"]) <= Failures.REFILL_SECONDS
    problem(await guesser.get("/read", headers={"Authorization": "Bearer a.b.c"}), 429, "slow_down")
    elsewhere = world.browser(peer=("203.0.113.8", 1), headers={"Authorization": "Bearer csk_other_place"})
    problem(await elsewhere.get("/read"), 401, "bad_credential")
    behind_the_same_proxy = world.browser(headers={"Authorization": f"Bearer {text}"})
    assert (await behind_the_same_proxy.get("/read")).status_code == 200, "a good credential is never held up"
    assert (await world.signed_in().get("/read")).status_code == 200
    world.clock.forward(seconds=Failures.REFILL_SECONDS)
    problem(await guesser.get("/read", headers={"Authorization": "Bearer csk_x_y"}), 401, "bad_credential")
    problem(await guesser.get("/read", headers={"Authorization": "Bearer csk_x_y"}), 429, "slow_down")


async def test_what_has_expired_is_no_guess(world: World) -> None:
    token = widget_token.mint(
        KEY, host="intranet", audience=ORIGIN, person="ines.costa", origin=INTRANET, now=world.clock()
    )
    world.clock.forward(minutes=20)
    browser = world.browser(headers={"Authorization": f"Bearer {token}"})
    for _ in range(Failures.MOST + 5):
        problem(await browser.get("/own"), 401, "expired")


def test_failures_are_counted_for_a_bounded_number_of_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Failures, "MOST_PEERS", 3)
    failures = Failures(Clock())
    for peer in "aaabcde":
        failures.count(peer)
    assert len(failures._left) == 3 and "e" in failures._left


async def test_a_subscribers_whole_ipv6_network_is_one_peer(world: World) -> None:
    for number in range(Failures.MOST):
        browser = world.browser(peer=(f"2001:db8:1:2::{number + 1:x}", 1))
        await browser.get("/read", headers={"Authorization": "Bearer csk_a_b"})
    last = world.browser(peer=("2001:db8:1:2:ffff::1", 1))
    problem(await last.get("/read", headers={"Authorization": "Bearer csk_a_b"}), 429, "slow_down")
    other = world.browser(peer=("2001:db8:1:3::1", 1))
    problem(await other.get("/read", headers={"Authorization": "Bearer csk_a_b"}), 401, "bad_credential")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("https://A.example.org:443", "https://a.example.org"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://[::1]:8321", "http://[::1]:8321"),
        ("null", "null"),
        ("https://a.example.org:x", "https://a.example.org:x"),
    ],
)
def test_an_origin_is_compared_as_browsers_write_it(text: str, plain: str) -> None:
    assert plain_origin(text) == plain


async def _nothing() -> None:
    return None


def _ask() -> list[Any]:
    from fastapi import Depends

    from agent.api.identity.permissions import needs

    return [Depends(needs("ask"))]
