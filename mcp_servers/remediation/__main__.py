"""`python -m mcp_servers.remediation`: serve the catalogue of fixes for one inventory, or check a journal."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mcp.server.mcpserver import MCPServer

from mcp_servers import serving
from mcp_servers.remediation.executor import Executor, Sources
from mcp_servers.remediation.journal import Journal, JournalError
from mcp_servers.remediation.server import build_server
from mcp_servers.remediation.verify import verify

DESCRIPTION = (
    "Rehearse fixes, and run those that a person has approved. With --journal FILE --verify and nothing else: check "
    "that journal, print the result as one line of JSON, and exit with 0 if it holds, else with 1."
)


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


def main(argv: Sequence[str] | None = None) -> None:
    """Start the server, or check a journal and exit."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "--verify" in words:
        raise SystemExit(_verify(words))
    serving.run("remediation", DESCRIPTION, _add_arguments, _build, words)


def _verify(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m mcp_servers.remediation", description="Check a journal.")
    parser.add_argument("--journal", type=Path, required=True, help="a remediation server's journal (SQLite)")
    parser.add_argument("--verify", action="store_true", required=True, help="check it; nothing is written")
    found = verify(parser.parse_args(words).journal)
    print(json.dumps(dataclasses.asdict(found)))
    return 0 if found.ok else 1


if __name__ == "__main__":
    main()
