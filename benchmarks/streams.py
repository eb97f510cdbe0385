"""Many open streams in one client, as cheap as can be: what the client needs is counted to the server's delay."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

Take = Callable[[bytes, bytes, float], None]
"""Hears of an event: its `id` line's value, its `data` line's value, and when the line had come in."""


@dataclass
class Stream:
    """One open stream (HTTP/1.1; a chunk of ours ends where an event ends, so lines are never torn)."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    asked_at: float

    async def each(self, take: Take) -> None:
        """Hand every event on until the stream ends."""
        number = b""
        while line := await self.reader.readline():
            if line.startswith(b"id: "):
                number = line[4:-1]
            elif line.startswith(b"data:"):
                take(number, line[5:-1].strip(), monotonic())
                number = b""

    async def first(self, *needed: bytes) -> float:
        """Return the seconds from the request to the first event that has these words in it."""
        while line := await self.reader.readline():
            if line.startswith(b"data:") and all(one in line for one in needed):
                return monotonic() - self.asked_at
        raise RuntimeError(f"the stream ended without {needed!r}")

    async def close(self) -> None:
        """Leave."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


async def open_stream(
    origin: str, path: str, key: str = "", body: Mapping[str, Any] | None = None, accept: str = "text/event-stream"
) -> Stream:
    """Ask for a stream and read its head."""
    parts = urlsplit(origin)
    content = json.dumps(body).encode() if body is not None else b""
    head = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {parts.netloc}", f"Accept: {accept}"]
    head.append("Connection: close")
    head += [f"Authorization: Bearer {key}"] if key else []
    head += ["Content-Type: application/json", f"Content-Length: {len(content)}"] if body is not None else []
    asked_at = monotonic()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=8 * 1024 * 1024)
    writer.write("\r\n".join([*head, "", ""]).encode() + content)
    status = int((await reader.readline()).split()[1])
    while (await reader.readline()).strip():
        pass
    return Stream(reader, writer, status, asked_at)


async def call(origin: str, path: str, key: str = "", body: Mapping[str, Any] | None = None) -> Any:
    """Make one request and return its JSON; None where there is none. Raises RuntimeError for anything but success."""
    stream = await open_stream(origin, path, key, body, "application/json")
    try:
        text = (await stream.reader.read()).decode()
        if stream.status >= 300:
            raise RuntimeError(f"{path} was answered with {stream.status}: {text[:500]}")
        return json.loads(text) if text else None
    finally:
        await stream.close()


@dataclass
class Audience:
    """Streams that are open at once, and when each event came in on each of them."""

    heard: list[tuple[bytes, bytes, float]] = field(default_factory=list)
    _streams: list[Stream] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def join(self, opening: Awaitable[Stream], until: bytes = b"") -> None:
        """Open one more stream; with `until`, wait for an event that has it, so that only what is new is heard."""
        stream = await opening
        if stream.status != 200:
            raise RuntimeError(f"a stream was answered with {stream.status}")
        if until:
            await stream.first(until)
        self._streams.append(stream)
        self._tasks.append(asyncio.create_task(stream.each(lambda *one: self.heard.append(one))))

    async def quiet(self, seconds: float = 1.0) -> None:
        """Wait until nothing has come in for a while."""
        count = -1
        while count != len(self.heard):
            count = len(self.heard)
            await asyncio.sleep(seconds)

    async def leave(self) -> None:
        """Close every stream."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(stream.close() for stream in self._streams), return_exceptions=True)
