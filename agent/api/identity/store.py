"""Sessions, sign-ins under way, frame tokens and API keys: one database of its own, and no secret in it.

Of everything that opens a door the SHA-256 alone is stored. All of it is random and long, so a fast hash is enough:
there is no guessing a value of 256 bits from it. Rows are found by that hash, which tells a timing attacker nothing of
the value; where a name finds the row (API keys), the hashes are compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    RowMapping,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError

from agent.core.errors import CountersignError, Refused

ATTEMPT_LIFE = timedelta(minutes=10)
"""How long a sign-in may take at the provider."""
FRAME_LIFE = timedelta(minutes=15)
"""How long the token of an embedded frame is good; the frame asks for another while its session lives."""
KEPT_AFTER_EXPIRY = timedelta(hours=1)
"""An expired row stays this long, so that a late caller hears `expired` and is not counted as one who guesses."""
SEEN_EVERY = timedelta(minutes=1)
"""How often a session's last use is written down: a page that streams would write on every call otherwise."""
KEY_PREFIX = "csk_"

_metadata = MetaData()

_sessions = Table(
    "sessions",
    _metadata,
    Column("hash", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("via", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("signed_in_at", Text, nullable=False),
    Column("last_seen", Text, nullable=False),
    Column("idle_seconds", Integer, nullable=False),
    Column("expires_at", Text, nullable=False),
)

_attempts = Table(
    "attempts",
    _metadata,
    Column("state", Text, primary_key=True),
    Column("browser", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("next", Text, nullable=False),
    Column("again", Integer, nullable=False),
    Column("begun_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
)

_frames = Table(
    "frame_tokens",
    _metadata,
    Column("hash", Text, primary_key=True),
    Column("session", Text, nullable=False, index=True),
    Column("expires_at", Text, nullable=False),
)

_keys = Table(
    "api_keys",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("holder", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("last_used", Text, nullable=False, server_default=""),
    Column("revoked_at", Text, nullable=False, server_default=""),
)


@dataclass(frozen=True)
class Session:
    """A person who signed in with a browser."""

    hash: str
    person: str
    name: str
    roles: frozenset[str]
    via: str
    subject: str
    """Who they are at the provider (`sub`), for whoever has to look there."""
    signed_in_at: str
    last_seen: str
    idle_seconds: int
    expires_at: str


@dataclass(frozen=True)
class Attempt:
    """A sign-in that has been sent to the provider and has not come back."""

    nonce: str
    verifier: str
    next: str
    again: bool
    """True when the person was asked to prove anew who they are."""
    begun_at: str


@dataclass(frozen=True)
class Key:
    """An API key as it is listed: all but its secret, which nobody has."""

    id: str
    holder: str
    """A person's name, or `machine:NAME`."""
    scopes: frozenset[str]
    created_at: str
    expires_at: str
    last_used: str
    revoked_at: str


class Store:
    """`identity.db`: what has to outlive a restart, so that nobody has to sign in again because of one."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
        self.path, self._now = path, now
        self._engine: Engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 10})

        @event.listens_for(self._engine, "connect")
        def _configure(connection: Any, _record: object) -> None:
            connection.isolation_level = None
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
                connection.execute(f"PRAGMA {pragma}")

        with self._write() as connection:
            _metadata.create_all(connection)

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._plainly(), self._engine.connect() as connection:
            # IMMEDIATE: what is looked up here and then used up cannot be used by another process in between.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._plainly(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            raise CountersignError(
                f"{self.path}, where sessions and keys are kept, cannot be written or read ({error.orig})"
            ) from error

    # Sessions

    def sign_in(
        self,
        *,
        person: str,
        name: str,
        roles: Iterable[str],
        via: str,
        subject: str,
        signed_in_at: str,
        idle: timedelta,
        life: timedelta,
    ) -> tuple[str, str]:
        """Begin a session; return its id, which is known to the browser alone from here on, and when it ends."""
        secret, now = secrets.token_urlsafe(32), self._now()
        expires_at = stamp(now + life)
        with self._write() as connection:
            _purge(connection, now)
            connection.execute(
                insert(_sessions).values(
                    hash=fingerprint(secret),
                    person=person,
                    name=name,
                    roles=" ".join(sorted(roles)),
                    via=via,
                    subject=subject,
                    signed_in_at=signed_in_at,
                    last_seen=stamp(now),
                    idle_seconds=int(idle.total_seconds()),
                    expires_at=expires_at,
                )
            )
        return secret, expires_at

    def session(self, secret: str, use: bool = True) -> Session | None:
        """Return the live session of this id, and note its use; None when there is none or it is over."""
        return self._session(fingerprint(secret), use)

    def _session(self, hash_: str, use: bool) -> Session | None:
        now = self._now()
        with self._read() as connection:
            row = connection.execute(select(_sessions).where(_sessions.c.hash == hash_)).one_or_none()
        if row is None:
            return None
        session = _session_of(row._mapping)
        if (
            session.expires_at <= stamp(now)
            or _when(session.last_seen) + timedelta(seconds=session.idle_seconds) <= now
        ):
            self._end(hash_)
            return None
        if use and _when(session.last_seen) + SEEN_EVERY <= now:
            with self._write() as connection:
                connection.execute(update(_sessions).where(_sessions.c.hash == hash_).values(last_seen=stamp(now)))
        return session

    def sign_out(self, secret: str) -> None:
        """End a session and every frame token that came of it."""
        self._end(fingerprint(secret))

    def sign_out_person(self, person: str) -> int:
        """End every session of a person, with their frame tokens; return how many there were."""
        with self._write() as connection:
            mine = select(_sessions.c.hash).where(_sessions.c.person == person)
            connection.execute(delete(_frames).where(_frames.c.session.in_(mine)))
            return connection.execute(delete(_sessions).where(_sessions.c.person == person)).rowcount

    def _end(self, hash_: str) -> None:
        with self._write() as connection:
            connection.execute(delete(_frames).where(_frames.c.session == hash_))
            connection.execute(delete(_sessions).where(_sessions.c.hash == hash_))

    # Sign-ins under way

    def begin(self, state: str, browser: str, nonce: str, verifier: str, next_: str, again: bool) -> None:
        """Keep what a sign-in needs when it comes back: once, from the same browser, within ten minutes."""
        now = self._now()
        with self._write() as connection:
            _purge(connection, now)
            connection.execute(
                insert(_attempts).values(
                    state=fingerprint(state),
                    browser=fingerprint(browser),
                    nonce=nonce,
                    verifier=verifier,
                    next=next_,
                    again=int(again),
                    begun_at=stamp(now),
                    expires_at=stamp(now + ATTEMPT_LIFE),
                )
            )

    def take_attempt(self, state: str, browser: str) -> Attempt | None:
        """Return the sign-in that came back and use it up; None when there is none for this state and browser.

        A state that comes back from another browser is used up, too: somebody has it who should not.
        """
        with self._write() as connection:
            found = connection.execute(select(_attempts).where(_attempts.c.state == fingerprint(state))).one_or_none()
            connection.execute(delete(_attempts).where(_attempts.c.state == fingerprint(state)))
        if found is None or found.expires_at <= stamp(self._now()):
            return None
        if not hmac.compare_digest(found.browser, fingerprint(browser)):
            return None
        return Attempt(found.nonce, found.verifier, found.next, bool(found.again), found.begun_at)

    # Frame tokens

    def frame_token(self, session: Session) -> tuple[str, str]:
        """Return a new token for the embedded frame, and when it ends: with its session at the latest."""
        secret, now = secrets.token_urlsafe(32), self._now()
        expires_at = min(stamp(now + FRAME_LIFE), session.expires_at)
        with self._write() as connection:
            _purge(connection, now)
            connection.execute(
                insert(_frames).values(hash=fingerprint(secret), session=session.hash, expires_at=expires_at)
            )
        return secret, expires_at

    def frame_session(self, secret: str, use: bool = True) -> Session | None:
        """Return the session behind a frame's token; None for an unknown one. Refused `expired` for a late one."""
        with self._read() as connection:
            row = connection.execute(select(_frames).where(_frames.c.hash == fingerprint(secret))).one_or_none()
        if row is None:
            return None
        if row.expires_at <= stamp(self._now()):
            raise Refused("expired", "this token has expired; ask for another one")
        session = self._session(row.session, use)
        if session is None:
            raise Refused("expired", "the session behind this token is over; sign in again")
        return session

    # API keys

    def create_key(self, holder: str, scopes: Iterable[str], life: timedelta) -> tuple[str, Key]:
        """Make an API key; return it whole, for the only time, and as it is listed."""
        number, secret, now = secrets.token_hex(6), secrets.token_urlsafe(32), self._now()
        key = Key(number, holder, frozenset(scopes), stamp(now), stamp(now + life), "", "")
        values = vars(key) | {"scopes": " ".join(sorted(key.scopes)), "hash": fingerprint(secret)}
        with self._write() as connection:
            connection.execute(insert(_keys).values(**values))
        return f"{KEY_PREFIX}{number}_{secret}", key

    def key(self, text: str) -> Key | None:
        """Return the key that this text is, and note its use; None when it is none. Refused when it is over."""
        number, _, secret = text.removeprefix(KEY_PREFIX).partition("_")
        with self._read() as connection:
            row = connection.execute(select(_keys).where(_keys.c.id == number)).one_or_none()
        known = row.hash if row is not None else fingerprint("")
        if not hmac.compare_digest(known, fingerprint(secret)) or row is None:
            return None
        now = stamp(self._now())
        if row.revoked_at:
            raise Refused("revoked", "this API key was revoked")
        if row.expires_at <= now:
            raise Refused("expired", "this API key has expired")
        if row.last_used[:16] != now[:16]:
            with self._write() as connection:
                connection.execute(update(_keys).where(_keys.c.id == number).values(last_used=now))
        return _key_of(row._mapping)

    def keys(self) -> list[Key]:
        """Return all keys, newest first, those that are over included."""
        with self._read() as connection:
            rows = connection.execute(select(_keys).order_by(_keys.c.created_at.desc(), _keys.c.id))
            return [_key_of(row._mapping) for row in rows]

    def revoke_key(self, number: str) -> Key:
        """Revoke a key, from the next request on. Refused `unknown_key` when there is none of this id."""
        with self._write() as connection:
            connection.execute(
                update(_keys)
                .where(_keys.c.id == number, _keys.c.revoked_at == "")
                .values(revoked_at=stamp(self._now()))
            )
            row = connection.execute(select(_keys).where(_keys.c.id == number)).one_or_none()
        if row is None:
            raise Refused("unknown_key", f"there is no API key {number}; `countersign keys list` shows them")
        return _key_of(row._mapping)


def fingerprint(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode("utf-8", errors="surrogatepass")).hexdigest()


def stamp(at: datetime) -> str:
    """Return an instant as it is stored and compared: UTC, to the second, so that text sorts as time does."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _when(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _purge(connection: Connection, now: datetime) -> None:
    """Drop what is over. Keys stay, as the record of who could do what; each is one line."""
    late = stamp(now - KEPT_AFTER_EXPIRY)
    connection.execute(delete(_attempts).where(_attempts.c.expires_at <= stamp(now)))
    connection.execute(delete(_sessions).where(_sessions.c.expires_at <= late))
    connection.execute(delete(_frames).where(_frames.c.expires_at <= late))


def _session_of(row: RowMapping) -> Session:
    return Session(**{**row, "roles": frozenset(row["roles"].split())})


def _key_of(row: RowMapping) -> Key:
    return Key(**{**{name: row[name] for name in row if name != "hash"}, "scopes": frozenset(row["scopes"].split())})
