"""From whoever has news to whoever listens, within one process: topics, listeners, and nothing kept."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

MOST_WAITING = 2000
"""Pieces of news that may wait for one listener. One that does not keep up is let go; it comes back and catches up."""

News = Sequence[tuple[int, str]] | None
"""Numbered pieces of news in order; None when there will be no more."""


class Hub:
    """Hands news on to the listeners of a topic."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Queue[News]]] = defaultdict(set)
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return sum(len(queues) for queues in self._listeners.values())

    def publish(self, topic: str, news: Sequence[tuple[int, str]]) -> None:
        """Hand news on; never waits."""
        if not news:
            return
        for queue in list(self._listeners.get(topic, ())):
            if queue.qsize() >= MOST_WAITING:
                self._listeners[topic].discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(news)

    @contextmanager
    def listen(self, topic: str) -> Iterator[asyncio.Queue[News]]:
        """Yield the queue that news of a topic come in at, from now on."""
        queue: asyncio.Queue[News] = asyncio.Queue()
        if self._closed:
            queue.put_nowait(None)
        self._listeners[topic].add(queue)
        try:
            yield queue
        finally:
            self._listeners[topic].discard(queue)
            if not self._listeners[topic]:
                del self._listeners[topic]

    def close(self) -> None:
        """Tell every listener that there will be no more."""
        self._closed = True
        for queues in self._listeners.values():
            for queue in queues:
                queue.put_nowait(None)
