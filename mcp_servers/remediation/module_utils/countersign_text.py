"""Text from a target on its way to people: no control characters, no secrets, bounded. Standard library only."""

from __future__ import annotations

import difflib
import re

HIDDEN = "[hidden]"
_NAMED = re.compile(
    r"""(?ix)
    (["']?[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credential)[\w.-]*["']?\s*[:=]\s*)
    ("[^"\n]*"|'[^'\n]*'|[^\s,;}\]]+)
    """
)
_IN_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s/@:]*:)[^\s/@]+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}")
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def clean(text: str, limit: int = 4000) -> str:
    """Hide secrets, drop control and invisible characters, and keep the last `limit` characters."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\t", "    "))
    text = _IN_URL.sub(rf"\1{HIDDEN}@", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    return text[-limit:]


def unified(before: bytes, after: bytes, name: str, limit: int = 20000) -> str:
    """Return a unified diff with secrets hidden; a line that differs only in a secret still shows as changed."""
    sides = [side.decode("utf-8", "replace").splitlines() for side in (before, after)]
    lines = difflib.unified_diff(sides[0], sides[1], f"{name} (now)", f"{name} (restored)", lineterm="")
    return clean("\n".join(lines), limit)
