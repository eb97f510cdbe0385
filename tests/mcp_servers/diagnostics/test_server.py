"""The diagnostics tools as a client sees them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, TextContent

from mcp_servers.diagnostics.server import AT_ONCE, Diagnostics, build
from mcp_servers.inventory import load_inventory
from tests.mcp_servers.world import answering, free_port, hang, listening, write_inventory

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nready"


def server(tmp_path: Path, time_limit_s: float = 5.0, **services: dict[str, object]) -> MCPServer:
    inventory = load_inventory(write_inventory(tmp_path / "inventory.yaml", services))
    if time_limit_s == 5.0:
        return build(inventory, {"log_level": "WARNING"})
    return MCPServer("short", tools=[*Diagnostics(inventory, time_limit_s).tools()])


def error(result: CallToolResult) -> str:
    assert result.is_error
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


async def test_a_check_answers_with_typed_structured_content(tmp_path: Path) -> None:
    async with listening(answering(OK)) as port:
        made = server(tmp_path, shop={"health": {"url": f"http://127.0.0.1:{port}/"}})
        async with Client(made) as client:
            result = await client.call_tool("check_http", {"service": "shop"})
    assert result.structured_content is not None
    assert result.structured_content["ok"] is True and result.structured_content["service"] == "shop"
    assert None not in result.structured_content.values()


async def test_an_unknown_service_is_answered_with_the_names_there_are(tmp_path: Path) -> None:
    async with Client(server(tmp_path, shop={}, ledger={})) as client:
        says = error(await client.call_tool("check_http", {"service": "shopp"}))
    assert says == "no service 'shopp' in the inventory; it has: ledger, shop"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"service": "shop", "url": "http://elsewhere"}, "check_http: url: there is no such argument; remove it"),
        ({}, "check_http: service: this argument is needed"),
        ({"service": "../etc/passwd"}, "check_http: service: string should match pattern"),
        ({"service": "-c"}, "check_http: service: string should match pattern"),
        ({"service": "http://127.0.0.1/"}, "check_http: service: string should match pattern"),
        ({"service": 7}, "check_http: service: input should be a valid string"),
    ],
)
async def test_arguments_that_do_not_fit_are_refused_in_one_sentence(
    tmp_path: Path, arguments: dict[str, object], says: str
) -> None:
    async with Client(server(tmp_path, shop={})) as client:
        refused = error(await client.call_tool("check_http", arguments))
    assert refused.startswith(says) and "\n" not in refused and "errors.pydantic.dev" not in refused


async def test_a_facet_the_inventory_lacks_is_an_error_and_never_a_value(tmp_path: Path) -> None:
    async with Client(server(tmp_path, shop={})) as client:
        for tool in (await client.list_tools()).tools:
            says = error(await client.call_tool(tool.name, {"service": "shop"}))
            assert says.startswith("the inventory has no `") and "'shop'" in says


async def test_a_crash_shows_no_detail_to_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("mcp_servers.diagnostics.check_disk.measure", crash)
    async with Client(server(tmp_path, shop={"disk": [str(tmp_path)]})) as client:
        assert "hunter2" not in error(await client.call_tool("check_disk", {"service": "shop"}))


async def test_a_check_that_hangs_ends_in_the_servers_time_limit(tmp_path: Path) -> None:
    async with listening(hang) as port:
        postgres = {"host": "127.0.0.1", "port": port, "dbname": "x", "user": "x"}
        async with Client(server(tmp_path, 0.3, shop={"postgres": postgres})) as client:
            with anyio.fail_after(2):
                says = error(await client.call_tool("postgres_activity", {"service": "shop"}))
    assert says == "no measurement of 'shop' within 0.3 s; try again, or look by hand"


async def test_only_so_many_checks_run_at_once(tmp_path: Path) -> None:
    now = peak = 0
    enough = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now, peak
        await reader.readuntil(b"\r\n\r\n")
        now += 1
        peak = max(peak, now)
        if now >= AT_ONCE:
            enough.set()
        await enough.wait()
        # Give a ninth every chance to arrive before one leaves.
        await asyncio.sleep(0.05)
        now -= 1
        writer.write(OK)
        await writer.drain()

    async with listening(slow) as port:
        made = server(tmp_path, shop={"health": {"url": f"http://127.0.0.1:{port}/"}})
        async with Client(made) as client:
            calls = [client.call_tool("check_http", {"service": "shop"}) for _ in range(2 * AT_ONCE)]
            results = await asyncio.gather(*calls)
    assert not any(result.is_error for result in results)
    assert peak == AT_ONCE


async def test_options_out_of_bounds_are_refused(tmp_path: Path) -> None:
    made = server(tmp_path, shop={"listen": {"host": "127.0.0.1", "port": free_port()}})
    async with Client(made) as client:
        for tool, options in (
            ("search_logs", {"limit": 201}),
            ("search_logs", {"since_minutes": 0}),
            ("search_logs", {"contains": "x" * 201}),
            ("search_logs", {"level": "loud"}),
            ("recent_changes", {"within_hours": 10**9}),
        ):
            assert error(await client.call_tool(tool, {"service": "shop", **options})).startswith(f"{tool}: ")
