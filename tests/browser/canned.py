"""A server without a lab: the real pages under their real policy, and an API that replays what a real one once sent.

The pages, the bundle and every header come from the program itself; the answers are recordings (`record.py`).
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from playwright.sync_api import BrowserContext
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from agent.api import pages, problems
from agent.api.edge import Edge
from agent.api.sse import frame

RECORDED = Path(__file__).resolve().parent / "recorded"
Events = Sequence[Sequence[Any]]
CAUGHT_UP = '{"type":"CUSTOM","name":"countersign.caught_up","value":{"seq":%d}}'


@cache
def _text(name: str) -> str:
    return (RECORDED / f"{name}.json").read_text(encoding="utf-8")


def recorded(name: str) -> dict[str, Any]:
    """Return a recording, to be changed as a test needs it."""
    return dict(json.loads(_text(name)))


def at_that_time(context: BrowserContext, told: dict[str, Any]) -> None:
    """Set the browser's clock to when the recording was made: ages and countdowns are as they were then."""
    context.clock.set_fixed_time(told["at"])


class Canned:
    """What the server answers; tests change it while it runs."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.events: list[Sequence[Any]] = list(told["events"])
        self.answers: dict[str, Any] = deepcopy(told["before"])
        self.answers["card"]["now"] = told["at"]
        self.thread = str(told["thread"])
        self.cut = 0
        """After so many events the first stream ends, as one does on a bad line."""
        self.pace = 0.0
        """Seconds between two events."""
        self.streams = 0
        self.begun = True
        """Events are there; without, they come when a message is sent."""
        self.refuses: tuple[int, str, str] | None = None
        """How decisions are answered: status, code, detail."""
        self.decisions: list[dict[str, Any]] = []
        self.signed_in = True
        self.origin = ""
        self.documents: dict[str, tuple[str, dict[str, str]]] = {}
        """More pages, by path: a host's."""

    @property
    def card(self) -> dict[str, Any]:
        """The card with what its reader may do."""
        found: dict[str, Any] = self.answers["card"]
        return found

    async def who(self, _: Request) -> Any:
        """Be the guard of the pages."""
        return True if self.signed_in else None

    def upto(self, kind: str, activity: str = "") -> None:
        """Keep the events up to and with the first of a kind."""
        for index, (_, event) in enumerate(self.events):
            if event["type"] == kind and event.get("activityType", "") == activity:
                self.events = self.events[: index + 1]
                return
        raise AssertionError(f"no {kind} {activity} was recorded")

    def while_open(self) -> None:
        """Keep the events up to where the card waits."""
        self.events = self.events[: self.told["open_events"]]

    def card_is(self, **changes: Any) -> None:
        """Change the card: where it is asked for, where it is listed, and in the conversation."""
        self.card.update(deepcopy(changes))
        for one in (self.card, *self.answers["proposals"]["proposals"], *self.answers["incident"]["proposals"]):
            if one["digest"] == self.card["digest"]:
                one.update(deepcopy(changes))
        events = deepcopy(self.events)
        for _, event in events:
            if event.get("activityType") == "proposal":
                event["content"].update({key: value for key, value in changes.items() if key != "you"})
        self.events = events

    async def stream(self, after: int) -> AsyncIterator[str]:
        """Send the events after one, and then wait for more."""
        self.streams += 1
        left = self.cut if self.streams == 1 else 0
        yield ": countersign\n\n"
        last, told, sent = after, False, 0
        while True:
            for seq, event in self.events if self.begun else ():
                if seq <= last:
                    continue
                if self.pace:
                    await asyncio.sleep(self.pace)
                yield frame(seq, json.dumps(event))
                last, sent = seq, sent + 1
                if left and sent == left:
                    return
            if not told:
                told = True
                yield f"data: {CAUGHT_UP % last}\n\n"
            await asyncio.sleep(0.05)


def application(canned: Canned) -> FastAPI:
    """Return the server."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.serving = SimpleNamespace(hosts=[])
    app.state.guard = canned
    problems.install(app)
    app.include_router(pages.router)
    _api(app, canned)
    app.add_middleware(Edge)
    return app


def _api(app: FastAPI, canned: Canned) -> None:
    async def answer(request: Request) -> Response:
        path, method = request.url.path.removeprefix("/api/"), request.method
        if path == "events" or path.endswith("/events"):
            since = int(request.headers.get("last-event-id") or 0)
            body = canned.stream(since) if path != "events" else _silence()
            return StreamingResponse(body, media_type="text/event-stream")
        content = json.loads(await request.body() or b"{}") if method == "POST" else {}
        if method == "POST":
            return _taken(canned, path, content)
        if path in _PLAIN:
            return JSONResponse(canned.answers[_PLAIN[path]])
        if path.startswith("proposals/"):
            return JSONResponse(canned.card)
        if path.startswith("incidents/"):
            return JSONResponse(canned.answers["incident"])
        return JSONResponse({"detail": "nothing here"}, 404)

    async def document(request: Request) -> Response:
        html, headers = canned.documents[request.url.path]
        kind = "text/javascript" if request.url.path.endswith(".js") else "text/html"
        return HTMLResponse(html, headers=headers, media_type=kind)

    app.add_route("/api/{path:path}", answer, methods=["GET", "POST", "DELETE"])
    app.add_route("/host/{path:path}", document)


_PLAIN = {
    "me": "me",
    "demo": "demo",
    "threads": "threads",
    "incidents": "incidents",
    "proposals": "proposals",
    "knowledge/search": "knowledge",
}


def _taken(canned: Canned, path: str, content: dict[str, Any]) -> Response:
    if path.endswith("/decision"):
        return _decision(canned, content)
    if path == "agent":
        canned.begun = True
        return JSONResponse({"threadId": canned.thread, "runId": content["runId"]}, 202)
    if path == "threads":
        return JSONResponse({"id": canned.thread}, 201)
    if path.endswith("/feedback"):
        return Response(status_code=204)
    return JSONResponse({"stopped": True}, 202)


def _decision(canned: Canned, content: dict[str, Any]) -> Response:
    canned.decisions.append(content)
    if canned.refuses:
        status, code, detail = canned.refuses
        return JSONResponse(
            {"type": "about:blank", "title": "No", "status": status, "code": code, "detail": detail}, status
        )
    state = {"approve": "approved", "reject": "rejected"}.get(content["decision"], "awaiting")
    return JSONResponse({"digest": canned.card["digest"], "state": state, "approver": "dana.meyer"})


async def _silence() -> AsyncIterator[str]:
    yield ": countersign\n\n"
    while True:
        await asyncio.sleep(0.2)
        yield ": nothing\n\n"


@contextmanager
def serving(canned: Canned) -> Iterator[Canned]:
    """Serve it on loopback for as long as the block runs."""
    on = socket.socket()
    on.bind(("127.0.0.1", 0))
    canned.origin = f"http://127.0.0.1:{on.getsockname()[1]}"
    config = uvicorn.Config(application(canned), log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [on]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield canned
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
        on.close()
