"""The front answers for an upstream that does not: 502 when it refuses or hangs up, 504 when it is silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from evals.lab.settings import WebSettings
from evals.lab.web_service import build

Upstream = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def front_of(upstream: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a front whose upstream is at this URL, and which waits one second for it."""
    settings = WebSettings("127.0.0.1", 1, Path("unused"), Path("unused"), upstream, 1, 1, 64, "info")
    front = build(settings)
    transport = httpx.ASGITransport(front)
    async with (
        front.router.lifespan_context(front),
        httpx.AsyncClient(transport=transport, base_url="https://front") as client,
    ):
        yield client


@asynccontextmanager
async def listening(upstream: Upstream) -> AsyncIterator[str]:
    """The URL of a server that does this with each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await upstream(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_an_upstream_that_refuses_is_a_502() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nobody may reach this")

    async with listening(never) as url:
        pass
    async with front_of(url) as client:
        assert (await client.get("/permits")).status_code == 502


async def test_an_upstream_that_hangs_up_is_a_502() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with listening(hang_up) as url, front_of(url) as client:
        assert (await client.get("/permits")).status_code == 502


async def test_an_upstream_that_says_nothing_is_a_504() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # Until the front gives up and closes.

    async with listening(wait) as url, front_of(url) as client:
        assert (await client.get("/permits")).status_code == 504


async def test_request_and_answer_pass_through_without_the_headers_of_one_connection() -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nKeep-Alive: timeout=9\r\nX-Kept: yes\r\n\r\nok")
        await writer.drain()

    async with listening(answer) as url, front_of(url) as client:
        response = await client.get("/a%20b?c=d", headers={"te": "trailers", "x-mine": "1"})
    assert (response.status_code, response.text, response.headers["x-kept"]) == (201, "ok", "yes")
    assert "keep-alive" not in response.headers
    request = seen[0].lower()
    assert request.startswith(b"get /a%20b?c=d http/1.1\r\n")
    assert b"\r\nx-mine: 1\r\n" in request
    assert b"\r\nx-forwarded-proto: https\r\n" in request
    assert b"\r\nte:" not in request
