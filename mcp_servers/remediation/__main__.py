"""`python -m mcp_servers.remediation`: serve the catalogue of fixes for one inventory."""

from __future__ import annotations

import argparse
from pathlib import Path

from mcp.server.mcpserver import MCPServer

from mcp_servers import serving
from mcp_servers.remediation.executor import Executor, Sources
from mcp_servers.remediation.journal import Journal, JournalError
from mcp_servers.remediation.server import build_server


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--inventory", type=Path, required=True, help="the estate, an Ansible inventory in YAML")
    parser.add_argument("--public-key", type=Path, required=True, help="the approvals' Ed25519 public key (PEM)")
    parser.add_argument("--journal", type=Path, required=True, help="this server's own journal (SQLite)")
    parser.add_argument("--audience", required=True, help="the name that grants for this server carry")


def _build(arguments: argparse.Namespace, options: dict[str, object]) -> MCPServer:
    try:
        journal = Journal(arguments.journal)
    except JournalError as error:
        raise ValueError(str(error)) from error
    executor = Executor(Sources(arguments.inventory, arguments.public_key, arguments.audience), journal)
    server = build_server(executor, options)
    executor.ansible.start()
    return server


def main() -> None:
    """Start the server."""
    serving.run("remediation", "Rehearse fixes, and run those that a person has approved.", _add_arguments, _build)


if __name__ == "__main__":
    main()
