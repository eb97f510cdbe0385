"""API keys: what may be asked of one when it is made, and who it speaks for when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from agent.api.identity.principal import PERMISSIONS, Principal, is_person
from agent.api.identity.store import Key, Store
from agent.core.errors import CountersignError

MOST_DAYS = 365


def create(store: Store, person: str, machine: str, scopes: Sequence[str], days: int) -> tuple[str, Key]:
    """Make a key for a person or for a machine; return it whole, for the only time, and as it is listed."""
    if bool(person) == bool(machine):
        raise CountersignError("a key belongs to somebody: --for PERSON, or --machine NAME")
    name = person or machine
    if not is_person(name):
        raise CountersignError(f"{name!r} is no name: letters, digits and . _ @ + - after the first")
    unknown = sorted(set(scopes) - PERMISSIONS)
    if unknown or not scopes:
        raise CountersignError(f"a key has one scope or more of {', '.join(sorted(PERMISSIONS))}")
    if machine and "decide" in scopes:
        raise CountersignError("a machine decides nothing; a key that decides belongs to a person")
    if not 1 <= days <= MOST_DAYS:
        raise CountersignError(f"a key lives from 1 to {MOST_DAYS} days")
    return store.create_key(name if person else f"machine:{name}", scopes, timedelta(days=days))


def principal(key: Key) -> Principal:
    """Return whom a key speaks for."""
    return Principal(
        person=key.holder,
        name=key.holder.removeprefix("machine:"),
        roles=frozenset(),
        via="key",
        signed_in_at=key.created_at,
        scopes=key.scopes,
        credential=key.id,
    )
