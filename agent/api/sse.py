"""Server-sent events (WHATWG HTML, 9.2): what is stored first, then what comes, numbered so that nothing is missed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from time import monotonic

from fastapi import Request
from starlette.responses import StreamingResponse

from agent.api.hub import Hub, News
from agent.api.problems import Problem

KEEPALIVE_SECONDS = 15.0
HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold the stream back otherwise
    "X-Content-Type-Options": "nosniff",
}

Read = Callable[[int], Sequence[tuple[int, str]]]
Still = Callable[[], Awaitable[bool]]


def frame(seq: int, text: str) -> str:
    """Return one event; JSON has no raw line ends, so one data line is enough."""
    return f"id: {seq}\ndata: {text}\n\n"


def after(request: Request) -> int:
    """Return the number after which a client wants to go on: `Last-Event-ID`, or `after` in the address."""
    given = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    if not given.isdecimal() or len(given) > 15:
        raise Problem(400, "bad_request", "Last-Event-ID is the number of the last event you have")
    return int(given)


def stream(
    hub: Hub, topic: str, read: Read, since: int, still: Still, ended: Callable[[], bool], caught_up: str = ""
) -> StreamingResponse:
    """Answer with a stream.

    `read(n)` returns what is stored after n, in order, a part at a time. `still` is asked every few seconds whether the
    listener may go on listening, however much there is to hear. `ended` says after each batch whether the stream is
    over. `caught_up` is sent without a number once all that is stored has been sent; `{}` in it becomes the last one.
    """
    return StreamingResponse(
        _events(hub, topic, read, since, still, ended, caught_up), media_type="text/event-stream", headers=HEADERS
    )


async def _events(
    hub: Hub, topic: str, read: Read, since: int, still: Still, ended: Callable[[], bool], caught_up: str
) -> AsyncIterator[str]:
    yield ": countersign\n\n"
    last = since
    # Listen first, then read: what comes in between is in both, and sent once.
    with hub.listen(topic) as news:
        while stored := read(last):
            yield "".join(frame(seq, text) for seq, text in stored)
            last = stored[-1][0]
        if caught_up:
            yield f"data: {caught_up.replace('{}', str(last))}\n\n"
        async for batch in _coming(news, still, ended):
            fresh = [(seq, text) for seq, text in batch if seq > last]
            if fresh:
                yield "".join(frame(seq, text) for seq, text in fresh)
                last = fresh[-1][0]
            elif not batch:
                yield ": keepalive\n\n"
        while ended() and (stored := read(last)):
            yield "".join(frame(seq, text) for seq, text in stored)
            last = stored[-1][0]


async def _coming(
    news: asyncio.Queue[News], still: Still, ended: Callable[[], bool]
) -> AsyncIterator[Sequence[tuple[int, str]]]:
    """Yield what comes, and nothing at every pause, until it is over or the listener may not listen any more."""
    asked = monotonic()
    while not ended():
        batch: News = ()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEEPALIVE_SECONDS):
                batch = _with_what_waits(await news.get(), news)
        if batch is None:
            return
        # Also while it never pauses: a session that ended hears no more of a busy stream either.
        if not batch or monotonic() - asked >= KEEPALIVE_SECONDS:
            if not await still():
                return
            asked = monotonic()
        yield batch


def _with_what_waits(first: News, news: asyncio.Queue[News]) -> News:
    """Return a piece of news with all that has come in after it: sending much at once costs as much as sending one."""
    if first is None or news.empty():
        return first
    together = list(first)
    while not news.empty():
        more = news.get_nowait()
        if more is None:
            news.put_nowait(None)  # after what came before it
            break
        together += more
    return together
