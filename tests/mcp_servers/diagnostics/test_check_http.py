from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from mcp_servers.diagnostics.check_http import check_http
from mcp_servers.diagnostics.observation import CannotCheck
from tests.mcp_servers.world import answering, free_port, hang, listening, service

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nready"


def at(port: int, **more: object) -> dict[str, object]:
    return {"url": f"http://127.0.0.1:{port}/healthz", "timeout_s": 0.5, **more}


async def test_a_healthy_service_is_ok_with_status_and_excerpt() -> None:
    async with listening(answering(OK)) as port:
        seen = await check_http(service(health=at(port)))
    assert (seen.ok, seen.status, seen.error, seen.body_excerpt) == (True, 200, "", "ready")
    assert seen.service == "orders" and seen.observed_at.endswith("Z")


async def test_another_status_than_expected_is_not_ok() -> None:
    async with listening(answering(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")) as port:
        seen = await check_http(service(health=at(port)))
    assert (seen.ok, seen.status, seen.error) == (False, 502, "")


async def test_a_redirect_is_not_followed() -> None:
    hits: list[bytes] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hits.append(await reader.readline())

    async with listening(elsewhere) as other:
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other}/\r\nContent-Length: 0\r\n\r\n".encode()
        async with listening(answering(moved)) as port:
            seen = await check_http(service(health=at(port)))
    assert (seen.status, seen.ok, hits) == (302, False, [])


async def test_a_service_that_never_answers_is_a_timeout_within_its_limit() -> None:
    async with listening(hang) as port:
        seen = await check_http(service(health=at(port)))
    assert (seen.error, seen.status, seen.ok) == ("timeout", 0, False)
    assert 400 <= seen.latency_ms < 2000


async def test_a_body_that_drips_for_ever_is_a_timeout_and_not_ok() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with listening(drip) as port:
        seen = await check_http(service(health=at(port)))
    assert (seen.status, seen.error, seen.ok) == (200, "timeout", False)


async def test_an_endless_body_is_read_no_further_than_its_cap() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with listening(flood) as port:
        seen = await check_http(service(health=at(port, timeout_s=4)))
    assert seen.ok and len(seen.body_excerpt) == 300 and seen.latency_ms < 3000


@pytest.mark.parametrize("answer", [b"", b"220 mail.example ESMTP\r\n", OK[:-3]])
async def test_a_peer_that_breaks_off_or_does_not_speak_http_is_closed(answer: bytes) -> None:
    async with listening(answering(answer)) as port:
        seen = await check_http(service(health=at(port)))
    assert (seen.error, seen.ok) == ("closed", False)


async def test_nothing_listening_is_refused() -> None:
    seen = await check_http(service(health=at(free_port())))
    assert (seen.error, seen.status) == ("refused", 0)


async def test_a_name_without_an_address_is_dns() -> None:
    seen = await check_http(service(health={"url": "http://no-such-host.invalid/", "timeout_s": 3}))
    assert seen.error in ("dns", "timeout")


async def test_an_untrusted_certificate_is_tls_and_a_trusted_one_is_ok(tmp_path: Path) -> None:
    mine, foreign = trustme.CA(), trustme.CA()
    ca_file = tmp_path / "ca.pem"
    for authority, expected in ((mine, ""), (foreign, "tls")):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        mine.cert_pem.write_to_path(ca_file)
        async with listening(answering(OK), ssl=context) as port:
            health = {"url": f"https://127.0.0.1:{port}/", "ca_file": ca_file, "timeout_s": 2}
            assert (await check_http(service(health=health))).error == expected


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with listening(answering(OK)) as port:
        assert (await check_http(service(health=at(port)))).ok


async def test_secrets_and_control_characters_leave_the_excerpt() -> None:
    body = b"\x1b[31mdown\x1b[0m\x00 password=hunter2-hunter2"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    async with listening(answering(head + body)) as port:
        seen = await check_http(service(health=at(port)))
    assert seen.body_excerpt == "down password=[redacted]"


async def test_a_service_without_a_health_address_or_with_a_missing_ca_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="no `health`"):
        await check_http(service())
    with pytest.raises(CannotCheck, match="CA file"):
        await check_http(service(health={"url": "https://127.0.0.1:1/", "ca_file": tmp_path / "none.pem"}))
