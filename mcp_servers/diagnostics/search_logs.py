"""search_logs: lines of a service's logs by plain text, level and time, from the newest backwards."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field

from mcp_servers.diagnostics.log_files import Backwards, LogUnreadable, open_log, timestamp, without_keys
from mcp_servers.diagnostics.observation import CannotCheck, Observation, missing_facet
from mcp_servers.inventory import Service
from mcp_servers.moments import Watch, iso
from mcp_servers.redaction import redact
from mcp_servers.text import clean

Level = Literal["", "debug", "info", "warning", "error", "critical"]

SCAN_BYTES = 8 * 1024 * 1024
MAX_LINES = 200
LINE_CHARACTERS = 500

_SEVERITY = {"": -1, "debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 4}
_WORDS = {
    "trace": 0, "debug": 0, "log:": 1, "info": 1, "notice": 1, "warn": 2, "warning": 2, "error": 3, "err": 3,
    "critical": 4, "crit": 4, "fatal": 4, "panic": 4, "alert": 4, "emerg": 4,
}  # fmt: skip
# PostgreSQL writes "LOG:"; the bare word is more often part of a path or a sentence.
_LEVEL = re.compile(rf"\b(?:(?-i:LOG:)|(?:{'|'.join(word for word in _WORDS if word.isalpha())})\b)", re.IGNORECASE)


class LogLine(BaseModel):
    """One line, with the moment it (or the entry it continues) begins with; `at` is empty where no line says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str
    text: str
    file: str


class LogSearch(Observation):
    """The newest matching lines, the newest last."""

    matched: int = Field(description="matching lines in what was read, at most 8 MiB from the end")
    truncated: bool = Field(description="more lines matched than are listed, or older ones were not read")
    lines: list[LogLine]


@dataclass(frozen=True)
class Wanted:
    """What a line must carry: a text (any case), a severity or worse, a moment not before `since`."""

    contains: str
    level: Level
    since: datetime

    def matches(self, text: str, severity: int) -> bool:
        """Whether a line as it would be shown matches; never the raw one, or a search would spell out a secret."""
        return severity >= _SEVERITY[self.level] and self.contains.lower() in text.lower()


@dataclass(frozen=True)
class _Found:
    sort_key: datetime
    line: LogLine


async def search_logs(service: Service, contains: str, level: Level, since_minutes: int, limit: int) -> LogSearch:
    """Search the service's logs; a line without a time of its own belongs to the entry before it."""
    if not service.logs:
        raise missing_facet(service.name, "logs")
    watch = Watch()
    wanted = Wanted(contains, level, datetime.now(UTC) - timedelta(minutes=since_minutes))
    found, matched, cut = await anyio.to_thread.run_sync(_search, service.logs, wanted, limit, abandon_on_cancel=True)
    return LogSearch(
        service=service.name,
        observed_at=watch.started_at,
        took_ms=watch.ms(),
        matched=matched,
        truncated=cut or matched > len(found),
        lines=found,
    )


def _search(logs: tuple[Path, ...], wanted: Wanted, limit: int) -> tuple[list[LogLine], int, bool]:
    found: list[_Found] = []
    matched, cut, budget = 0, False, SCAN_BYTES
    problems: list[str] = []
    for path in logs:
        try:
            with open_log(path) as file:
                written = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
                if written < wanted.since:
                    continue
                scan = Backwards(file, budget)
                of_file = 0
                for each in _matching(scan, path.name, wanted, written):
                    of_file += 1
                    if of_file <= limit:
                        found.append(each)
                matched += of_file
                cut = cut or scan.cut
                budget -= scan.read_bytes
        except LogUnreadable as error:
            problems.append(str(error))
    if len(problems) == len(logs):
        raise CannotCheck(f"no log can be read ({'; '.join(problems)}); mend `logs` or the permissions")
    # Each file gave its lines newest first; within one moment that order is kept.
    found.sort(key=lambda each: each.sort_key, reverse=True)
    return [each.line for each in reversed(found[:limit])], matched, cut


def _matching(scan: Backwards, file: str, wanted: Wanted, written: datetime) -> Iterator[_Found]:
    """Yield matches from the newest backwards, ending at the first entry that is older than wanted.

    Lines without a time wait for the entry they continue, which stands further up.
    """
    waiting: list[str] = []
    sort_key = written
    for line in without_keys(iter(scan)):
        waiting.append(line)
        at = timestamp(line)
        if at is None and len(waiting) < MAX_LINES:
            continue
        if at is not None:
            if at < wanted.since:
                return
            sort_key = at
        yield from _judge(waiting, at, sort_key, file, wanted)
        waiting.clear()
    yield from _judge(waiting, None, sort_key, file, wanted)


def _judge(lines: list[str], at: datetime | None, sort_key: datetime, file: str, wanted: Wanted) -> Iterator[_Found]:
    """Judge the lines of one entry, newest first. A continuation line is as severe as the line that begins it."""
    head = _severity(lines[-1]) if lines else -1
    for raw in lines:
        if wanted.contains and wanted.contains.lower() not in raw.lower():
            continue
        text = redact(clean(raw)).replace("\n", " ")[:LINE_CHARACTERS]
        if text and wanted.matches(text, max(head, _severity(raw))):
            yield _Found(sort_key, LogLine(at=iso(at) if at else "", text=text, file=file))


def _severity(line: str) -> int:
    word = _LEVEL.search(line, 0, 200)
    return _WORDS[word[0].lower()] if word else -1
