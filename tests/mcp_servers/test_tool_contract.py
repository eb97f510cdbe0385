"""What holds for every tool of the diagnostics and the tickets server, found by walking what they list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.types import Tool

from mcp_servers.diagnostics.server import build as build_diagnostics
from mcp_servers.inventory import load_inventory
from mcp_servers.tickets.desk import Desk
from mcp_servers.tickets.server import build as build_tickets
from tests.mcp_servers.world import write_inventory

WRITES = {"add_note"}


@pytest.fixture(params=["diagnostics", "tickets"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MCPServer]:
    if request.param == "diagnostics":
        inventory = load_inventory(write_inventory(tmp_path / "inventory.yaml", {"shop": {}}))
        yield build_diagnostics(inventory, {})
    else:
        desk = Desk(tmp_path / "desk.db")
        yield build_tickets(desk, {})
        desk.close()


async def listed(server: MCPServer) -> list[Tool]:
    async with Client(server) as client:
        return (await client.list_tools()).tools


async def test_every_tool_carries_all_four_annotations(made: MCPServer) -> None:
    for tool in await listed(made):
        hints = tool.annotations
        assert hints is not None, tool.name
        assert hints.read_only_hint is (tool.name not in WRITES)
        assert (hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint) == (False, True, False)
        assert tool.description


async def test_every_argument_is_a_name_a_choice_or_bounded(made: MCPServer) -> None:
    for tool in await listed(made):
        schema = tool.input_schema
        assert schema["type"] == "object" and schema["additionalProperties"] is False, tool.name
        for name, argument in schema["properties"].items():
            where = f"{tool.name}.{name}"
            assert not any(word in name for word in ("url", "path", "host", "port", "file", "command")), where
            if argument["type"] == "integer":
                assert "minimum" in argument and "maximum" in argument, where
            else:
                assert argument["type"] == "string", where
                assert "enum" in argument or "maxLength" in argument, where


async def test_a_service_is_named_by_the_pattern_of_the_inventory(made: MCPServer) -> None:
    for tool in await listed(made):
        if "service" in tool.input_schema.get("required", []):
            assert tool.input_schema["properties"]["service"]["pattern"] == "^[a-z0-9][a-z0-9._-]{0,62}$"


async def test_every_result_is_typed_throughout_and_knows_no_null(made: MCPServer) -> None:
    def walk(schema: Any) -> Iterator[dict[str, Any]]:
        if isinstance(schema, dict):
            yield schema
            for value in schema.values():
                yield from walk(value)
        elif isinstance(schema, list):
            for value in schema:
                yield from walk(value)

    for tool in await listed(made):
        assert tool.output_schema is not None, tool.name
        for part in walk(tool.output_schema):
            assert part.get("type") not in ("null", "number"), tool.name
            if part.get("type") == "object":
                assert part["additionalProperties"] is False, tool.name


async def test_a_tool_refuses_an_argument_it_does_not_know(made: MCPServer) -> None:
    async with Client(made) as client:
        for tool in (await client.list_tools()).tools:
            result = await client.call_tool(tool.name, {"surprise": 1})
            assert result.is_error, tool.name
