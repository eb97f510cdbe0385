"""What each kind of caller may: by role, by scope, by kind of credential; and nothing for nobody."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi import Depends, FastAPI

from agent.api.identity import widget_token
from agent.api.identity.permissions import declared, needs
from agent.api.identity.principal import PERMISSIONS, ROLES, Principal, is_person
from agent.settings import ROLES as CONFIGURED
from tests.agent.api.identity.world import INTRANET, KEY, ORIGIN, World, problem

ROUTES = ("read", "ask", "decide", "stop", "audit", "metrics")
MAY = {
    "viewer": {"read"},
    "responder": {"read", "ask", "decide"},
    "approver": {"read", "ask", "decide"},
    "operator": {"read", "ask", "stop"},
    "auditor": {"read", "audit", "metrics"},
    "admin": set(ROUTES),
}


@pytest.mark.parametrize("role", MAY)
async def test_a_role_opens_what_it_names_and_nothing_else(world: World, role: str) -> None:
    browser = world.signed_in(roles=[role])
    for route in ROUTES:
        answer = await browser.post(f"/{route}")
        if route in MAY[role]:
            assert answer.status_code == 200, (role, route, answer.text)
        else:
            problem(answer, 403, "not_permitted")


def test_the_configuration_knows_the_same_roles() -> None:
    assert set(CONFIGURED) == ROLES.keys() == MAY.keys()


async def test_several_roles_add_up_and_a_role_nobody_knows_gives_nothing(world: World) -> None:
    browser = world.signed_in(roles=["viewer", "operator", "emperor"])
    assert [(await browser.post(f"/{one}")).status_code for one in ROUTES] == [200, 200, 403, 200, 403, 403]


async def test_nobody_hears_how_to_come_in(world: World) -> None:
    for route in (*ROUTES, "own", "api/me"):
        answer = await world.browser().get(f"/{route}")
        problem(answer, 401, "sign_in")
        assert answer.headers["www-authenticate"].startswith("Bearer ")


async def test_a_host_pages_token_asks_and_reads_its_own_and_never_decides(world: World) -> None:
    token = widget_token.mint(
        KEY, host="intranet", audience=ORIGIN, person="ines.costa", origin=INTRANET, now=world.clock()
    )
    browser = world.browser(headers={"Authorization": f"Bearer {token}"})
    assert [(await browser.post(f"/{one}")).status_code for one in ROUTES] == [403, 200, 403, 403, 403, 403]
    assert (await browser.get("/own")).json() == {"person": "ines.costa"}
    problem(await browser.get("/read"), 403, "own_only")
    problem(await browser.post("/decide"), 403, "widget_cannot_decide")
    me = (await browser.get("/api/me")).json()
    assert (me["via"], me["origin"], me["permissions"]) == ("widget", INTRANET, ["ask", "read"])


def test_a_host_pages_token_owns_what_began_on_its_page_alone() -> None:
    of_page = Principal("ines.costa", "", frozenset(), "widget", "", origin=INTRANET)
    signed_in = Principal("ines.costa", "", frozenset(), "session", "")
    assert of_page.owns("ines.costa", INTRANET) and not of_page.owns("ines.costa", "")
    assert not of_page.owns("dana.meyer", INTRANET)
    assert signed_in.owns("ines.costa", INTRANET) and signed_in.owns("ines.costa", "")
    assert not signed_in.owns("dana.meyer", "")


async def test_a_persons_key_may_what_its_scopes_say_and_a_machines_key_never_decides(world: World) -> None:
    text, _ = world.store.create_key("dana.meyer", ["read", "decide"], timedelta(days=1))
    browser = world.browser(headers={"Authorization": f"Bearer {text}"})
    assert [(await browser.post(f"/{one}")).status_code for one in ROUTES] == [200, 403, 200, 403, 403, 403]
    # `keys create` refuses such a key; should a row like it stand there all the same, it decides nothing.
    text, _ = world.store.create_key("machine:grafana", ["decide", "metrics", "emperor"], timedelta(days=1))
    browser = world.browser(headers={"Authorization": f"Bearer {text}"})
    assert [(await browser.post(f"/{one}")).status_code for one in ROUTES] == [403, 403, 403, 403, 403, 200]


def test_a_walk_over_the_routes_reads_what_each_declares_and_sees_the_one_that_declares_nothing(world: World) -> None:
    found = {(path, method): permission for path, methods, permission in declared(world.app) for method in methods}
    assert found["/read", "GET"] == "read" and found["/own", "GET"] == "read"
    assert found["/given", "POST"] is None
    assert found["/api/me", "GET"] == found["/api/frame-token", "POST"] == "signed_in"
    public = {path for (path, _), permission in found.items() if permission == "public"}
    assert public == {"/sign-in", "/sign-in/callback", "/sign-out", "/signed-in", "/sign-in/demo"}


def test_the_stricter_of_two_declarations_counts() -> None:
    app = FastAPI(openapi_url=None, dependencies=[Depends(needs("public"))])

    @app.get("/both", dependencies=[Depends(needs("stop"))])
    def both() -> None:
        return None

    assert [permission for _, _, permission in declared(app)] == ["stop"]


def test_a_permission_that_does_not_exist_cannot_be_declared() -> None:
    with pytest.raises(ValueError, match="no permission"):
        needs("rule")  # type: ignore[arg-type]
    assert {"public", "signed_in"}.isdisjoint(PERMISSIONS)


@pytest.mark.parametrize("text", ["dana.meyer", "d", "dana+ops@example.org", "u_1-2"])
def test_a_persons_name_is_one_plain_word(text: str) -> None:
    assert is_person(text)


@pytest.mark.parametrize(
    "text", ["", " dana", "dana meyer", "dana\nmeyer", "machine:x", "../dana", "-dana", "d" * 101, None, 7, "d\u0430na"]
)
def test_anything_else_is_no_persons_name(text: object) -> None:
    assert not is_person(text)
