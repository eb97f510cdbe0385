"""The hash chain: each entry carries the hash of the one before it, so that a changed past shows.

hash_n = SHA-256(hash_(n-1) || RFC 8785 canonical form of the entry); the first entry follows 64 zeros.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import rfc8785

GENESIS = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One thing that happened: when (UTC, ISO 8601), who, about which incident, what, and its data as JSON text."""

    seq: int
    at: str
    actor: str
    incident: str
    event: str
    data: str
    previous: str
    hash: str


def link(previous: str, seq: int, at: str, actor: str, incident: str, event: str, data: str) -> str:
    """Return the hash of an entry that follows `previous`."""
    body = rfc8785.dumps({"seq": seq, "at": at, "actor": actor, "incident": incident, "event": event, "data": data})
    return hashlib.sha256(previous.encode() + body).hexdigest()


@dataclass(frozen=True)
class Broken:
    """The first entry that does not fit, and why."""

    seq: int
    why: str


def verify(entries: Iterable[Entry]) -> tuple[str, int, Broken | None]:
    """Walk the chain. Return the head's hash, how many entries were sound, and the first broken one, if any."""
    previous, count = GENESIS, 0
    for entry in entries:
        if entry.seq != count + 1:
            return previous, count, Broken(entry.seq, f"entry {count + 1} is missing")
        if entry.previous != previous:
            return previous, count, Broken(entry.seq, "it does not follow the entry before it")
        expected = link(previous, entry.seq, entry.at, entry.actor, entry.incident, entry.event, entry.data)
        if entry.hash != expected:
            return previous, count, Broken(entry.seq, "its content does not match its hash")
        previous, count = entry.hash, count + 1
    return previous, count, None
