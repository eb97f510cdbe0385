"""The web front: a reverse proxy with TLS and one upstream."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from evals.lab.access_log import AccessLog
from evals.lab.settings import WebSettings

log = logging.getLogger("proxy")

# RFC 9110, section 7.6.1: these belong to one connection and are not passed on. The lengths are written anew.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build(settings: WebSettings) -> Starlette:
    """Build the proxy."""
    # trust_env off: a proxy or a netrc in the environment is no business of a reverse proxy.
    client = httpx.AsyncClient(
        base_url=settings.upstream,
        timeout=httpx.Timeout(settings.read_timeout_s, connect=settings.connect_timeout_s),
        follow_redirects=False,
        trust_env=False,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        log.info("starting: https://%s:%d in front of %s", settings.host, settings.port, settings.upstream)
        try:
            yield
        finally:
            await client.aclose()
            log.info("stopped")

    async def pass_on(request: Request) -> Response:
        try:
            body = await _body(request, settings.max_body_kib * 1024)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return PlainTextResponse("413 Content Too Large\n", 413)
        headers = [(k, v) for k, v in request.headers.items() if k not in _HOP_BY_HOP]
        if request.client:
            headers.append(("x-forwarded-for", request.client.host))
        headers.append(("x-forwarded-proto", "https"))
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        try:
            answer = await client.request(request.method, target, content=body, headers=headers)
        except httpx.TimeoutException as error:
            log.error("upstream %s%s: no answer in time (%s)", settings.upstream, target, type(error).__name__)
            return PlainTextResponse("504 Gateway Timeout\n", 504)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.error("upstream %s%s: %s: %s", settings.upstream, target, type(error).__name__, error)
            return PlainTextResponse("502 Bad Gateway\n", 502)
        kept = {k: v for k, v in answer.headers.items() if k not in _HOP_BY_HOP and k != "content-encoding"}
        return Response(answer.content, answer.status_code, kept)

    return Starlette(
        lifespan=lifespan, routes=[Route("/{path:path}", pass_on, methods=_METHODS)], middleware=[Middleware(AccessLog)]
    )


async def _body(request: Request, limit: int) -> bytes | None:
    """Read the body, or return None when it is longer than `limit` bytes."""
    parts = bytearray()
    async for chunk in request.stream():
        parts += chunk
        if len(parts) > limit:
            return None
    return bytes(parts)


def serve(settings: WebSettings) -> None:
    """Run until told to stop; exits non-zero when the port cannot be bound."""
    uvicorn.run(
        build(settings),
        host=settings.host,
        port=settings.port,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
    )
