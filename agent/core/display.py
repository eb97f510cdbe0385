"""The one sanitiser for text that others wrote: tickets, logs, pages, tool results.

It never decides anything. It makes text inert where it is shown or stored: no terminal control sequences, no
characters that reorder or hide text, and no secrets that match a known shape.
"""

from __future__ import annotations

import re
import unicodedata

# ECMA-48 control sequences (CSI, OSC and the two-character escapes), which a terminal would obey.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        "[redacted private key]",
    ),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), "[redacted token]"),
    (re.compile(r"\bcs[kf]_[A-Za-z0-9_-]{16,}"), "[redacted key]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 [redacted]"),
    (
        re.compile(
            r"(?i)\b(pass(?:word|wd)?|passwort|secret|token|api[_-]?key)(\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;]+)"
        ),
        r"\1\2[redacted]",
    ),
    (re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s:/@]+):[^\s@/]+@"), r"\1:[redacted]@"),
)


def inert(text: str, limit: int | None = None) -> str:
    """Return `text` without control sequences, control, bidirectional, zero-width and tag characters.

    Line feeds and tabs stay. With `limit`, text longer than that many characters is cut and ends in an ellipsis.
    """
    # Most texts have nothing of it, and Python knows that at once: what it calls printable is none of these.
    kept = text if text.isprintable() else _without_hidden(text)
    if limit is not None and len(kept) > limit:
        return kept[: max(limit - 1, 0)] + "…"
    return kept


def _without_hidden(text: str) -> str:
    text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(
        character
        for character in text
        if character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    )


def redact(text: str) -> str:
    """Return `text` with whatever has the shape of a credential replaced by a plain mark."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def one_line(text: str, limit: int = 200) -> str:
    """Return `text` inert, on one line, at most `limit` characters: for headings, log lines and error messages."""
    return inert(" ".join(inert(text).split()), limit)
