"""check_tcp: does anything accept connections where the service listens?"""

from __future__ import annotations

import asyncio

import anyio
from pydantic import Field

from mcp_servers.diagnostics.network import CONNECT_TIMEOUT_S, NetworkError, network_error
from mcp_servers.diagnostics.observation import Observation, missing_facet
from mcp_servers.inventory import Service
from mcp_servers.moments import Watch


class TcpCheck(Observation):
    """Whether a connection was accepted."""

    host: str
    port: int
    open: bool
    error: NetworkError
    latency_ms: int = Field(description="to the accepted connection, or to the error")


async def check_tcp(service: Service) -> TcpCheck:
    """Open one connection to the service's address and close it again; nothing is sent."""
    listen = service.listen
    if listen is None:
        raise missing_facet(service.name, "listen")
    watch = Watch()
    error: NetworkError = ""
    try:
        with anyio.fail_after(CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(listen.host, listen.port)
        writer.transport.abort()
    except OSError as failure:
        error = network_error(failure)
    latency_ms = watch.ms()
    return TcpCheck(
        service=service.name,
        observed_at=watch.started_at,
        took_ms=watch.ms(),
        host=listen.host,
        port=listen.port,
        open=not error,
        error=error,
        latency_ms=latency_ms,
    )
