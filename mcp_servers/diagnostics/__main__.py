"""Start the diagnostics server: python -m mcp_servers.diagnostics --inventory PATH."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer

from mcp_servers.diagnostics.server import build
from mcp_servers.inventory import load_inventory
from mcp_servers.serving import run


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--inventory", type=Path, required=True, help="Ansible inventory (YAML) of the estate")


def _build(arguments: argparse.Namespace, options: dict[str, Any]) -> MCPServer:
    return build(load_inventory(arguments.inventory), options)


if __name__ == "__main__":
    run("diagnostics", "Read-only checks of the services in an inventory.", _arguments, _build)
