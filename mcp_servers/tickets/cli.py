"""The people's side of the desk on the command line: create, resolve and seed. These are not MCP tools."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mcp_servers.tickets.desk import MAX_BODY_BYTES, Desk, DeskError, Priority

COMMANDS = ("create", "resolve", "seed")


class SeedTicket(BaseModel):
    """One line of a seed file: a ticket that was solved once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: str
    body: str = ""
    requester: str
    service: str = ""
    priority: Priority = "normal"
    created_at: str = ""
    solved_at: str = ""
    solution: str
    verified: bool = False


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and print its result as JSON; exits with 2 and one plain sentence on bad input."""
    arguments = _parser().parse_args(argv)
    try:
        desk = Desk(arguments.database)
        try:
            print(json.dumps(_COMMANDS[arguments.command](desk, arguments)))
        finally:
            desk.close()
    except (DeskError, OSError) as error:
        print(f"tickets: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mcp_servers.tickets", description="The people's side of the desk.")
    parser.add_argument("--database", type=Path, required=True, help="the desk's SQLite file")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="store a ticket and print its id")
    create.add_argument("--subject", required=True)
    create.add_argument("--requester", required=True)
    create.add_argument("--service", default="")
    create.add_argument("--priority", choices=("low", "normal", "high", "urgent"), default="normal")
    create.add_argument("--body-file", required=True, help="file with the ticket's text, or - for standard input")
    resolve = commands.add_parser("resolve", help="mark a ticket as solved")
    resolve.add_argument("ticket")
    resolve.add_argument("--solution", required=True)
    resolve.add_argument("--verified", action="store_true", help="a check confirmed the solution")
    seed = commands.add_parser("seed", help="store solved tickets of the past")
    seed.add_argument("--file", type=Path, required=True, help="JSON lines, one solved ticket each")
    return parser


def _create(desk: Desk, arguments: argparse.Namespace) -> dict[str, Any]:
    raw = _read(arguments.body_file)
    body = raw.decode("utf-8", "replace")
    return {"ticket": desk.create(arguments.subject, body, arguments.requester, arguments.service, arguments.priority)}


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read(MAX_BODY_BYTES + 1)
    with open(name, "rb") as file:
        return file.read(MAX_BODY_BYTES + 1)


def _resolve(desk: Desk, arguments: argparse.Namespace) -> dict[str, Any]:
    desk.resolve(arguments.ticket, arguments.solution, arguments.verified)
    return {"ticket": arguments.ticket, "status": "solved"}


def _seed(desk: Desk, arguments: argparse.Namespace) -> dict[str, Any]:
    """Check every line before the first is stored."""
    lines = arguments.file.read_text(encoding="utf-8").splitlines()
    tickets = [_line(line, number) for number, line in enumerate(lines, start=1) if line.strip()]
    return {"tickets": [_store(desk, ticket) for ticket in tickets]}


def _line(line: str, number: int) -> SeedTicket:
    try:
        return SeedTicket.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DeskError(f"line {number} of the seed file: {where}: {first['msg']}".replace(": : ", ": ")) from error


def _store(desk: Desk, seed: SeedTicket) -> str:
    ticket = desk.create(seed.subject, seed.body, seed.requester, seed.service, seed.priority, seed.created_at)
    desk.resolve(ticket, seed.solution, seed.verified, seed.solved_at)
    return ticket


_COMMANDS = {"create": _create, "resolve": _resolve, "seed": _seed}
