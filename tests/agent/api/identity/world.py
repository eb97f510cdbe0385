"""A small app with the routes of this room and one for each permission, a clock turned by hand, and browsers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel, Field

from agent.api import problems
from agent.api.identity.demo import DemoSignIn
from agent.api.identity.guard import COOKIE, Guard
from agent.api.identity.permissions import needs
from agent.api.identity.principal import Principal
from agent.api.identity.routes import router
from agent.api.identity.sign_in import SignIn
from agent.api.identity.store import Store, stamp
from agent.core.errors import CountersignError, Refused
from agent.settings import Host

ORIGIN = "https://countersign.example.org"
INTRANET = "https://intranet.example.org"
KEY = b"0123456789abcdef0123456789abcdef"
PEER = ("203.0.113.7", 40000)


class Clock:
    """The time, as the test says it is."""

    def __init__(self, at: datetime | None = None) -> None:
        self.at = at or datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at

    def forward(self, **by: float) -> None:
        """Let time pass."""
        self.at += timedelta(**by)


class Given(BaseModel):
    """What one of the routes takes."""

    level: int = Field(le=3)


@dataclass
class World:
    """One server, and what a test wants to turn."""

    app: FastAPI
    guard: Guard
    store: Store
    clock: Clock
    key_file: Path

    def browser(self, **options: Any) -> httpx.AsyncClient:
        """A client with a cookie jar of its own, from one address."""
        peer = options.pop("peer", PEER)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=peer)
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, **options)

    def signed_in(self, person: str = "dana.meyer", roles: Sequence[str] = ("approver",)) -> httpx.AsyncClient:
        """A browser in which a person has signed in."""
        secret, _ = self.store.sign_in(
            person=person,
            name=person.replace(".", " ").title(),
            roles=roles,
            via="session",
            subject="u-1",
            signed_in_at=stamp(self.clock()),
            idle=timedelta(hours=1),
            life=timedelta(hours=8),
        )
        browser = self.browser(headers={"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"})
        browser.cookies.set(COOKIE, secret, domain="countersign.example.org", path="/")
        return browser


def make_world(folder: Path, sign_in: SignIn | None = None, clock: Clock | None = None) -> World:
    """Build a server in a folder."""
    clock = clock or Clock()
    key_file = folder / "intranet.key"
    key_file.write_bytes(KEY)
    key_file.chmod(0o600)
    store = Store(folder / "state" / "identity.db", clock)
    guard = Guard(store, ORIGIN, [Host("intranet", INTRANET, key_file), Host("silent", ORIGIN, None)], clock)
    app = FastAPI(openapi_url=None)
    app.state.guard = guard
    app.state.sign_in = sign_in or SignIn()
    problems.install(app)
    app.include_router(router)
    for name in ("read", "ask", "decide", "stop", "audit", "metrics"):
        _route(app, name)

    @app.get("/own")
    async def own(principal: Annotated[Principal, Depends(needs("read", own=True))]) -> dict[str, str]:
        return {"person": principal.person}

    @app.post("/given")
    async def given(given: Given) -> dict[str, int]:
        return {"level": given.level}

    @app.get("/fails/{how}")
    async def fails(how: str) -> None:
        if how == "refused":
            raise Refused("four_eyes", "dana.meyer asked for this and cannot approve it")
        if how == "unable":
            raise CountersignError("the journal /srv/countersign/state/journal.db cannot be written")
        raise RuntimeError("password=hunter2 in /srv/countersign/secret.py")

    return World(app, guard, store, clock, key_file)


def _route(app: FastAPI, permission: Any) -> None:
    async def answer(request: Request) -> dict[str, str]:
        principal: Principal = request.state.principal
        return {"person": principal.person, "via": principal.via, "credential": principal.credential}

    methods, depends = ["GET", "POST"], [Depends(needs(permission))]
    app.add_api_route(f"/{permission}", answer, methods=methods, dependencies=depends)


DEMO = DemoSignIn(
    "c0de-" + "x" * 40,
    {
        "dana.meyer": ("Dana Meyer", frozenset({"approver"})),
        "lee.brandt": ("Lee Brandt", frozenset({"responder"})),
        "ines.costa": ("Ines <b>Costa</b>", frozenset({"viewer"})),
    },
)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Return the problem that an answer is, which it must be."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    assert {"type", "title", "status", "detail", "code"} <= body.keys() and body["status"] == status
    return body
