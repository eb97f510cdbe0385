from __future__ import annotations

import pytest

from mcp_servers.redaction import redact
from mcp_servers.text import clean, clean_line, cut_bytes


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "PGPASSWORD: hunter2",
        '{"api_key": "hunter2"}',
        "db_secret = 'hunter2 with spaces'",
        "Authorization: Bearer hunter2hunter2",
        "postgresql://app:hunter2@db:5432/x",
        "ALTER ROLE app PASSWORD 'hunter2'",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2 and the end was cut off",
        "eyJhunter2.eyJhunter2.hunter2",
    ],
)
def test_a_secret_of_a_known_shape_is_taken_out(text: str) -> None:
    assert "hunter2" not in redact(text) and "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "connection to server at 127.0.0.1 failed: password authentication failed for user app",
        "config: port must be a number, not 'eighty'",
        "the token bucket is empty",
        "GET /keys?page=2",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_escapes_controls_and_lone_surrogates_leave_text() -> None:
    assert clean("\x1b]0;title\x07a\x1b[1;31mb\x1b[0m\x00c\r\nd\te\u202e\ud800") == "abc\nd\te?"
    assert clean_line("a\n\n  b\x00", 10) == "a b"


def test_text_is_cut_on_a_character_border() -> None:
    assert cut_bytes("äöü", 3) == ("ä", True)
    assert cut_bytes("äöü", 6) == ("äöü", False)
