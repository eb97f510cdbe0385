"""Secrets taken out of what a server passes on: a small set of shapes, best effort, never the only protection."""

from __future__ import annotations

import re

MARK = "[redacted]"

_NAMED = (
    r"[\w.-]*(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?"
)
KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")
KEY_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # PEM private keys (RFC 7468), also when the end was cut off
    (re.compile(rf"{KEY_BEGIN.pattern}.*?(?:{KEY_END.pattern}|\Z)", re.DOTALL), MARK),
    # Authorization headers (RFC 9110, RFC 6750)
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {MARK}"),
    # JSON Web Tokens (RFC 7519) wherever they stand
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*"), MARK),
    # user:password@ in a URL (RFC 3986)
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,30}://[^\s:/@]{0,100}):[^\s/@]{1,200}@"), rf"\1:{MARK}@"),
    # password=..., "token": "...", PASSWORD '...'
    (re.compile(rf"""(?i)\b({_NAMED}["']?\s*[:=]\s*)("[^"\n]*"|'[^'\n]*'|[^\s,;&"']+)"""), rf"\1{MARK}"),
    (re.compile(r"(?i)\b(password\s+)('[^'\n]*')"), rf"\1{MARK}"),
    # well-known token prefixes: AWS, GitHub, GitLab, Slack, OpenAI-like
    (re.compile(r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,})"), MARK),
    (re.compile(r"\bsk-[\w-]{16,}"), MARK),
)


def redact(text: str) -> str:
    """Return `text` with what looks like a secret replaced by a mark."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
