from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from mcp_servers.diagnostics import check_tls as tls_module
from mcp_servers.diagnostics.check_tcp import check_tcp
from mcp_servers.diagnostics.check_tls import TlsCheck, check_tls, days_left
from mcp_servers.diagnostics.observation import CannotCheck
from tests.mcp_servers.world import answering, free_port, hang, listening, service

NOW = datetime.now(UTC)


async def test_an_accepting_address_is_open_and_another_refused() -> None:
    async with listening(hang) as port:
        seen = await check_tcp(service(listen={"host": "127.0.0.1", "port": port}))
        assert (seen.open, seen.error, seen.port) == (True, "", port)
    closed = await check_tcp(service(listen={"host": "127.0.0.1", "port": free_port()}))
    assert (closed.open, closed.error) == (False, "refused")


async def certificate_seen(
    tmp_path: Path, *, trusted: bool = True, name: str = "127.0.0.1", starts: int = -1, ends: int = 40
) -> TlsCheck:
    """Serve a certificate valid from `starts` to `ends` days from now and check it."""
    ca, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = ca.issue_cert(name, not_before=NOW + timedelta(days=starts), not_after=NOW + timedelta(days=ends, hours=1))
    leaf.configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    (ca if trusted else other).cert_pem.write_to_path(ca_file)
    async with listening(hang, ssl=context) as port:
        listen = {"host": "127.0.0.1", "port": port, "tls": True, "ca_file": ca_file}
        return await check_tls(service(listen=listen))


async def test_a_valid_certificate_is_valid_with_its_days_left(tmp_path: Path) -> None:
    seen = await certificate_seen(tmp_path)
    assert (seen.valid, seen.error, seen.days_left) == (True, "", 40)
    assert seen.not_after.endswith("Z") and "trustme" in seen.issuer


@pytest.mark.parametrize(
    ("changes", "word", "left"),
    [
        ({"starts": -30, "ends": -3}, "expired", -3),
        ({"starts": 3}, "not_yet_valid", 40),
        ({"trusted": False}, "untrusted", 40),
        ({"name": "elsewhere.example"}, "name_mismatch", 40),
    ],
)
async def test_each_reason_not_to_trust_has_its_own_word(
    tmp_path: Path, changes: dict[str, Any], word: str, left: int
) -> None:
    seen = await certificate_seen(tmp_path, **changes)
    assert (seen.valid, seen.error, seen.days_left) == (False, word, left)


async def test_a_peer_without_tls_is_closed_and_a_silent_one_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_module, "CONNECT_TIMEOUT_S", 0.4)

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with listening(plain) as port:
        seen = await check_tls(service(listen={"host": "127.0.0.1", "port": port, "tls": True}))
        assert (seen.valid, seen.error, seen.not_after, seen.days_left) == (False, "closed", "", 0)
    async with listening(hang) as port:
        seen = await check_tls(service(listen={"host": "127.0.0.1", "port": port, "tls": True}))
        assert (seen.valid, seen.error) == (False, "timeout")
    seen = await check_tls(service(listen={"host": "127.0.0.1", "port": free_port(), "tls": True}))
    assert (seen.valid, seen.error) == (False, "refused")


async def test_a_service_without_tls_cannot_be_checked_for_it() -> None:
    async with listening(answering(b"")) as port:
        with pytest.raises(CannotCheck, match="check_tcp"):
            await check_tls(service(listen={"host": "127.0.0.1", "port": port}))


def test_the_last_day_counts_zero_and_a_past_one_is_negative() -> None:
    assert days_left(NOW + timedelta(hours=23), NOW) == 0
    assert days_left(NOW - timedelta(seconds=1), NOW) == -1
    assert days_left(NOW + timedelta(days=30), NOW) == 30
