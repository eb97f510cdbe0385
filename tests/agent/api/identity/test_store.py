"""What is stored, and what is not; what ends when."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from agent.api.identity.store import Session, Store, stamp
from agent.core.errors import CountersignError, Refused
from tests.agent.api.identity.world import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Store:
    return Store(tmp_path / "state" / "identity.db", clock)


def sign_in(store: Store, clock: Clock, person: str = "dana.meyer") -> str:
    secret, _ = store.sign_in(
        person=person,
        name="Dana Meyer",
        roles=["approver"],
        via="session",
        subject="u-1",
        signed_in_at=stamp(clock()),
        idle=timedelta(hours=1),
        life=timedelta(hours=8),
    )
    return secret


def live(session: Session | None) -> Session:
    assert session is not None
    return session


def test_no_secret_stands_in_the_database_and_no_one_else_can_read_it(store: Store, clock: Clock) -> None:
    session = sign_in(store, clock)
    frame, _ = store.frame_token(live(store.session(session)))
    key, _ = store.create_key("dana.meyer", ["read"], timedelta(days=1))
    store.begin("a-state", "a-browser", "a-nonce", "a-verifier", "/", False)
    store.close()
    content = b"".join(file.read_bytes() for file in store.path.parent.iterdir())
    assert b"dana.meyer" in content
    for secret in (session, frame, key.rpartition("_")[2], "a-state", "a-browser"):
        assert secret.encode() not in content
    assert store.path.stat().st_mode & 0o077 == 0


def test_a_session_ends_when_it_was_not_used_for_its_idle_time(store: Store, clock: Clock) -> None:
    secret = sign_in(store, clock)
    for _ in range(5):
        clock.forward(minutes=59)
        assert live(store.session(secret)).roles == frozenset({"approver"})
    clock.forward(minutes=60)
    assert store.session(secret) is None
    clock.forward(minutes=-30)
    assert store.session(secret) is None, "a session that is over does not come back with the clock"


def test_a_session_ends_at_its_absolute_life_however_much_it_is_used(store: Store, clock: Clock) -> None:
    secret = sign_in(store, clock)
    for _ in range(15):
        clock.forward(minutes=31)
        live(store.session(secret))
    clock.forward(minutes=14, seconds=59)
    live(store.session(secret))
    clock.forward(seconds=1)
    assert store.session(secret) is None


def test_signing_out_ends_the_session_and_its_frame_tokens_and_no_other(store: Store, clock: Clock) -> None:
    mine, other = sign_in(store, clock), sign_in(store, clock)
    frame, _ = store.frame_token(live(store.session(mine)))
    theirs, _ = store.frame_token(live(store.session(other)))
    store.sign_out(mine)
    assert store.session(mine) is None and store.frame_session(frame) is None
    assert live(store.frame_session(theirs)).person == "dana.meyer"
    assert store.sign_out_person("dana.meyer") == 1
    assert store.session(other) is None and store.frame_session(theirs) is None


def test_a_frame_token_lives_fifteen_minutes_and_never_longer_than_its_session(store: Store, clock: Clock) -> None:
    secret = sign_in(store, clock)
    frame, expires_at = store.frame_token(live(store.session(secret)))
    assert expires_at == stamp(clock() + timedelta(minutes=15))
    clock.forward(minutes=14, seconds=59)
    live(store.frame_session(frame))
    clock.forward(seconds=1)
    with pytest.raises(Refused, match="expired"):
        store.frame_session(frame)
    while stamp(clock() + timedelta(minutes=15)) <= live(store.session(secret)).expires_at:
        clock.forward(minutes=13)
    _, expires_at = store.frame_token(live(store.session(secret)))
    assert expires_at == live(store.session(secret)).expires_at < stamp(clock() + timedelta(minutes=15))


def test_a_frame_in_use_keeps_its_session_from_being_idle(store: Store, clock: Clock) -> None:
    secret = sign_in(store, clock)
    for _ in range(6):
        frame, _ = store.frame_token(live(store.session(secret)))
        clock.forward(minutes=14)
        live(store.frame_session(frame))
    assert store.session(secret) is not None


def test_a_sign_in_under_way_comes_back_once_from_the_same_browser_within_ten_minutes(
    store: Store, clock: Clock
) -> None:
    for state in ("one", "two", "three"):
        store.begin(state, "browser", "nonce", "verifier", "/approvals/x", True)
    attempt = store.take_attempt("one", "browser")
    assert attempt is not None and (attempt.nonce, attempt.next, attempt.again) == ("nonce", "/approvals/x", True)
    assert store.take_attempt("one", "browser") is None
    assert store.take_attempt("two", "another browser") is None
    assert store.take_attempt("two", "browser") is None, "whoever had the state has used it up"
    clock.forward(minutes=10)
    assert store.take_attempt("three", "browser") is None
    assert store.take_attempt("never begun", "browser") is None


def test_what_is_over_leaves_the_database(store: Store, clock: Clock) -> None:
    secret = sign_in(store, clock)
    store.frame_token(live(store.session(secret)))
    store.begin("state", "browser", "nonce", "verifier", "/", False)
    clock.forward(hours=10)
    sign_in(store, clock, "sam.okafor")
    with sqlite3.connect(store.path) as connection:
        counts = [connection.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in TABLES]
    connection.close()
    assert counts == [1, 0, 0]


TABLES = ("sessions", "frame_tokens", "attempts")


def test_everything_outlives_a_restart(store: Store, clock: Clock) -> None:
    secret = sign_in(store, clock)
    frame, _ = store.frame_token(live(store.session(secret)))
    store.close()
    again = Store(store.path, clock)
    assert live(again.session(secret)).person == live(again.frame_session(frame)).person == "dana.meyer"
    again.close()


def test_a_key_is_told_from_its_id_and_its_whole_secret(store: Store, clock: Clock) -> None:
    text, key = store.create_key("dana.meyer", ["read"], timedelta(days=2))
    found = store.key(text)
    assert found is not None and found.holder == "dana.meyer" and text.startswith(f"csk_{key.id}_")
    for guess in (text[:-1], f"csk_{key.id}_", f"csk_{key.id}", "csk__", "csk_", f"csk_nobody_{text}", text + "x"):
        assert store.key(guess) is None, guess
    assert [one.last_used for one in store.keys()] == [stamp(clock())]


def test_a_key_ends_with_its_time_or_its_revocation(store: Store, clock: Clock) -> None:
    text, _ = store.create_key("dana.meyer", ["read"], timedelta(days=2))
    other, key = store.create_key("dana.meyer", ["read"], timedelta(days=9))
    clock.forward(days=2)
    with pytest.raises(Refused, match="expired"):
        store.key(text)
    revoked = store.revoke_key(key.id)
    with pytest.raises(Refused, match="revoked"):
        store.key(other)
    clock.forward(hours=1)
    assert store.revoke_key(key.id).revoked_at == revoked.revoked_at, "it was revoked when it was revoked first"
    with pytest.raises(Refused, match="no API key"):
        store.revoke_key("nobody")


def test_a_database_that_cannot_be_used_is_named_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "identity.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(CountersignError, match=r"identity\.db"):
        Store(tmp_path / "identity.db")
