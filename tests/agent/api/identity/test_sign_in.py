"""Signing in at a real OpenID Connect provider: a person's browser walks the whole way, and forged ways end nowhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from agent.api.identity.guard import COOKIE
from agent.api.identity.oidc import Provider
from agent.api.identity.routes import ATTEMPT_COOKIE
from agent.api.identity.sign_in import CALLBACK, SignIn, sign_in_for
from agent.core.errors import CountersignError
from agent.settings import Serving
from tests.agent.api.identity.world import ORIGIN, PEER, Clock, World, make_world, problem
from tests.oidc_server import OidcServer, oidc_server

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
CARD = "/approvals/sha256:0123abcd?from=mail#evidence"


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcServer]:
    """One provider for this file; a test that changes its keys or ends it has one of its own."""
    with oidc_server([ORIGIN + CALLBACK]) as running:
        yield running


Serve = Callable[..., World]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Makes servers whose people sign in at a provider; their clock is the real one, which the provider goes by."""
    made: list[World] = []

    def start(provider: OidcServer, **changes: Any) -> World:
        clock, folder = Clock(datetime.now(UTC)), tmp_path / str(len(made))
        folder.mkdir()
        identity = provider.identity(folder / "client-secret", **changes)
        made.append(make_world(folder, sign_in_for(Serving(public_url=ORIGIN, identity=identity), clock), clock))
        return made[-1]

    yield start
    for one in made:
        one.store.close()


@pytest.fixture
def world(serve: Serve, provider: OidcServer) -> World:
    return serve(provider)


class Browser:
    """A person's browser: reaches server and provider, keeps cookies, follows redirects and fills in the form."""

    def __init__(self, world: World) -> None:
        inside = httpx.ASGITransport(world.app, raise_app_exceptions=False, client=PEER)
        self.http = httpx.AsyncClient(
            mounts={f"all://{urlsplit(ORIGIN).netloc}": inside},
            headers=PAGE,
            timeout=20,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Open an address of the server and stay there."""
        return await self.http.get(ORIGIN + path, **options)

    async def as_far_as_the_callback(
        self, account: str, path: str = f"/sign-in?next={CARD.replace('#', '%23')}"
    ) -> str:
        """Sign in at the provider; return the address that it sends the browser back to, not opened yet."""
        answer = await self.http.get(ORIGIN + path)
        while True:
            while answer.is_redirect:
                next_ = str(answer.url.join(answer.headers["location"]))
                if next_.startswith(ORIGIN + CALLBACK):
                    return next_
                answer = await self.http.get(next_)
            assert "Who are you?" in answer.text, answer.text
            answer = await self.http.post(answer.url, data={"account": account})

    async def sign_in(self, account: str, **options: Any) -> httpx.Response:
        """Walk the whole way."""
        return await self.http.get(await self.as_far_as_the_callback(account, **options))

    async def me(self) -> dict[str, Any]:
        """Return who the server says this browser is."""
        answer = await self.get("/api/me")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def nobody(self) -> None:
        """Hold that no session came of it."""
        assert COOKIE not in self.http.cookies
        problem(await self.get("/api/me"), 401, "sign_in")


async def test_a_person_signs_in_and_comes_back_to_the_card_they_came_for(world: World) -> None:
    browser = Browser(world)
    answer = await browser.sign_in("u-1001")
    assert (answer.status_code, answer.headers["location"]) == (303, CARD)
    me = await browser.me()
    assert (me["person"], me["name"], me["roles"], me["via"]) == ("dana.meyer", "Dana Meyer", ["approver"], "session")
    assert me["permissions"] == ["ask", "decide", "read"] and me["demo"] is False
    assert abs(datetime.fromisoformat(me["signed_in_at"]) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_the_session_cookie_is_for_this_host_over_tls_and_for_no_script(world: World) -> None:
    answer = await Browser(world).sign_in("u-1001")
    [cookie] = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{COOKIE}=")]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts == {"path=/", "secure", "httponly", "samesite=lax"}, (
        "and neither Domain nor an age beyond the browser's"
    )
    assert COOKIE.startswith("__Host-")


async def test_the_way_to_the_provider_carries_pkce_state_and_nonce_and_each_is_new(world: World) -> None:
    asked = []
    for _ in range(2):
        answer = await Browser(world).get("/sign-in")
        query = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
        asked.append(query)
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        assert query["redirect_uri"] == ORIGIN + CALLBACK and "openid" in query["scope"].split()
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", query["code_challenge"])
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]


async def test_groups_become_roles_and_a_path_with_dots_leads_to_them(serve: Serve, provider: OidcServer) -> None:
    world = serve(provider, roles_claim="realm_access.roles", roles={"all-staff": "viewer", "watch": "admin"})
    browser = Browser(world)
    await browser.sign_in("u-1001")
    assert (await browser.me())["roles"] == ["viewer"]


async def test_claims_may_stand_in_the_id_token_itself_and_a_public_client_has_no_secret(serve: Serve) -> None:
    with oidc_server([ORIGIN + CALLBACK], claims_in_id_token=True) as provider:
        world = serve(provider, client_id="countersign-public", client_secret=None)
        browser = Browser(world)
        await browser.sign_in("u-1003")
        assert (await browser.me())["roles"] == ["responder"]


async def test_who_has_no_role_is_told_so_and_has_no_session(world: World) -> None:
    browser = Browser(world)
    answer = await browser.sign_in("u-1004")
    assert answer.status_code == 403 and "none of your groups has a role here" in answer.text
    await browser.nobody()


async def test_signing_in_again_gives_a_new_session_and_ends_the_old_one(world: World) -> None:
    browser = Browser(world)
    await browser.sign_in("u-1001")
    first = browser.http.cookies[COOKIE]
    assert (await browser.get("/sign-in?next=/x")).headers["location"] == "/x", "who has signed in goes straight on"
    browser.http.cookies.clear(domain="127.0.0.1")  # Dana has signed out at the provider, not here
    await browser.sign_in("u-1002", path="/sign-in?again=1")
    assert (await browser.me())["person"] == "sam.okafor"
    assert browser.http.cookies[COOKIE] != first and world.store.session(first) is None


async def test_proving_anew_who_one_is_means_being_asked_by_the_provider(world: World) -> None:
    browser = Browser(world)
    await browser.sign_in("u-1001")
    query = parse_qs(urlsplit((await browser.get("/sign-in?again=1")).headers["location"]).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
    world.clock.at = datetime.now(UTC)
    await browser.sign_in("u-1001", path="/sign-in?again=1")
    assert (await browser.me())["person"] == "dana.meyer"
    # A provider that lets an old sign-in pass for a new one: the attempt is of a later time than its `auth_time`.
    stranger = Browser(world)
    stranger.http.cookies = browser.http.cookies
    back = await stranger.as_far_as_the_callback("u-1001", "/sign-in?again=1")
    with world.store._engine.begin() as connection:
        late = (world.clock() + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        connection.exec_driver_sql("UPDATE attempts SET begun_at = ?", (late,))
    answer = await stranger.http.get(back)
    assert answer.status_code == 403 and "not_fresh" in answer.text


async def test_signing_out_ends_the_session_on_the_server(world: World) -> None:
    browser = Browser(world)
    await browser.sign_in("u-1001")
    secret = browser.http.cookies[COOKIE]
    refused = await browser.http.post(f"{ORIGIN}/sign-out", headers={"Origin": "https://evil.example"})
    problem(refused, 403, "cross_site")
    assert world.store.session(secret) is not None
    answer = await browser.http.post(f"{ORIGIN}/sign-out", headers={"Origin": ORIGIN})
    assert answer.status_code == 200 and "You are signed out" in answer.text
    assert "/session/end?client_id=countersign" in answer.text, "one can sign out at the provider, too"
    assert world.store.session(secret) is None
    await browser.nobody()
    browser.http.cookies.set(COOKIE, secret, domain="countersign.example.org", path="/")
    problem(await browser.get("/api/me"), 401, "sign_in")


async def test_the_popup_ends_in_the_page_that_hands_over_a_token(world: World) -> None:
    browser = Browser(world)
    answer = await browser.sign_in("u-1001", path="/sign-in?popup=1&next=//evil.example")
    assert answer.headers["location"] == "/signed-in?popup=1"
    ends = await browser.get("/signed-in?popup=1")
    assert '<script src="/assets/signed-in.js" defer>' in ends.text and "Dana Meyer" in ends.text
    assert "script-src 'self'" in ends.headers["content-security-policy"]
    without = await browser.get("/signed-in")
    assert "<script" not in without.text and "script-src" not in without.headers["content-security-policy"]


@pytest.mark.parametrize(
    "next_",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/a\\..\\b",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/a\r\nSet-Cookie: x=y",
        " /a",
        "a",
        "",
        "/" + "a" * 600,
        "/ä",
    ],
)
async def test_one_comes_back_to_pages_of_this_server_alone(world: World, next_: str) -> None:
    browser = Browser(world)
    await browser.sign_in("u-1001")
    answer = await browser.get("/sign-in", params={"next": next_})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a_way_back_opens_once_in_the_browser_that_began_it_and_nowhere_else(world: World) -> None:
    victim, attacker = Browser(world), Browser(world)
    back = await attacker.as_far_as_the_callback("u-1001")
    answer = await victim.http.get(back)
    assert answer.status_code == 400 and "was not begun in this browser" in answer.text
    await victim.nobody()
    answer = await attacker.http.get(back)
    assert answer.status_code == 400, "a state that was seen elsewhere is used up"
    await attacker.nobody()
    back = await attacker.as_far_as_the_callback("u-1001")
    assert (await attacker.http.get(back)).status_code == 303
    answer = await attacker.http.get(back)
    assert answer.status_code == 400, "the same address again signs nobody in"


async def test_two_tabs_may_sign_in_at_the_same_time(world: World) -> None:
    browser = Browser(world)
    first = await browser.as_far_as_the_callback("u-1001")
    second = await browser.as_far_as_the_callback("u-1001", "/sign-in?next=/second")
    assert (await browser.http.get(second)).headers["location"] == "/second"
    assert (await browser.http.get(first)).headers["location"] == CARD


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"state": "x" * 43}, 400, "unknown_sign_in"),
        ({"state": None}, 400, "unknown_sign_in"),
        ({"code": "x" * 43}, 403, "not_proven"),
        ({"code": None}, 403, "refused_by_provider"),
        ({"iss": "https://evil.example"}, 403, "not_proven"),
        ({"iss": None}, 403, "not_proven"),
        ({"error": "access_denied"}, 403, "refused_by_provider"),
    ],
    ids=str,
)
async def test_an_answer_that_was_tampered_with_signs_nobody_in(
    world: World, change: dict[str, str | None], status: int, code: str
) -> None:
    browser = Browser(world)
    back = httpx.URL(await browser.as_far_as_the_callback("u-1001"))
    params = {name: value for name, value in (dict(back.params) | change).items() if value is not None}
    answer = await browser.http.get(ORIGIN + CALLBACK, params=params, headers={"Accept": "application/json"})
    problem(answer, status, code)
    await browser.nobody()


async def test_a_parameter_that_comes_twice_is_no_answer(world: World) -> None:
    browser = Browser(world)
    back = await browser.as_far_as_the_callback("u-1001")
    answer = await browser.http.get(f"{back}&code=other")
    assert answer.status_code == 400
    await browser.nobody()


async def test_a_code_is_worth_nothing_without_the_verifier_of_its_sign_in(world: World) -> None:
    browser = Browser(world)
    back = await browser.as_far_as_the_callback("u-1001")
    with world.store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempts SET verifier = ?", ("y" * 64,))
    answer = await browser.http.get(back, headers={"Accept": "application/json"})
    problem(answer, 403, "not_proven")
    await browser.nobody()


async def test_a_code_from_another_sign_in_brings_another_nonce(world: World) -> None:
    """A code that was given to somebody else, put into one's own way back: the verifier is right, the nonce is not."""
    browser = Browser(world)
    back = await browser.as_far_as_the_callback("u-1001")
    with world.store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempts SET nonce = ?", ("another",))
    problem(await browser.http.get(back, headers={"Accept": "application/json"}), 403, "not_proven")
    await browser.nobody()


async def test_a_code_of_another_client_is_worth_nothing_here(world: World, provider: OidcServer) -> None:
    browser = Browser(world)
    mine = httpx.URL(await browser.as_far_as_the_callback("u-1001"))
    verifier = "v" * 64
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    params = {
        "client_id": provider.other_client[0],
        "response_type": "code",
        "redirect_uri": ORIGIN + CALLBACK,
        "scope": "openid profile",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    answer = await browser.http.get(f"{provider.issuer}/auth", params=params)
    theirs = httpx.URL(answer.headers["location"])
    assert theirs.params["code"], "the provider knows this browser and gives the other client a code at once"
    with world.store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempts SET verifier = ?", (verifier,))
    back = mine.copy_set_param("code", theirs.params["code"])
    problem(await browser.http.get(back, headers={"Accept": "application/json"}), 403, "not_proven")
    await browser.nobody()


async def test_a_person_who_is_turned_away_at_the_provider_reads_our_words_alone(world: World) -> None:
    answer = await Browser(world).sign_in("")
    assert answer.status_code == 403 and "The identity provider did not sign you in." in answer.text
    assert "script" not in answer.text.lower().replace("<link", "") and "alert" not in answer.text
    assert "/sign-in?next=%2Fapprovals" in answer.text, "one can try again, and still comes to the card"


async def test_a_new_signing_key_is_fetched_when_it_is_first_seen(serve: Serve) -> None:
    with oidc_server([ORIGIN + CALLBACK]) as provider:
        world = serve(provider)
        await Browser(world).sign_in("u-1001")
        old, new = provider.kid, provider.rotate()
        assert old != new
        browser = Browser(world)
        answer = await browser.sign_in("u-1002")
        assert answer.status_code == 303, answer.text
        assert (await browser.me())["person"] == "sam.okafor"


async def test_a_provider_that_is_away_gives_a_plain_page_and_never_a_stack(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with oidc_server([ORIGIN + CALLBACK]) as provider:
        world = serve(provider)
        browser = Browser(world)
        back = await browser.as_far_as_the_callback("u-1001")
        provider.stop()
        answer = await browser.http.get(back)
        assert answer.status_code == 503 and "cannot be reached now" in answer.text
        fresh = serve(provider)
        answer = await Browser(fresh).get("/sign-in")
        assert answer.status_code == 503 and "Try again" in answer.text and provider.issuer not in answer.text
        problem(await fresh.browser().get("/sign-in"), 503, "provider_unavailable")
        assert provider.issuer in caplog.text, "whoever runs the server reads which provider it was"
        await browser.nobody()


async def test_a_wrong_client_secret_is_the_servers_fault_and_said_so(serve: Serve, provider: OidcServer) -> None:
    world = serve(provider)
    file = world.key_file.with_name("client-secret")
    spoils: list[Callable[[], object]] = [lambda: file.write_text("wrong"), lambda: file.chmod(0o644), file.unlink]
    for spoil in spoils:
        browser = Browser(world)
        back = await browser.as_far_as_the_callback("u-1001")
        spoil()
        answer = await browser.http.get(back, headers={"Accept": "application/json"})
        problem(answer, 503, "misconfigured")
        assert str(file.parent) not in answer.text


async def test_without_a_provider_the_page_says_that_signing_in_is_not_set_up(tmp_path: Path) -> None:
    world = make_world(tmp_path, SignIn())
    world.store.close()
    answer = await world.browser(headers=PAGE).get("/sign-in")
    assert answer.status_code == 503 and "names no identity provider" in answer.text
    problem(await world.browser().get("/sign-in"), 503, "not_configured")
    problem(await world.browser().get("/sign-in/demo?code=x"), 404, "not_found")
    problem(await world.browser().get(f"{CALLBACK}?code=x&state=y"), 400, "unknown_sign_in")


@pytest.mark.parametrize("issuer", ["http://login.example.org", "https://", "login.example.org", "https://a@b.example"])
def test_an_issuer_without_tls_is_refused_at_the_start(tmp_path: Path, provider: OidcServer, issuer: str) -> None:
    identity = provider.identity(tmp_path / "secret", issuer=issuer)
    with pytest.raises(CountersignError, match="https address"):
        Provider(identity, ORIGIN + CALLBACK, Clock())


def test_a_server_that_browsers_reach_without_tls_cannot_have_people_sign_in(
    tmp_path: Path, provider: OidcServer
) -> None:
    serving = Serving(public_url="http://countersign.example.org", identity=provider.identity(tmp_path / "secret"))
    with pytest.raises(CountersignError, match="public_url"):
        sign_in_for(serving, Clock())


async def test_the_attempts_cookie_is_as_guarded_as_the_sessions(world: World) -> None:
    answer = await Browser(world).get("/sign-in")
    [cookie] = answer.headers.get_list("set-cookie")
    assert cookie.startswith(f"{ATTEMPT_COOKIE}=") and "Max-Age=600" in cookie
    assert {"httponly", "secure", "samesite=lax", "path=/"} <= {one.strip().lower() for one in cookie.split(";")}
