"""One log line a request, with status and time, for both services."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("access")


class AccessLog:
    """ASGI middleware that logs method, path, status and milliseconds of each HTTP request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and log what came of it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            took = (time.monotonic() - started) * 1000
            # repr() of the path: a line break in a URL must not begin a log line of its own.
            path = scope["path"] if scope["path"].isprintable() else repr(scope["path"])
            log.log(_level(status), "%s %s %d %.0fms", scope["method"], path, status, took)


def _level(status: int) -> int:
    return logging.ERROR if status >= 500 else logging.INFO
