"""Queries for SQLite's full-text search from text nobody vetted. Pure."""

from __future__ import annotations

import re

MAX_TERMS = 32
READ_CHARACTERS = 4096

_WORD = re.compile(r"[^\W_]+")
# Words that say nothing about an incident; the ranking would weigh them little, but each costs a look-up.
_EMPTY = frozenset(
    "a am an and are as at be been but by can could do does for from get had has have hello hi i if in into is it its "
    "me my no not of on or our please so some than thank thanks that the their them then there they this to us was we "
    "were what when which who will with would you your".split()
)


def terms(text: str) -> list[str]:
    """Return the telling words at the beginning of a text, each once, as they come, at most 32."""
    found = dict.fromkeys(word for word in _WORD.findall(text[:READ_CHARACTERS].lower()) if len(word) <= 64)
    telling = [word for word in found if word not in _EMPTY and len(word) > 1]
    return (telling or list(found))[:MAX_TERMS]


def quoted(term: str) -> str:
    """Return a term as an FTS5 string (https://sqlite.org/fts5.html#fts5_strings); no operator in it works."""
    return '"' + term.replace('"', '""') + '"'


def all_of(words: list[str]) -> str:
    """Match every word, the last one also as the beginning of a longer one."""
    return " AND ".join(map(quoted, words)) + "*"


def any_of(words: list[str]) -> str:
    """Match at least one of the words."""
    return " OR ".join(map(quoted, words))
