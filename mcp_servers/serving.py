"""What the three servers share: one way to be started, over stdio or over streamable HTTP with a bearer token."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl

MAX_REQUEST_BYTES = 256 * 1024
MIN_TOKEN_CHARACTERS = 32


class StaticToken:
    """Accepts exactly one bearer token, made for one server: a token of another server is a stranger here."""

    def __init__(self, token: str, audience: str) -> None:
        self._digest = hashlib.sha256(token.encode()).digest()
        self._audience = audience

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return who the token stands for, or None; compared in constant time."""
        if not hmac.compare_digest(hashlib.sha256(token.encode()).digest(), self._digest):
            return None
        return AccessToken(token="-", client_id="countersign", scopes=[], resource=self._audience)  # noqa: S106


Build = Callable[[argparse.Namespace, dict[str, Any]], MCPServer]


def run(
    name: str,
    description: str,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    build: Build,
    argv: Sequence[str] | None = None,
) -> None:
    """Parse the command line of one server, build it and serve until the client goes away.

    `build` receives the parsed arguments and the keyword arguments for MCPServer (authentication, log level).
    Exits with code 2 and one plain sentence when the configuration cannot be used, and 130 on Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog=f"python -m mcp_servers.{name}", description=description)
    parser.add_argument("--http", metavar="HOST:PORT", help="serve streamable HTTP there instead of stdio")
    parser.add_argument("--token-file", type=Path, help="file with the bearer token that HTTP clients must show")
    add_arguments(parser)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format=f"{name}: %(levelname)s %(message)s")
    try:
        if arguments.http:
            _serve_http(arguments, build)
        else:
            build(arguments, _options()).run("stdio")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _options() -> dict[str, Any]:
    return {"log_level": "WARNING", "subscriptions": False}


def _serve_http(arguments: argparse.Namespace, build: Build) -> None:
    if not arguments.token_file:
        raise ValueError("--http needs --token-file: a server never answers strangers")
    token = arguments.token_file.read_text(encoding="utf-8").strip()
    if len(token) < MIN_TOKEN_CHARACTERS:
        raise ValueError(f"the token in {arguments.token_file} is shorter than {MIN_TOKEN_CHARACTERS} characters")
    host, port = _address(arguments.http)
    origin = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    audience = f"{origin}/mcp"
    server = build(
        arguments,
        _options()
        | {
            "token_verifier": StaticToken(token, audience),
            "auth": AuthSettings(
                issuer_url=AnyHttpUrl(origin), resource_server_url=AnyHttpUrl(audience), validate_token_resource=True
            ),
        },
    )
    _refuse_taken_port(host, port)
    server.run(
        "streamable-http",
        host=host,
        port=port,
        stateless_http=True,
        json_response=True,
        max_request_body_size=MAX_REQUEST_BYTES,
        # Exactly the address it was given: another name for it may be a rebound DNS name (MCP, security, transports).
        transport_security=TransportSecuritySettings(
            allowed_hosts=[origin.removeprefix("http://")], allowed_origins=[origin]
        ),
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"--http needs HOST:PORT with a port from 1 to 65535, not {text!r}")
    return host, int(port)


def _refuse_taken_port(host: str, port: int) -> None:
    """Say in one sentence that a port is taken, before the HTTP server says it in its own log and exits."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ValueError(f"cannot listen on {host}:{port}: {error.strerror}; choose another port") from error
