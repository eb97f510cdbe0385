"""Conversations over HTTP as a client has them, and how soon one sees the first event, the first words and the card."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Figures, summary
from benchmarks.incident import say
from benchmarks.served import Server
from benchmarks.streams import call, open_stream
from evals.lab.lab import Lab

PEOPLE = ("dana.meyer", "sam.okafor", "lee.brandt", "ines.costa")
TROUBLE = "The permits site answers 502 since a few minutes and nobody can hand in an application."
FOLLOW_UP = "what else did you check?"
SETTLES_SECONDS = 2.0
"""After a rejection the conversations about that incident get a run of the server's own."""


@dataclass
class Bench:
    """A server on its lab, the keys of its people, and what it noted."""

    server: Server
    lab: Lab
    keys: list[str]
    notes: Path

    @property
    def origin(self) -> str:
        """Where the server is."""
        return self.server.origin

    def noted(self) -> dict[str, float]:
        """Return when each event began to be written, and when each proposal was there."""
        lines = (line.split() for line in self.notes.read_text(encoding="utf-8").splitlines())
        return {name: float(at) for name, at in lines}

    async def ask(self, thread: str, text: str, number: int = 0) -> None:
        """Send a message and wait for the end of its run."""
        asked = await open_stream(self.origin, "/api/agent", self.keys[number], message(thread, text))
        await asked.first(b"RUN_FINISHED")
        await asked.close()

    async def begin(self) -> str:
        """Begin a conversation about the trouble; return its name."""
        made: str = (await call(self.origin, "/api/threads", self.keys[0], {}))["id"]
        await self.ask(made, TROUBLE)
        return made

    async def reject(self) -> None:
        """Reject what waits, so that the next question begins anew."""
        for card in (await call(self.origin, "/api/proposals?state=awaiting", self.keys[0]))["proposals"]:
            await call(self.origin, f"/api/proposals/{card['digest']}/decision", self.keys[0], {"decision": "reject"})
        await asyncio.sleep(SETTLES_SECONDS)


def message(thread: str, text: str) -> dict[str, Any]:
    """Return a run's input as a client sends it."""
    said = {"id": f"m-{os.urandom(8).hex()}", "role": "user", "content": text}
    return {"threadId": thread, "runId": f"r-{os.urandom(8).hex()}", "messages": [said]}


async def first_events(bench: Bench, runs: int) -> Figures:
    """Time from sending a message to the first event and the first words: a new question, and in a conversation."""
    question: list[float] = []
    for number in range(runs):
        asked = await open_stream(bench.origin, "/api/agent", bench.keys[0], message("", TROUBLE))
        question.append(await asked.first())
        await asked.first(b"RUN_FINISHED")
        await asked.close()
        say(f"first event of a question {number + 1}/{runs}: {question[-1] * 1000:.0f} ms")
    thread = await bench.begin()
    answer: list[float] = []
    words: list[float] = []
    for _ in range(runs * 3):
        asked = await open_stream(bench.origin, "/api/agent", bench.keys[0], message(thread, FOLLOW_UP))
        answer.append(await asked.first())
        words.append(await asked.first(b"TEXT_MESSAGE_CONTENT"))
        await asked.first(b"RUN_FINISHED")
        await asked.close()
    await bench.reject()
    return {
        "first_event_of_a_question_s": summary(question),
        "first_event_of_an_answer_s": summary(answer),
        "first_words_of_an_answer_s": summary(words),
    }


async def cards(bench: Bench, runs: int) -> Figures:
    """Time from the moment a proposal is stored to its card on the stream."""
    took = []
    for number in range(runs):
        asked = await open_stream(bench.origin, "/api/agent", bench.keys[0], message("", TROUBLE))
        came = asked.asked_at + await asked.first(b"ACTIVITY_SNAPSHOT", b'"proposal"')
        await asked.first(b"RUN_FINISHED")
        await asked.close()
        (card,) = (await call(bench.origin, "/api/proposals?state=awaiting", bench.keys[0]))["proposals"]
        took.append(came - bench.noted()[card["digest"]])
        await bench.reject()
        say(f"card {number + 1}/{runs}: {took[-1] * 1000:.0f} ms")
    return {"card_s": summary(took)}
