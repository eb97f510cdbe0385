"""Start the tickets server on its command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer

from mcp_servers.serving import run
from mcp_servers.tickets.desk import Desk
from mcp_servers.tickets.server import build


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", type=Path, required=True, help="the desk's SQLite file; made when missing")


def _build(arguments: argparse.Namespace, options: dict[str, Any]) -> MCPServer:
    return build(Desk(arguments.database), options)


def main() -> None:
    """Serve until the client goes away."""
    run("tickets", "Tickets of an embedded desk; also: create, resolve, seed.", _arguments, _build)
