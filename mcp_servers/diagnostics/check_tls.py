"""check_tls: would a client trust the certificate this service shows, and for how long still?"""

from __future__ import annotations

import asyncio
import math
import ssl
from datetime import UTC, datetime
from typing import Literal

import anyio
from cryptography import x509
from pydantic import Field

from mcp_servers.diagnostics.network import CONNECT_TIMEOUT_S, network_error, trust
from mcp_servers.diagnostics.observation import CannotCheck, Observation, missing_facet
from mcp_servers.inventory import Listen, Service
from mcp_servers.moments import Watch, iso
from mcp_servers.text import clean_line

TlsError = Literal["", "expired", "not_yet_valid", "untrusted", "name_mismatch", "refused", "timeout", "dns", "closed"]

# X.509 verification results of OpenSSL (x509_vfy.h, X509_V_ERR_*) that have a word of their own.
_VERDICTS: dict[int, TlsError] = {9: "not_yet_valid", 10: "expired", 62: "name_mismatch", 64: "name_mismatch"}


class TlsCheck(Observation):
    """What the handshake and the certificate say."""

    host: str
    port: int
    valid: bool
    error: TlsError
    subject: str
    issuer: str
    not_after: str = Field(description="UTC, ISO 8601; empty when no certificate was shown")
    days_left: int = Field(description="whole days until not_after, negative when past; 0 without a certificate")


async def check_tls(service: Service) -> TlsCheck:
    """Make a verified handshake; where it fails, look at the certificate without trusting it."""
    listen = service.listen
    if listen is None:
        raise missing_facet(service.name, "listen")
    if not listen.tls:
        raise CannotCheck(f"the inventory says that {service.name!r} does not listen with TLS; use check_tcp")
    watch = Watch()
    error: TlsError = ""
    certificate: bytes | None = None
    try:
        with anyio.fail_after(CONNECT_TIMEOUT_S):
            try:
                certificate = await _certificate(listen, trust(listen.ca_file))
            except ssl.SSLCertVerificationError as failure:
                error = _VERDICTS.get(failure.verify_code, "untrusted")
                certificate = await _certificate(listen, _distrust())
    except OSError as failure:
        error = error or _connection_error(failure)
    facts = x509.load_der_x509_certificate(certificate) if certificate else None
    return TlsCheck(
        service=service.name,
        observed_at=watch.started_at,
        took_ms=watch.ms(),
        host=listen.host,
        port=listen.port,
        valid=not error,
        error=error,
        subject=clean_line(facts.subject.rfc4514_string(), 200) if facts else "",
        issuer=clean_line(facts.issuer.rfc4514_string(), 200) if facts else "",
        not_after=iso(facts.not_valid_after_utc) if facts else "",
        days_left=days_left(facts.not_valid_after_utc, datetime.now(UTC)) if facts else 0,
    )


def days_left(not_after: datetime, now: datetime) -> int:
    """Whole days from `now` until `not_after`; the last day counts 0, a past one is negative."""
    return math.floor((not_after - now).total_seconds() / 86400)


def _connection_error(failure: OSError) -> TlsError:
    # A peer that breaks the handshake or does not speak TLS shows no certificate to judge.
    word = network_error(failure)
    return "closed" if word in ("tls", "") else word  # type: ignore[return-value]


def _distrust() -> ssl.SSLContext:
    """A context that accepts any certificate: to read one that was already refused, never to send anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _certificate(listen: Listen, context: ssl.SSLContext) -> bytes | None:
    _, writer = await asyncio.open_connection(
        listen.host, listen.port, ssl=context, server_hostname=listen.server_name or listen.host
    )
    try:
        session: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return session.getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
