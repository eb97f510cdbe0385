"""What went wrong on the way to a service, in a few words that conditions can compare; and TLS trust."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

from mcp_servers.diagnostics.observation import CannotCheck

NetworkError = Literal["", "refused", "timeout", "tls", "dns", "closed"]
"""refused: nothing accepts connections there (or no route); timeout: no answer in time; tls: the handshake failed;
dns: the name has no address; closed: the peer broke off, or does not speak the protocol."""

CONNECT_TIMEOUT_S = 3.0

_NO_WAY_THERE = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTDOWN}


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything it was raised from, groups opened."""
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        current = queue.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            queue.extend(current.exceptions)
        queue.extend((current.__cause__, current.__context__))


def network_error(error: BaseException) -> NetworkError:
    """Return the word for a failed connection or exchange, judged by the most telling cause."""
    chain = list(causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in chain):
        return "dns"
    if any(isinstance(cause, ssl.SSLError) for cause in chain):
        return "tls"
    if any(isinstance(cause, OSError) and cause.errno in _NO_WAY_THERE for cause in chain):
        return "refused"
    if any(isinstance(cause, TimeoutError) for cause in chain):
        return "timeout"
    return "closed"


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return a verifying TLS context for a CA file, or for the system's authorities; kept until the file changes.

    Raises CannotCheck when the file cannot be used.
    """
    try:
        changed = ca_file.stat().st_mtime_ns if ca_file else 0
        return _context(ca_file, changed)
    except (OSError, ssl.SSLError) as error:
        raise CannotCheck(f"cannot use the CA file {ca_file}: {error.strerror or 'not PEM'}; mend `ca_file`") from error


@lru_cache(maxsize=64)
def _context(ca_file: Path | None, _changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
