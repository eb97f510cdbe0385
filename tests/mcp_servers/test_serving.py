"""The servers as processes: over stdio, over HTTP with a bearer token, and refusing to start on bad configuration."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.mcp_servers.world import eventually, free_port, write_inventory

TOKEN = "0123456789abcdef0123456789abcdef"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def inventory(tmp_path: Path) -> Path:
    return write_inventory(tmp_path / "inventory.yaml", {"shop": {"disk": [str(tmp_path)]}, "ledger": {}})


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_diagnostics_serves_over_stdio_whatever_protocol_the_client_speaks(tmp_path: Path, mode: str) -> None:
    arguments = ["-m", "mcp_servers.diagnostics", "--inventory", str(inventory(tmp_path))]
    async with Client(StdioServerParameters(command=sys.executable, args=arguments), mode=mode) as client:
        assert len((await client.list_tools()).tools) == 8
        seen = await client.call_tool("check_disk", {"service": "shop"})
        assert seen.structured_content is not None and seen.structured_content["service"] == "shop"
        assert (await client.call_tool("check_disk", {"service": "nobody"})).is_error


async def test_tickets_keeps_a_note_over_stdio_and_a_restart(tmp_path: Path) -> None:
    database = tmp_path / "desk.db"
    create = ["create", "--subject", "Shop 502", "--requester", "ines", "--body-file", "/dev/null"]
    base = ["-m", "mcp_servers.tickets", "--database", str(database)]
    process = await asyncio.create_subprocess_exec(sys.executable, *base, *create, stdout=subprocess.DEVNULL)
    assert await process.wait() == 0
    for replayed in (False, True):
        async with Client(StdioServerParameters(command=sys.executable, args=base)) as client:
            note = {"ticket": "T-1001", "text": "seen", "idempotency_key": "key-00001"}
            added = await client.call_tool("add_note", note)
            assert added.structured_content is not None and added.structured_content["replayed"] is replayed


@dataclass(frozen=True)
class Running:
    port: int
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"


@asynccontextmanager
async def over_http(tmp_path: Path) -> AsyncIterator[Running]:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n", encoding="utf-8")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_servers.diagnostics", "--inventory", str(inventory(tmp_path)),
        "--http", f"127.0.0.1:{port}", "--token-file", str(token), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    running = Running(port, process)

    async def answers() -> bool:
        assert process.returncode is None, "the server ended"
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                return (await client.get(running.url)).status_code > 0
            except httpx.TransportError:
                return False

    try:
        await eventually(answers, within_s=30)
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 15)


async def status(running: Running, body: bytes | None = None, **headers: str) -> int:
    sent = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    async with httpx.AsyncClient(trust_env=False) as client:
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await client.post(running.url, headers=sent, **({"content": body} if body else {"json": CALL}))
        return answer.status_code


async def test_over_http_only_the_right_token_from_the_right_place_is_served(tmp_path: Path) -> None:
    mine = f"Bearer {TOKEN}"
    async with over_http(tmp_path) as running:
        assert await status(running) == 401
        assert await status(running, Authorization="Bearer " + "f" * 32) == 401
        assert await status(running, Authorization=f"Bearer {TOKEN}x") == 401
        assert await status(running, Authorization=f"Basic {TOKEN}") == 401
        assert await status(running, Authorization=mine, Host="rebound.example") == 421
        assert await status(running, Authorization=mine, Host=f"localhost:{running.port}") == 421
        assert await status(running, Authorization=mine, Origin="http://evil.example") == 403
        assert await status(running, Authorization=mine, body=b"x" * (256 * 1024 + 1)) == 413
        assert await status(running, Authorization=mine, MCP_Protocol_Version="2025-11-25") == 200
        async with httpx2.AsyncClient(headers={"Authorization": mine}, trust_env=False) as http:
            async with Client(streamable_http_client(running.url, http_client=http)) as client:
                seen = await client.call_tool("check_disk", {"service": "shop"})
                assert seen.structured_content is not None and seen.structured_content["service"] == "shop"
                assert (await client.call_tool("check_disk", {"service": "nobody"})).is_error


def refused(*arguments: str) -> str:
    """Start a server that must not start, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "mcp_servers.diagnostics", *arguments], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("diagnostics: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_server_that_cannot_be_configured_says_why_in_one_sentence_and_exits_2(tmp_path: Path) -> None:
    assert "No such file" in refused("--inventory", str(tmp_path / "missing.yaml"))
    good, short, token = str(inventory(tmp_path)), tmp_path / "short", tmp_path / "token"
    short.write_text("abc", encoding="utf-8")
    token.write_text(TOKEN, encoding="utf-8")
    assert "--token-file" in refused("--inventory", good, "--http", "127.0.0.1:1")
    assert "shorter than 32" in refused("--inventory", good, "--http", "127.0.0.1:1", "--token-file", str(short))
    assert "HOST:PORT" in refused("--inventory", good, "--http", "127.0.0.1", "--token-file", str(token))


async def test_a_port_that_is_taken_is_named_in_one_sentence(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="utf-8")
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        arguments = ("--inventory", str(inventory(tmp_path)), "--http", f"127.0.0.1:{port}", "--token-file", str(token))
        says = await asyncio.to_thread(refused, *arguments)
    assert f"cannot listen on 127.0.0.1:{port}" in says and "another port" in says


async def test_ctrl_c_ends_a_server_without_a_traceback(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_servers.diagnostics", "--inventory", str(inventory(tmp_path)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{}}\n')
    await asyncio.wait_for(process.stdout.readline(), 30)
    os.kill(process.pid, signal.SIGINT)
    # The library reads standard input in a thread that a signal cannot end; a client closes it when it goes.
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 15) == 130
    assert b"Traceback" not in await process.stderr.read()
