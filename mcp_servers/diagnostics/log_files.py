"""Reading logs from the end: bounded however large the file is, clean of escapes, secrets taken out."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

from mcp_servers.redaction import KEY_BEGIN, KEY_END, MARK, redact
from mcp_servers.text import clean

CHUNK_BYTES = 64 * 1024
MAX_LINE_BYTES = 16 * 1024
TAIL_BYTES = 64 * 1024

# 2026-11-20T23:54:00.123Z, 2026-11-20 23:54:00,123 UTC, [2026/11/20 23:54:00 ...
_STAMP = re.compile(
    r"\[?(?P<date>\d{4}[-/]\d{2}[-/]\d{2})[T ](?P<time>\d{2}:\d{2}:\d{2})(?:[.,](?P<fraction>\d{1,9}))?"
    r" ?(?P<zone>Z|[+-]\d{2}:?\d{2}|(?:UTC|GMT)\b)?"
)


def timestamp(line: str) -> datetime | None:
    """Return the moment a log line begins with, in UTC, or None. Without a zone it is this machine's local time."""
    found = _STAMP.match(line)
    if found is None:
        return None
    fraction = (found["fraction"] or "0")[:6].ljust(6, "0")
    zone = found["zone"] or ""
    zone = "+00:00" if zone in ("Z", "UTC", "GMT") else zone
    try:
        moment = datetime.fromisoformat(f"{found['date'].replace('/', '-')}T{found['time']}.{fraction}{zone}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class LogUnreadable(Exception):
    """The file cannot be read; the message says why."""


def open_log(path: Path) -> FileIO:
    """Open a regular file for reading; never waits (a FIFO in a log's place would block for ever)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise LogUnreadable(f"{path.name}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise LogUnreadable(f"{path.name}: not a regular file")
    return FileIO(descriptor, closefd=True)


class Backwards:
    """The lines of a file from the last to the first, reading at most `budget` bytes.

    `cut` is true afterwards when the budget ended before the file did.
    """

    def __init__(self, file: FileIO, budget: int) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._position = self._size
        self._floor = max(0, self._size - budget)
        self.cut = False

    @property
    def read_bytes(self) -> int:
        """How many bytes were read so far."""
        return self._size - self._position

    def __iter__(self) -> Iterator[str]:
        rest = b""
        first = True
        while self._position > self._floor:
            start = max(self._floor, self._position - CHUNK_BYTES)
            self._file.seek(start)
            rest = self._file.read(self._position - start) + rest
            self._position = start
            lines = rest.split(b"\n")
            # The first piece may go on further up; of a line without end only the last part is kept.
            rest = lines.pop(0)[-MAX_LINE_BYTES:]
            if first and lines and not lines[-1]:
                # What follows the last line's end is no line.
                lines.pop()
            first = False
            yield from (_decode(line) for line in reversed(lines))
        self.cut = self._floor > 0
        if self._size and not self.cut:
            yield _decode(rest)


def _decode(line: bytes) -> str:
    return line[:MAX_LINE_BYTES].decode("utf-8", "replace")


def without_keys(lines: Iterator[str]) -> Iterator[str]:
    """Pass lines on, last first, with each private key (RFC 7468) replaced by one mark."""
    inside = False
    for line in lines:
        if KEY_END.search(line) and not KEY_BEGIN.search(line):
            inside = True
        elif inside:
            if KEY_BEGIN.search(line):
                inside = False
                yield MARK
        else:
            yield line


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a log, oldest first, clean and redacted. Raises LogUnreadable."""
    kept: list[str] = []
    with open_log(path) as file:
        for line in without_keys(iter(Backwards(file, TAIL_BYTES))):
            kept.append(line)
            if len(kept) >= lines:
                break
    return redact(clean("\n".join(reversed(kept)))).split("\n") if kept else []
