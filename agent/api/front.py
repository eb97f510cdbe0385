"""The door that is open at once: it answers `/healthz` while the interface behind it is still being loaded."""

from __future__ import annotations

import json
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

STARTING = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "detail": "the server is still starting; try again in a moment",
    "code": "starting",
}


class Front:
    """An ASGI app that hands everything on once there is something to hand it to."""

    def __init__(self) -> None:
        self.behind: ASGIApp | None = None
        self.closing: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        if self.behind is not None:
            await self.behind(scope, receive, send)
            return
        alive = scope["path"] == "/healthz"
        body = json.dumps({"status": "ok"} if alive else STARTING).encode()
        kind = b"application/json" if alive else b"application/problem+json"
        headers = [(b"content-type", kind), (b"cache-control", b"no-store"), (b"retry-after", b"1")]
        await send({"type": "http.response.start", "status": 200 if alive else 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})
