"""Server-sent events (WHATWG HTML, 9.2): what is stored first, then what comes, numbered so that nothing is missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from fastapi import Request
from starlette.responses import StreamingResponse

from agent.api.hub import Hub
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

    `read(n)` returns what is stored after n, in order, a part at a time. `still` is asked at every pause whether the
    listener may go on listening. `ended` says after each batch whether the stream is over. `caught_up` is sent without
    a number once all that is stored has been sent; `{}` in it becomes the last number.
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
        while not ended():
            try:
                batch = await asyncio.wait_for(news.get(), KEEPALIVE_SECONDS)
            except TimeoutError:
                if not await still():
                    return
                yield ": keepalive\n\n"
                continue
            if batch is None:
                return
            fresh = [(seq, text) for seq, text in batch if seq > last]
            if fresh:
                yield "".join(frame(seq, text) for seq, text in fresh)
                last = fresh[-1][0]
        while stored := read(last):
            yield "".join(frame(seq, text) for seq, text in stored)
            last = stored[-1][0]
