"""Markdown around text that others wrote. Whatever stands in a ticket, a log, a page or a tool's answer is shown and
never obeyed: it makes no link, no citation, no heading, and it does not break out of its code span, fence or quotation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from agent.core.display import inert, redact
from agent.core.evidence import Observation

MOST_LINES = 20
MOST_IN_A_LINE = 400
_ROUND = str.maketrans({"[": "(", "]": ")", "`": "'"})
_ESCAPED = re.compile(r"([\\*_{}<>|~!&])")
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|mailto)(:)|\b(www)(\.)|(\w)(@)(?=\w)")
_AT_LINE_START = re.compile(r"^(\s*)([#+\-=>:])|^(\s*\d+)([.)])")
_SECRET_NAME = re.compile(
    r"(?i)^(.*[_-])?(pass(word|wd|phrase)?|passwort|secret|token|api[_-]?key|private[_-]?key)([_-].*)?$"
)
_CODE_IN_A_LINE = re.compile(r"(?<![`\\])(`+)(?!`)(.*?)(?<!`)\1(?!`)")
_MARK = re.compile(r"\[(E?\d{1,3})\]")


def clean(text: str) -> str:
    """Return text inert, then without what has the shape of a credential: hidden letters must not break a shape."""
    return redact(inert(text))


def clean_value(value: Any) -> Any:
    """Return plain JSON with every text clean, and nothing under a name that says it is a secret."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {
            clean(str(key)): "[redacted]" if _SECRET_NAME.match(str(key)) and item else clean_value(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [clean_value(item) for item in value]
    return value


def clean_observation(one: Observation) -> Observation:
    """Return an observation whose result and error are clean."""
    return replace(
        one, result=None if one.result is None else dict(clean_value(one.result)), error=clean_value(one.error)
    )


def prose(text: str, limit: int = 400) -> str:
    """Return text for the middle of a sentence: one line, every mark of Markdown without effect; square brackets
    become round and backticks quotes, since those two could make a citation or take one away."""
    line = inert(" ".join(clean(text).split()), limit).translate(_ROUND)
    line = _ESCAPED.sub(r"\\\1", line)
    line = _AUTOLINK.sub(lambda m: "".join(f"\\{g}" if g in {":", ".", "@"} else g for g in m.groups() if g), line)
    return _AT_LINE_START.sub(lambda m: "\\".join(g for g in m.groups() if g is not None), line)


def code(text: str, limit: int = 240) -> str:
    """Return text as a code span on one line, exact but for its length; nothing for no text."""
    line = inert(" ".join(clean(text).split()), limit)
    if not line:
        return ""
    ticks = "`" * (_longest_run(line) + 1)
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def fence(text: str, language: str = "text", most: int = MOST_LINES, newest: bool = False) -> str:
    """Return text as a fenced block: its first lines, or its newest; the fence is longer than any run inside."""
    lines = [inert(line, MOST_IN_A_LINE).rstrip() for line in clean(text).strip("\n").split("\n")]
    kept = lines[-most:] if newest else lines[:most]
    if len(lines) > most:
        kept = ["…", *kept] if newest else [*kept, "…"]
    ticks = "`" * max(3, _longest_run("\n".join(kept)) + 1)
    return "\n".join([f"{ticks}{language}", *kept, ticks])


def json_block(value: Any, most: int = 60) -> str:
    """Return plain JSON as a fenced block."""
    return fence(json.dumps(clean_value(value), indent=2, ensure_ascii=False, default=str), "json", most)


def quotation(text: str, most: int = 40) -> str:
    """Return a page's own Markdown as a quotation: its lists and code stay, its brackets make no citation."""
    lines = clean(text).strip().split("\n")
    kept = [*lines[:most], *(["…"] if len(lines) > most else [])]
    quoted, fenced, indented = [], "", False
    for number, line in enumerate(kept):
        before = kept[number - 1].strip() if number else ""
        indented = line.startswith(("    ", "\t")) and (indented or not before) and number > 0
        quoted.append(line if fenced or indented else _without_marks(line))
        mark = re.match(r"\s{0,3}(`{3,}(?=[^`]*$)|~{3,})", line)
        if mark and not fenced:
            fenced = mark[1]
        elif mark and mark[1].startswith(fenced) and line.strip() == mark[1]:
            fenced = ""
    return "\n".join(f"> {line}".rstrip() for line in quoted)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table. Cells are Markdown already; a bar in them would divide the row and becomes a broken one."""
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    lines += [" | ".join(cell.replace("\\|", "|").replace("|", "¦").replace("\n", " ") for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _without_marks(line: str) -> str:
    parts, end = [], 0
    for span in _CODE_IN_A_LINE.finditer(line):
        parts += [_MARK.sub(r"(\1)", line[end : span.start()]), span[0]]
        end = span.end()
    return "".join([*parts, _MARK.sub(r"(\1)", line[end:])])
