"""A server that listens elsewhere, over real streamable HTTP with its token: pinned, refused, gone and back again."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent import settings
from agent.core.errors import CountersignError, Refused
from agent.core.evidence import Check
from agent.gateway import pins, server
from agent.gateway.gateway import Looking
from agent.gateway.server import Server, ServerGone, ToolFailed, specs
from tests.mcp_servers.world import eventually, free_port, listening, write_inventory

TOKEN = "0123456789abcdef0123456789abcdef"


@asynccontextmanager
async def running(tmp_path: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    inventory = write_inventory(tmp_path / "inventory.yaml", {"shop": {"disk": [str(tmp_path)]}})
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_servers.diagnostics", "--inventory", str(inventory),
        "--http", f"localhost:{port}", "--token-file", str(tmp_path / "token"), stderr=subprocess.DEVNULL,
    )  # fmt: skip

    async def listens() -> bool:
        assert process.returncode is None, "the server ended"
        try:
            socket.create_connection(("localhost", port), 1).close()
        except OSError:
            return False
        return True

    try:
        await eventually(listens, within_s=30)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def reach(tmp_path: Path, port: int, token: str = TOKEN) -> Server:
    (tmp_path / "mine").write_text(f"{token}\n", encoding="utf-8")
    remote = (f"http://localhost:{port}/mcp", tmp_path / "mine")
    return Server(specs(("nothing",), "diagnostics", tmp_path, {}, remote))


@pytest.fixture(autouse=True)
def _forget_pins() -> Iterator[None]:
    yield
    pins._pins.cache_clear()


async def test_a_check_over_http_answers_as_over_stdio(tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path, port):
        far = reach(tmp_path, port)
        try:
            assert (await far.call("check_disk", {"service": "shop"}, 20))["service"] == "shop"
            with pytest.raises(ToolFailed, match="nobody"):
                await far.call("check_disk", {"service": "nobody"}, 20)
        finally:
            await far.close()


async def test_a_token_of_another_server_is_refused_and_said_to_be(tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path, port):
        far = reach(tmp_path, port, "f" * 32)
        with pytest.raises(ServerGone, match=f"401: the token is not its own.* at http://localhost:{port}/mcp"):
            await far.start()
        await far.close()
    missing = Server(specs((), "diagnostics", tmp_path, {}, ("http://localhost:1/mcp", tmp_path / "none")))
    with pytest.raises(CountersignError, match="token of the diagnostics server cannot be read"):
        await missing.start()


async def test_an_address_where_nobody_listens_is_named(tmp_path: Path) -> None:
    far = reach(tmp_path, free_port())
    with pytest.raises(ServerGone, match=r"could not be reached .* at http://localhost"):
        await far.start()
    await far.close()


async def test_a_server_that_dies_in_a_call_is_gone_at_once_and_reached_again_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    far = reach(tmp_path, port)
    try:
        async with running(tmp_path, port) as process:
            await far.call("check_disk", {"service": "shop"}, 20)
            process.kill()
            await process.wait()
            async with asyncio.timeout(10):
                with pytest.raises(ServerGone):
                    await far.call("check_disk", {"service": "shop"}, 20)
                seen = await Looking(far).observe(Check("check_disk", (("service", "shop"),)), "E1")
            assert seen.result is None and "could not be reached" in seen.error
        async with running(tmp_path, port):
            assert (await far.call("check_disk", {"service": "shop"}, 20))["service"] == "shop"
    finally:
        await far.close()


async def test_tools_that_change_while_connected_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    async with running(tmp_path, port):
        far = reach(tmp_path, port)
        try:
            await far.call("check_disk", {"service": "shop"}, 20)
            monkeypatch.setattr(pins, "PINS", tmp_path / "pins.json")
            pins.write({"diagnostics": []}, [])
            pins._pins.cache_clear()
            assert (await far.call("check_disk", {"service": "shop"}, 20))["service"] == "shop", "looked at just now"
            monkeypatch.setattr(server, "PINS_HOLD_SECONDS", 0.0)
            with pytest.raises(Refused):
                await far.call("check_disk", {"service": "shop"}, 20)
        finally:
            await far.close()


async def test_the_token_is_shown_to_no_proxy_and_follows_no_redirect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with listening(elsewhere) as other:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: http://localhost:{other}/mcp\r\nContent-Length: 0\r\n\r\n"

        async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(moved.encode())
            await writer.drain()

        async with listening(redirecting) as port:
            monkeypatch.setitem(os.environ, "http_proxy", f"http://127.0.0.1:{other}")
            far = reach(tmp_path, port)
            with pytest.raises(ServerGone):
                await far.start()
            await far.close()
    assert heard == []


def test_where_a_server_listens_is_read_from_the_settings(tmp_path: Path) -> None:
    file = tmp_path / settings.NAME
    small = '[estate]\ninventory = "i.yaml"\n[approvals]\naudience = "a"\n'
    file.write_text(f'{small}[mcp.tickets]\nurl = "http://tickets:8401/mcp"\ntoken_file = "t"\n', encoding="utf-8")
    assert settings.load(file).remote == {"tickets": ("http://tickets:8401/mcp", tmp_path.resolve() / "t")}
    for wrong, says in (
        ('[mcp.tickets]\nurl = "http://tickets:8401/mcp"\n', "token_file"),
        ('[mcp.tickets]\nurl = "tickets:8401"\ntoken_file = "t"\n', "is an address"),
        ('[mcp.other]\nurl = "http://tickets:8401/mcp"\ntoken_file = "t"\n', "nobody knows"),
        ('[mcp.tickets]\nurl = "http://t:1/mcp"\ntoken_file = "t"\ntoken = "secret"\n', "nothing else"),
    ):
        file.write_text(small + wrong, encoding="utf-8")
        with pytest.raises(CountersignError, match=says):
            settings.load(file)
