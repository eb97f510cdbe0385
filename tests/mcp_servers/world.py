"""Small real things the tests of the servers look at: inventories, sockets that answer as told, free ports."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from ssl import SSLContext
from typing import Any

import yaml

from mcp_servers.inventory import Service

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def write_inventory(path: Path, services: dict[str, dict[str, Any]]) -> Path:
    """Write an inventory with one host; `kind` and `owner` are filled in."""
    filled = {name: {"kind": "app", "owner": "platform", **body} for name, body in services.items()}
    document = {"all": {"hosts": {"node-1": {"ansible_connection": "local", "countersign_services": filled}}}}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def service(name: str = "orders", **facets: Any) -> Service:
    """Build one service as the inventory would hold it."""
    return Service(name=name, node="node-1", kind="app", owner="platform", **facets)


def free_port() -> int:
    """Return a port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def listening(handler: Handler, ssl: SSLContext | None = None, unix: Path | None = None) -> AsyncIterator[int]:
    """Serve `handler` on a free loopback port, or on a Unix socket; connections still open at the end are cut."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.transport.abort()

    if unix is None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ssl)
        port = int(server.sockets[0].getsockname()[1])
    else:
        server = await asyncio.start_unix_server(serve, unix)
        port = 0
    try:
        yield port
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # An aborted transport closes its socket in the next turn of the loop.
        await asyncio.sleep(0)


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accept, read, and never answer."""
    while await reader.read(65536):
        pass


def answering(response: bytes) -> Handler:
    """Answer any request with these bytes and close."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return handler


async def eventually(condition: Callable[[], Awaitable[bool]], within_s: float = 10.0) -> None:
    """Wait until a condition holds; fails after `within_s` seconds."""
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.02)
