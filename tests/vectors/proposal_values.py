"""The values of `proposals.json`: `python -m tests.vectors.proposal_values` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mcp_servers.remediation.canonical import canonical_bytes, digest
from tests.vectors import grant_world

FILE = Path(__file__).with_name("proposals.json")

VALUES: dict[str, Any] = {
    "a proposal": grant_world.proposal(),
    "a proposal, keys the other way round": dict(reversed(grant_world.proposal().items())),
    "empty": {},
    "keys sort by UTF-16 code units, not by code points": {"\ufb33": 1, "\U0001f600": 2, "a": 3, "": 4, "\u20ac": 5},
    "control characters and quotes": {"t": '\u0000\u0001\b\t\n\u000b\f\r\u001f"\\/\u007f'},
    "what looks alike stays apart": ["\u00e9", "e\u0301", "\u212b", "\u00c5", "K", "\u212a"],
    "text from right to left, and nothing at all": {"\u202egnp.exe": "\u200b\u2066\ufeff"},
    "tag characters": {"t": "\U000e0041\U000e007f"},
    "line separators": ["\u2028", "\u2029", "</script>"],
    "the largest integers": [9007199254740991, -9007199254740991, 0],
    "true is not one": [True, 1, False, 0, "true", "1"],
    "numbers in texts stay texts": {"10": "1e3", "9": "-0", "1": "0.1"},
    "deep": {"a": {"b": {"c": {"d": [[[{"e": []}]]]}}}},
}

# In this file a refused value is JSON text, since not all of them can be told from others once read.
REFUSED: dict[str, str] = {
    "a float": '{"a": 1.5}',
    "a float that is whole": '{"a": 1.0}',
    "an exponent": '{"a": 1e2}',
    "null": '{"a": null}',
    "null in a list": "[null]",
    "an integer that doubles cannot hold": "[9007199254740992]",
    "a negative one": "[-9007199254740992]",
    "half a surrogate pair": '["\\ud83d"]',
    "half a surrogate pair as a key": '{"\\ude00": 1}',
    "not a number": "[NaN]",
    "too deep": "[" * 14 + "]" * 14,
}


def document() -> dict[str, Any]:
    """Return the whole file."""
    return {
        "about": "Values, their canonical bytes and their digests; see docs/grant.md.",
        "values": [
            {"name": name, "value": value, "canonical": canonical_bytes(value).hex(), "digest": digest(value)}
            for name, value in VALUES.items()
        ],
        "refused": [{"name": name, "json": text} for name, text in REFUSED.items()],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(document(), indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
