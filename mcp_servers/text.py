"""Text from outside made fit to pass on: no terminal escapes, no control characters, no lone surrogates, bounded."""

from __future__ import annotations

import re

# ECMA-48 escape sequences: CSI (colours, cursor), OSC (titles, links; ended by BEL or ST), and two-character ones.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]")
# C0 and C1 controls but tab and newline, and the bidirectional overrides that make text read as what it is not.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")


def clean(text: str) -> str:
    """Return `text` without escapes and control characters (tab and newline stay), safe to encode as UTF-8."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def clean_line(text: str, limit: int) -> str:
    """Return `text` as one clean line of at most `limit` characters."""
    return " ".join(clean(text[: limit * 4]).split())[:limit]


def cut_bytes(text: str, limit: int) -> tuple[str, bool]:
    """Return `text` cut to at most `limit` bytes of UTF-8 on a character boundary, and whether it was cut."""
    raw = text.encode("utf-8")
    if len(raw) <= limit:
        return text, False
    return raw[:limit].decode("utf-8", "ignore"), True
