"""The company's ticket page: a small site that knows nothing of the assistant but one script tag and one key.

It stands for the user's own intranet: another origin, its own sign-in (here: pick a person), and a backend that mints
short-lived tokens for the widget.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from agent.api.identity.secret_file import read_secret
from agent.api.identity.widget_token import LEAST_KEY_BYTES, mint
from agent.company.lab import Desk
from agent.core.errors import CountersignError, Refused
from agent.settings import Host

PERSON = "company-person"
MOST_BYTES = 64 * 1024
ASSETS = {"page.css": "text/css", "page.js": "text/javascript"}


def company_site(desk: Desk, host: Host, assistant: str) -> Starlette:
    """Return the site. `assistant` is the origin whose `embed.js` it loads."""
    site = _Site(desk, host, assistant)
    return Starlette(
        routes=[
            Route("/", site.page),
            Route("/state", site.state),
            Route("/token", site.token),
            Route("/person", site.be, methods=["POST"]),
            Route("/assets/{name}", site.asset),
            Route("/{what}", site.act, methods=["POST"]),
        ],
        exception_handlers={CountersignError: site.plainly, Refused: site.plainly},
    )


class _Site:
    def __init__(self, desk: Desk, host: Host, assistant: str) -> None:
        assert host.key is not None
        self._desk, self._host, self._assistant = desk, host, assistant
        self._key = read_secret(host.key, LEAST_KEY_BYTES)
        policy = (
            f"default-src 'none'; script-src 'self' {assistant}; style-src 'self'; img-src 'self' data:; "
            f"connect-src 'self'; frame-src {assistant}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        self._headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }

    async def page(self, request: Request) -> Response:
        return HTMLResponse(_page(self._desk, self._assistant, self._person(request)), headers=self._headers)

    async def state(self, _: Request) -> Response:
        return self._told({"tickets": await self._desk.tickets(), **await self._desk.about()})

    async def token(self, request: Request) -> Response:
        """Mint a token for whoever is signed in here: never for a name that the browser sent along."""
        person = self._person(request)
        made = mint(
            self._key,
            host=self._host.name,
            audience=self._assistant,
            person=person,
            name=self._desk.people[person][0],
            origin=self._host.origin,
            now=datetime.now(UTC),
        )
        return self._told({"token": made})

    async def act(self, request: Request) -> Response:
        self._from_here(request)
        body = await request.body()
        if len(body) > MOST_BYTES:
            return self._told({"detail": "that is too long for a ticket"}, 413)
        try:
            given: dict[str, Any] = dict(json.loads(body or b"{}"))
        except (ValueError, TypeError, RecursionError):
            return self._told({"detail": "this is no JSON object"}, 400)
        match request.path_params["what"]:
            case "break":
                return self._told(await self._desk.break_something(str(given.get("fault"))), 202)
            case "report":
                return await self._report(given, self._person(request))
            case "mend":
                await self._desk.mend()
                return self._told({}, 202)
        return self._told({"detail": "there is nothing at this address"}, 404)

    async def _report(self, given: dict[str, Any], person: str) -> Response:
        subject, text = str(given.get("subject", "")).strip(), str(given.get("body", "")).strip()
        if not subject and not text:
            return self._told({"detail": "say in a sentence what is wrong"}, 422)
        first = text.splitlines()[0][:80] if text else ""
        return self._told({"ticket": await self._desk.report(subject[:200] or first, text, person)}, 202)

    async def be(self, request: Request) -> Response:
        self._from_here(request)
        named = (await request.body()).decode(errors="replace").removeprefix("person=")
        answer = RedirectResponse("/", 303, self._headers)
        if named in self._desk.people:
            answer.set_cookie(PERSON, named, httponly=True, samesite="lax")
        return answer

    async def asset(self, request: Request) -> Response:
        kind = ASSETS.get(request.path_params["name"])
        if kind is None:
            return Response(status_code=404)
        content = files("agent.company").joinpath(request.path_params["name"]).read_bytes()
        return Response(content, media_type=kind, headers=self._headers)

    async def plainly(self, _: Request, error: Exception) -> Response:
        return self._told({"detail": str(error)}, 409 if isinstance(error, Refused) else 503)

    def _told(self, content: dict[str, Any], status: int = 200) -> JSONResponse:
        return JSONResponse(content, status, self._headers)

    def _person(self, request: Request) -> str:
        named = request.cookies.get(PERSON, "")
        return named if named in self._desk.people else reporter(self._desk)

    def _from_here(self, request: Request) -> None:
        if request.headers.get("origin", self._host.origin) != self._host.origin:
            raise Refused("cross_site", "this request does not come from the company's page")


def reporter(desk: Desk) -> str:
    """Return who visits the page until somebody else is picked: one who reports and approves nothing."""
    plain = [person for person, (_, roles) in desk.people.items() if "approver" not in roles]
    return (plain or list(desk.people))[0]


def _page(desk: Desk, assistant: str, person: str) -> str:
    options = "".join(
        f'<option value="{escape(one)}"{" selected" if one == person else ""}>{escape(name)}</option>'
        for one, (name, _) in desk.people.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<title>Help desk - {escape(desk.organisation)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/page.css">
<script type="module" src="/assets/page.js"></script>
<script src="{escape(assistant)}/embed.js" defer data-token-url="/token"></script>
</head>
<body>
<header>
<div><b>{escape(desk.organisation)}</b> <span>Help desk</span></div>
<form method="post" action="/person"><label>You are <select name="person">{options}</select></label>
<button>Change</button></form>
</header>
<main>
<section aria-labelledby="tickets-title">
<h1 id="tickets-title">Tickets</h1>
<div id="tickets" aria-live="polite"><p class="quiet">Loading the tickets …</p></div>
</section>
<aside>
<section aria-labelledby="state-title">
<h2 id="state-title">The permit portal right now</h2>
<p id="well" class="quiet">Looking …</p>
</section>
<section aria-labelledby="report-title">
<h2 id="report-title">Report a problem</h2>
<form id="report">
<label>What is wrong? <input name="subject" maxlength="200" autocomplete="off"></label>
<label>More about it <textarea name="body" rows="4" maxlength="20000"></textarea></label>
<button>File the ticket</button>
<p role="status"></p>
</form>
</section>
<section aria-labelledby="break-title">
<h2 id="break-title">Break something, really</h2>
<p class="quiet">These buttons damage the demo's own services on this machine, and file the ticket that follows.</p>
<div id="faults"></div>
<button id="mend">Put everything right by hand</button>
<p id="broken" role="status"></p>
</section>
</aside>
</main>
</body>
</html>
"""
