"""What holds for every answer, whichever route made it: headers, the largest body, and no word of what broke inside."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.api.problems import WHEN_HTTP_SAYS, Problem, unforeseen

MOST_BODY_BYTES = 1024 * 1024
ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""What every answer carries, unless its route said otherwise."""


class Edge:
    """Stands around the whole interface."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                names = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in ALWAYS if one[0] not in names)]
            await send(message)

        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length[:20]) > MOST_BODY_BYTES:
            await Problem(413, *WHEN_HTTP_SAYS[413]).response()(scope, receive, sending)
            return
        try:
            await self._app(scope, _bounded(receive), sending)
        except Exception as error:
            if begun:
                raise  # half an answer is out: the connection is cut, so that nobody takes it for a whole one
            await unforeseen(error, Request(scope)).response()(scope, receive, sending)


def _bounded(receive: Receive) -> Receive:
    """Return a `receive` that refuses a body of unknown length once it is too long."""
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BODY_BYTES:
            raise HTTPException(413)
        return message

    return receiving
