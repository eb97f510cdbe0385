"""Text that others wrote is inert before it is shown, and secrets in it are masked."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.display import inert, one_line, redact


@given(st.text())
def test_nothing_that_steers_a_terminal_or_hides_text_is_left(text: str) -> None:
    for character in inert(text):
        assert character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("a\u202eb", "ab"),
        ("a\u200bb", "ab"),
        ("\U000e0041hidden", "hidden"),
        ("line\rover", "line\nover"),
    ],
)
def test_known_tricks_leave_the_plain_text(hostile: str, shown: str) -> None:
    assert inert(hostile) == shown


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_a_line_is_one_line_and_no_longer_than_asked(text: str, limit: int) -> None:
    assert "\n" not in one_line(text, limit)
    assert len(one_line(text, limit)) <= limit


@pytest.mark.parametrize(
    "secret",
    [
        "password=hunter2secret",
        "Passwort: hunter2secret",
        "Authorization: Bearer hunter2secret.abc",
        "postgresql://app:hunter2secret@db/x",
        "-----BEGIN PRIVATE KEY-----\nhunter2secret\n-----END PRIVATE KEY-----",
        "eyJhbGciOiJFZERTQSJ9.hunter2secretpayload.sig",
    ],
)
def test_what_looks_like_a_credential_is_masked(secret: str) -> None:
    assert "hunter2secret" not in redact(f"before {secret} after")
    assert redact(f"before {secret} after").startswith("before ")
