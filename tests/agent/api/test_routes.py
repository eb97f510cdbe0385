"""Every route says what it needs, and everybody gets exactly what the table gives them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from agent.api.app import build_api
from agent.api.edge import MOST_BODY_BYTES
from agent.api.identity.guard import Guard
from agent.api.identity.permissions import declared
from agent.api.identity.store import Store
from agent.settings import Serving
from tests.agent.api.app import Broken, Doors, doors
from tests.agent.api.client import Client, problem, said

ROUTES = {
    "GET /healthz": "public",
    "GET /readyz": "public",
    "GET /": "public",
    "GET /approvals/{digest}": "public",
    "GET /embed": "public",
    "GET /widget.js": "public",
    "GET /embed.js": "public",
    "GET /assets/{name}": "public",
    "GET /sign-in": "public",
    "GET /sign-in/callback": "public",
    "GET /signed-in": "public",
    "GET /sign-in/demo": "public",
    "POST /sign-in/demo": "public",
    "POST /sign-out": "public",
    "GET /api/me": "signed_in",
    "POST /api/frame-token": "signed_in",
    "GET /api/demo": "signed_in",
    "POST /api/agent": "ask",
    "GET /api/threads": "ask",
    "POST /api/threads": "ask",
    "GET /api/threads/{thread}/events": "ask",
    "POST /api/threads/{thread}/stop": "ask",
    "POST /api/threads/{thread}/feedback": "ask",
    "POST /api/demo/break": "ask",
    "GET /api/incidents": "read",
    "GET /api/incidents/{incident}": "read own",
    "GET /api/incidents/{incident}/record": "read",
    "GET /api/events": "read",
    "GET /api/proposals": "read",
    "GET /api/proposals/{digest}": "read own",
    "GET /api/knowledge/search": "read",
    "GET /api/stop": "read",
    "POST /api/proposals/{digest}/decision": "decide",
    "POST /api/stop": "stop",
    "DELETE /api/stop": "stop",
    "GET /api/audit": "audit",
    "GET /metrics": "metrics",
}
"""What each route needs: the contract (docs/api.md), written down a second time on purpose."""
ROLES = {
    "viewer": {"read"},
    "responder": {"read", "ask", "decide"},
    "approver": {"read", "ask", "decide"},
    "operator": {"read", "ask", "stop"},
    "auditor": {"read", "audit", "metrics"},
    "admin": {"read", "ask", "decide", "stop", "audit", "metrics"},
}
BODIES = {
    "/api/agent": said("why?"),
    "/api/threads": {},
    "/api/threads/{thread}/feedback": {"run": "r", "useful": True},
    "/api/demo/break": {"fault": "nothing"},
    "/api/proposals/{digest}/decision": {"decision": "approve"},
    "/api/stop": {"level": "effects"},
}
NOT_ALLOWED = {"not_permitted", "own_only", "widget_cannot_decide"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def interface(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Doors]:
    """One interface without parts for all these tests: nothing here changes it."""
    async with doors(tmp_path_factory.mktemp("routes")) as one:
        yield one


module = pytest.mark.asyncio(loop_scope="module")


def filled(path: str) -> str:
    """Return a path with something in every place that a name goes into."""
    return re.sub(r"\{\w+\}", "x" * 8, path.replace("{digest}", "sha256:" + "0" * 64))


async def send(client: Client, route: str) -> httpx.Response:
    """Send what a route takes."""
    method, path = route.split(" ")
    body = BODIES.get(path) if method == "POST" else None
    params = {"q": "portal"} if path.endswith("/search") else {"level": "effects"} if method == "DELETE" else None
    path = path.replace("{digest}", "sha256:" + "0" * 64)
    return await client.ask(method, filled(path), json=body, params=params)


async def asks(client: Client, route: str) -> tuple[int, str]:
    """Ask a route and return the status and, where it is a no, its code."""
    answer = await send(client, route)
    kind = answer.headers.get("content-type", "")
    return answer.status_code, answer.json()["code"] if kind == "application/problem+json" else ""


@module
async def test_the_routes_are_those_of_the_contract_and_each_declares_what_it_needs(interface: Doors) -> None:
    found = {
        f"{method} {path.replace(':path', '')}": permission
        for path, methods, permission in declared(interface.api)
        for method in methods
    }
    assert None not in found.values()
    assert found == {route: permission.split(" ")[0] for route, permission in ROUTES.items()}


@module
@pytest.mark.parametrize("route", ROUTES)
async def test_nobody_gets_401_wherever_somebody_is_needed(interface: Doors, route: str) -> None:
    status, code = await asks(interface.anybody, route)
    if ROUTES[route] == "public":
        assert status != 401 or code == "", "a page may say that nobody is signed in; it is there for everybody"
    else:
        assert (status, code) == (401, "sign_in")


@module
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", [route for route, need in ROUTES.items() if need != "public"])
async def test_a_role_gets_what_the_table_gives_it_and_nothing_else(interface: Doors, route: str, role: str) -> None:
    need = ROUTES[route].split(" ")[0]
    status, code = await asks(interface.session("somebody", (role,)), route)
    if need == "signed_in" or need in ROLES[role]:
        assert status in {200, 503}, (status, code)
        assert code in {"", "starting"}
    else:
        assert (status, code) == (403, "not_permitted")


@module
@pytest.mark.parametrize("route", [route for route, need in ROUTES.items() if need != "public"])
async def test_a_token_of_a_host_page_asks_and_reads_its_own_and_nothing_else(interface: Doors, route: str) -> None:
    need = ROUTES[route]
    status, code = await asks(interface.widget("dana.meyer"), route)
    if need in {"ask", "read own"} or route in {"GET /api/me", "GET /api/demo"}:
        assert status in {200, 503} and code in {"", "starting"}
    else:
        assert status == 403 and code in NOT_ALLOWED | {"needs_session"}, (status, code)
    if need == "decide":
        assert code == "widget_cannot_decide"


@module
@pytest.mark.parametrize("scope", ["read", "ask", "decide", "stop", "audit", "metrics"])
@pytest.mark.parametrize("route", [route for route, need in ROUTES.items() if need not in {"public", "signed_in"}])
async def test_a_key_may_what_its_scopes_say_and_nothing_else(interface: Doors, route: str, scope: str) -> None:
    status, code = await asks(interface.key(scope, person="dana.meyer"), route)
    if ROUTES[route].split(" ")[0] == scope:
        assert (status, code) == (503, "starting")
    else:
        assert (status, code) == (403, "not_permitted")


@module
async def test_whoever_has_no_role_is_somebody_and_may_nothing(interface: Doors) -> None:
    nobody = interface.session("somebody", ())
    assert (await nobody.get("/api/me"))["permissions"] == []
    for route, need in ROUTES.items():
        if need not in {"public", "signed_in"}:
            assert (await asks(nobody, route)) == (403, "not_permitted"), route


@module
@pytest.mark.parametrize("path", ["/nope", "/api", "/api/", "/api/me/", "/api/nope", "/docs", "/openapi.json", "/.env"])
async def test_an_unknown_address_is_a_plain_404(interface: Doors, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        problem(await interface.session("somebody").ask(method, path), 404, "not_found")


@module
@pytest.mark.parametrize("route", ROUTES)
async def test_a_wrong_method_is_a_plain_405_that_names_the_right_ones(interface: Doors, route: str) -> None:
    path = route.split(" ")[1]
    right = {one.split(" ")[0] for one in ROUTES if one.split(" ")[1] == path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} - right:
        answer = await interface.session("somebody").ask(method, path)
        problem(answer, 405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) <= right


@module
async def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(interface: Doors) -> None:
    client = interface.session("somebody")
    typed = {"Content-Type": "application/json"}

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(MOST_BODY_BYTES // 65536 + 2):
            yield b" " * 65536

    whole = b" " * (MOST_BODY_BYTES + 1)
    for path in ("/api/me", "/api/agent", "/api/stop", "/sign-in/demo", "/nope"):
        problem(await client.ask("POST", path, content=whole, headers=typed), 413, "too_large")
    for path in ("/api/threads", "/api/proposals/x/decision"):
        interface.api.state.parts = Broken()
        try:
            problem(await client.ask("POST", path, content=pieces(), headers=typed), 413, "too_large")
        finally:
            interface.api.state.parts = None


@module
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"decision=approve", "application/x-www-form-urlencoded"),
        (b'{"level":"effects"}', "text/plain"),
        (b'{"level":"effects"}', ""),
        (b"", "application/json"),
    ],
)
async def test_what_is_no_json_is_refused_in_words(interface: Doors, content: bytes, kind: str) -> None:
    interface.api.state.parts = Broken()
    try:
        for path in ("/api/stop", "/api/agent", "/api/proposals/sha256:abc/decision"):
            headers = {"Content-Type": kind} if kind else {}
            answer = await interface.session("somebody", ("admin",)).ask("POST", path, content=content, headers=headers)
            assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text)
            problem(answer, answer.status_code, answer.json()["code"])
            assert "Traceback" not in answer.text and "pydantic" not in answer.text
    finally:
        interface.api.state.parts = None


@module
@pytest.mark.parametrize("route", [route for route, need in ROUTES.items() if need not in {"public", "signed_in"}])
async def test_an_unforeseen_error_says_nothing_of_the_inside(
    interface: Doors, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    interface.api.state.parts = Broken()
    try:
        answer = await send(interface.session("somebody", ("admin",)), route)
    finally:
        interface.api.state.parts = None
    body = problem(answer, 500, "failed")
    said_of_it = answer.text + json.dumps(dict(answer.headers))
    for word in ("hunter2", "/srv", "RuntimeError", "Traceback", ".py", "line "):
        assert word not in said_of_it, answer.text
    assert answer.headers["x-content-type-options"] == "nosniff" and "csp" not in body
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert body["correlation"] in caplog.text and "hunter2" in caplog.text, "whoever runs it finds the reason"


@module
async def test_every_answer_carries_the_headers_that_protect_it(interface: Doors) -> None:
    clients = [interface.anybody, interface.session("somebody", ("admin",))]
    paths = [filled(route.split(" ")[1]) for route in ROUTES if route.startswith("GET")]
    for client in clients:
        for path in [*paths, "/nope"]:
            answer = await client.ask("GET", path, params={"q": "x"} if path.endswith("/search") else None)
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["content-security-policy"].startswith("default-src 'none'"), path
            assert answer.headers["referrer-policy"] in {"no-referrer", "same-origin"}, path
            assert "no-store" in answer.headers["cache-control"] or path.endswith(".js") or "assets" in path, path
            assert "set-cookie" not in answer.headers, "looking sets no cookie"


def test_without_a_lab_and_without_hosts_the_routes_are_the_same(tmp_path: Path) -> None:
    store = Store(tmp_path / "identity.db")
    serving = Serving()
    plain: FastAPI = build_api(serving, Guard(store, serving.origin))
    assert {path.replace(":path", "") for path, _, _ in declared(plain)} == {one.split(" ")[1] for one in ROUTES}
    store.close()
