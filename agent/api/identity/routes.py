"""Signing in and out, who one is, and the token of the embedded frame. `app.state.sign_in` says how one signs in."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, cast
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from agent.api.identity.demo import DemoSignIn
from agent.api.identity.guard import COOKIE, FRAME_PREFIX, Guard
from agent.api.identity.oidc import SignedIn, SignInFailed
from agent.api.identity.pages import choice, link, page, safe_next, says, words
from agent.api.identity.permissions import needs
from agent.api.identity.principal import Principal
from agent.api.identity.sign_in import CALLBACK, SignIn
from agent.api.identity.store import ATTEMPT_LIFE, stamp
from agent.api.problems import Problem

LOG = logging.getLogger("countersign.sign-in")

IN_POPUP = "/signed-in?popup=1"
ATTEMPT_COOKIE = "__Host-countersign-attempt"
DEMO_COOKIE = "__Host-countersign-demo"
MOST_FORM_BYTES = 4096
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")

router = APIRouter(tags=["identity"])
Public = Depends(needs("public"))
Known = Annotated[Principal, Depends(needs("signed_in"))]


@router.get("/sign-in", dependencies=[Public])
async def begin(request: Request) -> Response:
    """Send the browser to the provider, or on to where it was going when somebody is signed in.

    `popup=1` ends in the page that hands the embedded frame its token; `again=1` has people prove anew who they are.
    """
    query, how, guard = request.query_params, _how(request), _guard(request)
    next_ = IN_POPUP if query.get("popup") == "1" else safe_next(query.get("next"))
    again = query.get("again") == "1"
    if not again and guard.session(request) is not None:
        return _to(next_)
    if how.provider is None:
        if how.demo is None:
            return _failed(request, _NOT_SET_UP)
        return _to(f"/sign-in/demo?{urlencode({'next': next_})}")
    state, nonce, verifier = (secrets.token_urlsafe(length) for length in (32, 32, 64))
    # One secret for all sign-ins of a browser that are under way, so that two tabs do not undo each other.
    browser = request.cookies.get(ATTEMPT_COOKIE, "")
    browser = browser if _SECRET.fullmatch(browser) else secrets.token_urlsafe(32)
    try:
        address = await how.provider.address(state, nonce, verifier, again)
    except SignInFailed as failure:
        return _failed(request, failure, next_)
    guard.store.begin(state, browser, nonce, verifier, next_, again)
    answer = _to(address)
    _set(answer, ATTEMPT_COOKIE, browser, int(ATTEMPT_LIFE.total_seconds()))
    return answer


@router.get(CALLBACK, dependencies=[Public])
async def came_back(request: Request) -> Response:
    """Take what the provider sent the browser back with; a session begins when all of it holds."""
    query, how, next_ = request.query_params, _how(request), "/"
    try:
        if any(len(query.getlist(name)) > 1 for name in ("state", "code", "iss", "error")):
            raise _unknown()
        browser = request.cookies.get(ATTEMPT_COOKIE, "")
        attempt = _guard(request).store.take_attempt(query.get("state", ""), browser)
        if attempt is None or how.provider is None:
            raise _unknown()
        next_ = attempt.next
        if "error" in query or not query.get("code"):
            LOG.warning("the provider signed nobody in")
            raise SignInFailed("refused_by_provider", "The identity provider did not sign you in.")
        who = await how.provider.came_back(attempt, query["code"], query.get("iss"))
    except SignInFailed as failure:
        return _failed(request, failure, next_)
    answer = _to(next_)
    _open(request, answer, who, "session")
    return answer


@router.post("/sign-out", dependencies=[Public])
async def sign_out(request: Request) -> Response:
    """End the session of this browser, and every frame token that came of it."""
    guard, provider = _guard(request), _how(request).provider
    guard.from_our_own_page(request)
    guard.store.sign_out(request.cookies.get(COOKIE, ""))
    if not _wants_page(request):
        answer = Response(status_code=204)
    else:
        parts = [words("Your session on this server is over."), link("Sign in again", "/sign-in")]
        there = await provider.sign_out_address() if provider is not None else ""
        if there and provider is not None:
            parts.append(link(f"Sign out at {provider.host}, too", there, "plain"))
        answer = page("You are signed out", parts)
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.get("/signed-in", dependencies=[Public])
async def signed_in(request: Request) -> Response:
    """Show that it worked; in the popup, a script hands the frame its token and closes the window."""
    session = _guard(request).session(request)
    if session is None:
        parts = [words("Your browser has no session with this server."), link("Sign in", "/sign-in")]
        return page("You are not signed in", parts, 401)
    name = words(f"Signed in as {session.name} ({session.person}).")
    if request.query_params.get("popup") == "1":
        waits = says("You can close this window and go on where you were.")
        return page("You are signed in", [name, waits], script="/assets/signed-in.js")
    return page("You are signed in", [name, link("Go to the console", "/")])


@router.get("/sign-in/demo", dependencies=[Public])
async def people(request: Request) -> Response:
    """Show the demo's people to whoever came by the printed link; the code leaves the address at once."""
    demo, guard, query = _demo(request), _guard(request), request.query_params
    next_ = safe_next(query.get("next"))
    if "code" in query:
        if demo.knows(query["code"]):
            answer = _to(f"/sign-in/demo?{urlencode({'next': next_})}")
            _set(answer, DEMO_COOKIE, query["code"])
            return answer
        guard.failed(request)
    if not demo.knows(request.cookies.get(DEMO_COOKIE, "")):
        return _failed(request, _NO_LINK)
    session = guard.session(request)
    parts = [words("This is a demo: be whoever you like, and change as often as you like.")]
    if session is not None:
        parts.append(words(f"You are {session.name} now.", "note"))
    options = [(person, name, demo.what(person)) for person, (name, _) in demo.people.items()]
    parts.append(choice("/sign-in/demo", {"next": next_}, "person", options))
    return page("Who do you want to be?", parts)


@router.post("/sign-in/demo", dependencies=[Public])
async def pick(request: Request) -> Response:
    """Sign in as one of the demo's people."""
    demo, guard = _demo(request), _guard(request)
    guard.from_our_own_page(request)
    if not demo.knows(request.cookies.get(DEMO_COOKIE, "")):
        return _failed(request, _NO_LINK)
    form = await _form(request)
    person = form.get("person", "")
    if person not in demo.people:
        raise Problem(422, "unknown_person", "this demo has no such person")
    name, roles = demo.people[person]
    answer = _to(safe_next(form.get("next")))
    _open(request, answer, SignedIn(person, name, roles, person, stamp(guard.now())), "demo")
    return answer


@router.get("/api/me")
async def me(request: Request, principal: Known) -> dict[str, Any]:
    """Say who asks, and what they may; `app.state.about()` says what there is to know of the server."""
    about: Mapping[str, Any] = request.app.state.about() if hasattr(request.app.state, "about") else {}
    return {
        "person": principal.person,
        "name": principal.name,
        "roles": sorted(principal.roles),
        "permissions": sorted(principal.permissions),
        "via": principal.via,
        "signed_in_at": principal.signed_in_at,
        "origin": principal.origin,
        "demo": _how(request).demo is not None,
        "product": {"name": "Countersign", "version": version("countersign-agent")},
        "stopped": {},
        **about,
    }


@router.post("/api/frame-token")
async def frame_token(request: Request, principal: Known) -> Response:
    """Give the page of a session a short-lived token for the frame that opened it."""
    guard = _guard(request)
    session = guard.session(request) if principal.via in {"session", "demo"} else None
    if session is None:
        raise Problem(403, "needs_session", "a token for the frame is given to a signed-in browser session alone")
    token, expires_at = guard.store.frame_token(session)
    content = {"token": f"{FRAME_PREFIX}{token}", "expires_at": expires_at}
    return JSONResponse(content, headers={"Cache-Control": "no-store"})


_NOT_SET_UP = SignInFailed(
    "not_configured", "Signing in is not set up on this server: its configuration names no identity provider.", 503
)
_NO_LINK = SignInFailed("needs_link", "Open the sign-in link that the demo printed in its terminal.")


def _guard(request: Request) -> Guard:
    return cast(Guard, request.app.state.guard)


def _how(request: Request) -> SignIn:
    return cast(SignIn, getattr(request.app.state, "sign_in", None) or SignIn())


def _demo(request: Request) -> DemoSignIn:
    demo = _how(request).demo
    if demo is None:
        raise Problem(404, "not_found", "there is nothing at this address")
    return demo


def _unknown() -> SignInFailed:
    says = "This sign-in was not begun in this browser, was used before, or took longer than ten minutes."
    return SignInFailed("unknown_sign_in", says, 400)


def _open(request: Request, answer: Response, who: SignedIn, via: str) -> None:
    """Begin a session under a new id; the one that this browser had before is over."""
    store, how = _guard(request).store, _how(request)
    store.sign_out(request.cookies.get(COOKIE, ""))
    secret, _ = store.sign_in(
        person=who.person,
        name=who.name,
        roles=who.roles,
        via=via,
        subject=who.subject,
        signed_in_at=who.signed_in_at,
        idle=how.idle,
        life=how.life,
    )
    _set(answer, COOKIE, secret)
    LOG.info("%s signed in (%s)", who.person, via)


def _failed(request: Request, failure: SignInFailed, next_: str | None = None) -> Response:
    """Return what came to nothing: as a page for browsers, as a problem for everyone else."""
    if not _wants_page(request):
        return Problem(failure.status, failure.code, failure.says).response()
    parts = [words(failure.says)]
    if next_ is not None:
        where = {"popup": "1"} if next_ == IN_POPUP else {"next": next_}
        parts.append(link("Try again", f"/sign-in?{urlencode(where)}"))
    return page("You are not signed in", [*parts, words(failure.code, "code")], failure.status)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _to(address: str) -> RedirectResponse:
    return RedirectResponse(address, 303, {"Cache-Control": "no-store", "Referrer-Policy": "same-origin"})


def _set(answer: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Set a cookie that no script reads, no other host sets, and no other site's form brings along (RFC 6265bis)."""
    answer.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


async def _form(request: Request) -> dict[str, str]:
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > MOST_FORM_BYTES:
            raise Problem(413, "too_large", "this form is larger than is accepted here")
    return {name: values[0] for name, values in parse_qs(content.decode("utf-8", errors="replace")).items()}
