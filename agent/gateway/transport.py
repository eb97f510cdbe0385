"""How a server is reached: as a child over stdio, or where it listens already, over streamable HTTP with its token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from agent.core.errors import CountersignError

PROTOCOL = "2026-07-28"
"""Named rather than negotiated: connecting then waits for nothing, and the server starts while we do other work."""
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 180.0
"""Longer than any call may take: the limit of a call is its caller's, and this one only frees the socket."""


@dataclass(frozen=True)
class ServerSpec:
    """How to reach a server: its name, and either what starts it as a child, or the address it listens at.

    A child gets the environment that stands here and prints into `log`; an address goes with the file of its token.
    """

    name: str
    command: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    log: Path | None = None
    url: str = ""
    token: Path | None = None


@asynccontextmanager
async def connect(spec: ServerSpec, refused: Callable[[int], None] = lambda _: None) -> AsyncIterator[Client]:
    """Reach a server for as long as the block runs.

    `refused` hears the status of an HTTP answer that is none: the library knows only that there was one.
    """
    async with AsyncExitStack() as stack:
        if spec.url:
            http = await stack.enter_async_context(_http(spec, refused))
            transport = streamable_http_client(spec.url, http_client=http, terminate_on_close=False)
        else:
            command, *arguments = spec.command
            parameters = StdioServerParameters(
                command=command, args=arguments, env=dict(spec.env), encoding_error_handler="replace"
            )
            log = stack.enter_context(spec.log.open("a", encoding="utf-8")) if spec.log else None
            transport = stdio_client(parameters, errlog=log) if log else stdio_client(parameters)
        yield await stack.enter_async_context(Client(transport, cache=None, mode=PROTOCOL))


def _http(spec: ServerSpec, refused: Callable[[int], None]) -> httpx2.AsyncClient:
    """Return a client that shows the token to this server alone: no proxy of the environment, no redirect."""
    if spec.token is None:
        raise CountersignError(f"the {spec.name} server at {spec.url} needs the file of its token")
    try:
        token = spec.token.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CountersignError(f"the token of the {spec.name} server cannot be read ({error})") from error

    async def heard(response: httpx2.Response) -> None:
        if response.status_code >= 400:
            refused(response.status_code)

    return httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {token}"},
        timeout=httpx2.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        trust_env=False,
        follow_redirects=False,
        event_hooks={"response": [heard]},
    )
