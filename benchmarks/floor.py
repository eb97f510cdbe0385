"""The least there is to compare with: FastAPI, one route that streams, one that publishes; nothing stored or checked.

    python -m benchmarks.floor PORT

Whoever writes an AG-UI server by hand starts from this. Every event carries the time at which it was published.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from time import monotonic

import uvicorn
from fastapi import FastAPI
from starlette.responses import StreamingResponse

app = FastAPI()
listeners: dict[str, list[asyncio.Queue[str]]] = defaultdict(list)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@app.get("/events/{topic}")
async def events(topic: str) -> StreamingResponse:
    """Stream a topic."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    listeners[topic].append(queue)

    async def sending() -> AsyncIterator[str]:
        yield ": open\n\n"
        while True:
            yield await queue.get()

    return StreamingResponse(sending(), media_type="text/event-stream")


@app.post("/publish/{topic}")
async def publish(topic: str, events: int, bytes_each: int) -> None:
    """Publish events, one after the other as a run does."""
    for number in range(events):
        text = json.dumps({"at": monotonic(), "pad": "x" * bytes_each})
        for queue in listeners[topic]:
            queue.put_nowait(f"id: {number}\ndata: {text}\n\n")
        await asyncio.sleep(0)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
