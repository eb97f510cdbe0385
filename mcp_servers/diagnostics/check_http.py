"""check_http: one GET of the health address the inventory gives, as a user of the service would make it."""

from __future__ import annotations

import anyio
import httpx
from pydantic import Field

from mcp_servers.diagnostics.network import NetworkError, network_error, trust
from mcp_servers.diagnostics.observation import Observation, missing_facet
from mcp_servers.inventory import Service
from mcp_servers.moments import Watch
from mcp_servers.redaction import redact
from mcp_servers.text import clean_line

MAX_BODY_BYTES = 64 * 1024
EXCERPT_CHARACTERS = 300
MAX_TIMEOUT_S = 4.5


class HttpCheck(Observation):
    """What the health address answered."""

    url: str
    ok: bool = Field(description="the expected status arrived, with its whole body (or the first 64 KiB of it)")
    status: int = Field(description="HTTP status; 0 when there was no answer")
    error: NetworkError
    expect_status: int
    latency_ms: int = Field(description="from connecting to the end of the body, or to the error")
    body_excerpt: str = Field(description="the first 300 printable characters of the body")


async def check_http(service: Service) -> HttpCheck:
    """GET the service's health address; redirects are not followed, proxies of the environment not used."""
    health = service.health
    if health is None:
        raise missing_facet(service.name, "health")
    context = trust(health.ca_file) if health.url.lower().startswith("https:") else False
    watch = Watch()
    status = 0
    body = bytearray()
    error: NetworkError = ""
    limit = min(health.timeout_s, MAX_TIMEOUT_S)
    try:
        # The client's own limit holds for each packet; this one for the whole exchange.
        with anyio.fail_after(limit):
            async with (
                httpx.AsyncClient(verify=context, trust_env=False, follow_redirects=False, timeout=limit + 1) as client,
                client.stream("GET", health.url, headers={"Accept-Encoding": "identity"}) as response,
            ):
                status = response.status_code
                async for chunk in response.aiter_raw():
                    body += chunk[: MAX_BODY_BYTES - len(body)]
                    if len(body) >= MAX_BODY_BYTES:
                        break
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
        error = network_error(failure)
    latency_ms = watch.ms()
    text = clean_line(redact(body.decode("utf-8", "replace")), EXCERPT_CHARACTERS)
    return HttpCheck(
        service=service.name,
        observed_at=watch.started_at,
        took_ms=watch.ms(),
        url=redact(health.url),
        ok=not error and status == health.expect_status,
        status=status,
        error=error,
        expect_status=health.expect_status,
        latency_ms=latency_ms,
        body_excerpt=text,
    )
