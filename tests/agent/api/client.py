"""Clients of the interface: people with a session, holders of a token, and streams that are read as they come."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

SECONDS = 40
Json = dict[str, Any]
STREAM = {"Accept": "text/event-stream"}
DETACHED = {"Accept": "application/json"}


@dataclass(frozen=True)
class Frame:
    """One server-sent event: its number, None where it has none, and its JSON."""

    id: int | None
    event: Json


class Reader:
    """Reads server-sent events line by line, as a browser does (WHATWG HTML, 9.2.6): fields, a blank line, comments."""

    def __init__(self) -> None:
        self.comments: list[str] = []
        self._id: int | None = None
        self._data: list[str] = []

    def line(self, line: str) -> Frame | None:
        """Take one line; return the event that it ended, if it ended one."""
        if not line:
            data, number = "\n".join(self._data), self._id
            self._data, self._id = [], None
            return Frame(number, json.loads(data)) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not name:
            self.comments.append(value)
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = int(value)
        return None


def frames(lines: Iterable[str]) -> list[Frame]:
    """Return the events of a whole text."""
    reader = Reader()
    return [one for line in lines if (one := reader.line(line)) is not None]


class Stream:
    """An open stream: what has come so far, and waiting for what is to come."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.frames: list[Frame] = []
        self.over = False
        self.reader = Reader()
        self._news = asyncio.Condition()

    @property
    def events(self) -> list[Json]:
        """The numbered events so far: what the log has."""
        return [one.event for one in self.frames if one.id is not None]

    @property
    def last(self) -> int:
        """The number of the last event so far."""
        return max((one.id for one in self.frames if one.id is not None), default=0)

    async def read(self) -> None:
        """Read until the server ends the stream or the connection is cut."""
        try:
            with contextlib.suppress(httpx.HTTPError):
                async for line in self.response.aiter_lines():
                    frame = self.reader.line(line)
                    if frame is not None:
                        async with self._news:
                            self.frames.append(frame)
                            self._news.notify_all()
        finally:
            async with self._news:
                self.over = True
                self._news.notify_all()

    async def until(self, what: Callable[[Json], bool], after: int = 0, seconds: float = SECONDS) -> Json:
        """Wait for an event for which something holds, later than number `after`, and return it."""

        def found() -> Json | None:
            later = (one.event for one in self.frames if one.id is None or one.id > after)
            return next((one for one in later if what(one)), None)

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: found() is not None or self.over), seconds)
            except TimeoutError:
                raise AssertionError(f"it never came; what came: {self._kinds()}") from None
        event = found()
        assert event is not None, f"the stream ended before it came; what came: {self._kinds()}"
        return event

    async def end(self, seconds: float = SECONDS) -> list[Json]:
        """Wait until the server ends the stream and return its events."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: self.over), seconds)
        return self.events

    async def caught_up(self) -> list[Json]:
        """Wait until everything stored has been sent and return it."""
        await self.until(lambda event: event.get("name") == "countersign.caught_up")
        return self.events

    async def count(self, number: int) -> None:
        """Wait until at least so many numbered events have come."""
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: len(self.events) >= number or self.over), SECONDS)

    def number_of(self, what: Callable[[Json], bool]) -> int:
        """Return the number of the first event for which something holds."""
        return next(one.id for one in self.frames if one.id is not None and what(one.event))

    def _kinds(self) -> list[str]:
        return [one.event.get("name") or one.event.get("type", "?") for one in self.frames]


@dataclass
class Answered:
    """A run as its stream told it."""

    thread: str
    run: str
    events: list[Json]

    @property
    def text(self) -> str:
        """Everything that was said."""
        return "".join(one["delta"] for one in self.events if one["type"] == "TEXT_MESSAGE_CONTENT")

    @property
    def end(self) -> Json:
        """The last event."""
        return self.events[-1]

    @property
    def interrupts(self) -> list[Json]:
        """What the run waits for."""
        outcome = self.end.get("outcome") or {}
        return list(outcome.get("interrupts", []))

    @property
    def cards(self) -> list[Json]:
        """Every card that was shown, in the order in which it was."""
        return [one["content"] for one in self.events if one.get("activityType") == "proposal"]


@dataclass
class Client:
    """Somebody with a credential, in front of the interface."""

    http: httpx.AsyncClient
    person: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Make a request as this client and return the answer."""
        headers = {**self.headers, **request.pop("headers", {})}
        return await self.http.request(method, path, headers=headers, **request)

    async def get(self, path: str, **request: Any) -> Any:
        """Return the JSON at an address, which has to be there."""
        answer = await self.ask("GET", path, **request)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: object = None, **request: Any) -> httpx.Response:
        """Send JSON."""
        return await self.ask("POST", path, json=body, **request)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **request: Any) -> AsyncIterator[Stream]:
        """Open a stream; leaving the block cuts the connection."""
        headers = {**self.headers, **request.pop("headers", {})}
        async with self.http.stream(method, path, headers=headers, **request) as response:
            if response.status_code != 200:
                raise AssertionError(f"{response.status_code}: {(await response.aread()).decode()}")
            stream = Stream(response)
            reading = asyncio.create_task(stream.read())
            try:
                yield stream
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    def watch(self, thread: str, after: int | None = None) -> Any:
        """Open the stream of a conversation."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        return self.stream("GET", f"/api/threads/{thread}/events", headers=headers)

    async def whole(self, thread: str) -> list[Frame]:
        """Return everything that a conversation has so far."""
        async with self.watch(thread) as stream:
            await stream.caught_up()
            return [one for one in stream.frames if one.id is not None]

    async def send(self, given: Json) -> Answered:
        """Run the agent and return what it streamed until the run's end."""
        async with self.stream("POST", "/api/agent", json=given, headers=STREAM) as stream:
            events = await stream.end()
        assert events, "a run has events"
        return Answered(events[0]["threadId"], events[0]["runId"], events)

    async def say(self, text: str, thread: str = "", **more: Any) -> Answered:
        """Say something in a conversation (a new one without a name) and return the run."""
        return await self.send(said(text, thread, **more))

    async def resume(self, thread: str, interrupt: str, payload: object, status: str = "resolved") -> Answered:
        """Answer an interrupt and return the run."""
        return await self.send(resumed(thread, interrupt, payload, status))

    async def decide(self, digest: str, decision: str, **more: Any) -> httpx.Response:
        """Decide at the other door; who approves has looked at the card, unless the test says what they saw."""
        if decision == "approve" and "shown" not in more:
            looked = await self.ask("GET", f"/api/proposals/{digest}")
            more["shown"] = looked.json().get("shown", "")
        return await self.post(f"/api/proposals/{digest}/decision", {"decision": decision, **more})

    async def card(self, digest: str) -> Json:
        """Return a card with what this client may do with it."""
        card: Json = await self.get(f"/api/proposals/{digest}")
        return card

    async def until_card(self, digest: str, *states: str, seconds: float = SECONDS) -> Json:
        """Wait until a card is in one of these states and return it."""
        async with asyncio.timeout(seconds):
            while (card := await self.card(digest))["state"] not in states:
                await asyncio.sleep(0.05)
        return card


def shows(digest: str, state: str) -> Callable[[Json], bool]:
    """True for an event that shows a card in a state."""
    return lambda one: (
        one.get("activityType") == "proposal"
        and one["content"]["digest"] == digest
        and one["content"]["state"] == state
    )


def ended(event: Json) -> bool:
    """True for the end of a run."""
    return event["type"] in {"RUN_FINISHED", "RUN_ERROR"}


def said(text: str, thread: str = "", run: str = "", **more: Any) -> Json:
    """Return the input of a run in which a person says something."""
    message = {"id": f"m-{secrets.token_hex(4)}", "role": "user", "content": text}
    return {"threadId": thread, "runId": run or f"r-{secrets.token_hex(6)}", "messages": [message], **more}


def resumed(thread: str, interrupt: str, payload: object, status: str = "resolved", **more: Any) -> Json:
    """Return the input of a run that answers an interrupt."""
    entry = {"interruptId": interrupt, "status": status} | ({} if payload is None else {"payload": payload})
    return {"threadId": thread, "runId": f"r-{secrets.token_hex(6)}", "messages": [], "resume": [entry], **more}


def problem(answer: httpx.Response, status: int, code: str) -> Json:
    """Return the problem (RFC 9457) that an answer has to be."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    body: Json = answer.json()
    assert (body["code"], body["status"]) == (code, status), body
    assert {"type", "title", "detail"} <= body.keys()
    return body


def without(card: Mapping[str, Any], *names: str) -> Json:
    """Return a card without what differs by moment or by who looks."""
    return {key: value for key, value in card.items() if key not in names}
