"""Two hundred open streams on one process: how long an event takes to each of them, and what they cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic

from agent.company.lab import file_ticket
from benchmarks.conversations import FOLLOW_UP, PEOPLE, SETTLES_SECONDS, TROUBLE, Bench
from benchmarks.figures import Figures, computed, memory, spread, summary
from benchmarks.incident import say
from benchmarks.starts import floor_server
from benchmarks.streams import Audience, call, open_stream

STREAMS = 200
AT_ONCE = 4
"""Runs one person may have going on side by side."""
ANSWERS_A_SECOND = 10
"""Each of 200 people asks something every twenty seconds."""
INVESTIGATION, ANSWER, BYTES = 75, 14, 300
"""Events of a whole investigation and of an answer, and about how long one is: so much the least server publishes."""


async def many_streams(bench: Bench, runs: int) -> Figures:
    """Delays with all streams open: on one conversation during whole investigations, and on one conversation each."""
    found: Figures = {"streams": STREAMS, "memory_before_mib": memory(bench.server.process.pid)}
    found |= await _one_thread(bench, runs)
    found |= await _own_threads(bench)
    return found | await _floor()


async def _one_thread(bench: Bench, runs: int) -> Figures:
    thread = await bench.begin()
    delays: list[float] = []
    events = 0
    for number in range(runs):
        await bench.reject()
        ticket = await file_ticket(bench.server.settings, "permits site", TROUBLE, PEOPLE[-1], "")
        async with audience(bench, [(thread, 0)] * STREAMS) as listening:
            await bench.ask(thread, ticket)
            await listening.quiet()
            new = delays_of(bench, listening)
        delays += new
        events += len(new) // STREAMS
        say(f"{STREAMS} streams on one conversation {number + 1}/{runs}: {len(new) // STREAMS} events, {spread(new)}")
    return {"one_thread_s": summary(delays), "one_thread_events": events}


async def _own_threads(bench: Bench) -> Figures:
    thread = await bench.begin()
    listed = (await call(bench.origin, "/api/threads", bench.keys[0]))["threads"]
    incident = next(one["incident"] for one in listed if one["id"] == thread)
    say(f"{STREAMS} conversations about {incident} ...")
    threads: list[tuple[str, int]] = []
    for number in range(STREAMS):
        whose = number % len(PEOPLE)
        made = await call(bench.origin, "/api/threads", bench.keys[whose], {"incident": incident})
        threads.append((made["id"], whose))
    await asyncio.sleep(SETTLES_SECONDS)
    gates = [asyncio.Semaphore(AT_ONCE) for _ in PEOPLE]

    async def chat(name: str, whose: int) -> None:
        async with gates[whose]:
            await bench.ask(name, FOLLOW_UP, whose)

    async with audience(bench, threads) as listening:
        computing = computed(bench.server.process.pid)
        await paced([partial(chat, *one) for one in threads])
        computing = computed(bench.server.process.pid) - computing
        await listening.quiet()
        delays = delays_of(bench, listening)
        held = memory(bench.server.process.pid)
    say(f"{STREAMS} streams on their own conversations: {spread(delays)}")
    async with audience(bench, threads) as listening:
        began = monotonic()
        await asyncio.gather(*(chat(*one) for one in threads))
        took = monotonic() - began
        await listening.quiet()
        busy = delays_of(bench, listening)
    say(f"  as many questions at once as are let in: {STREAMS / took:.0f} answers a second, {spread(busy)}")
    await bench.reject()
    return {
        "own_threads_s": summary(delays),
        "own_threads_at_its_limit_s": summary(busy),
        "answers_a_second": {"paced": ANSWERS_A_SECOND, "at_its_limit": round(STREAMS / took, 1)},
        "computed_for_an_answer_s": round(computing / STREAMS, 4),
        "pss_mib": held["pss"],
        "rss_mib": held["rss"],
        "memory_with_streams_mib": held,
    }


async def paced(jobs: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Do jobs, beginning so many a second whether or not the ones before have ended; return when all have."""
    began = monotonic()
    tasks = []
    for number, job in enumerate(jobs):
        await asyncio.sleep(max(0.0, began + number / ANSWERS_A_SECOND - monotonic()))
        tasks.append(asyncio.ensure_future(job()))
    await asyncio.gather(*tasks)


async def _floor() -> Figures:
    """Do the same with the least server: as many streams, as many events, at the same pace."""
    found: Figures = {}
    with floor_server() as (process, origin):

        async def publish(topic: str, events: int) -> None:
            await call(origin, f"/publish/{topic}?events={events}&bytes_each={BYTES}", body={})

        for name, topics, events in (
            ("floor_one_topic_s", ["all"] * STREAMS, INVESTIGATION),
            ("floor_own_topics_s", [f"t{number}" for number in range(STREAMS)], ANSWER),
        ):
            say(f"{name} ...")
            listening = Audience()
            for topic in topics:
                await listening.join(open_stream(origin, f"/events/{topic}"))
            await asyncio.sleep(0.5)
            await paced([partial(publish, one, events) for one in sorted(set(topics))])
            await listening.quiet(0.3)
            found[name] = summary([at - json.loads(text)["at"] for _, text, at in listening.heard])
            found["floor_pss_mib"], found["floor_rss_mib"] = (memory(process.pid)[which] for which in ("pss", "rss"))
            await listening.leave()
    return found


@asynccontextmanager
async def audience(bench: Bench, threads: Sequence[tuple[str, int]]) -> AsyncIterator[Audience]:
    """Open a stream on each of these conversations, past what is stored."""
    listening = Audience()
    try:
        for thread, whose in threads:
            opening = open_stream(bench.origin, f"/api/threads/{thread}/events?after=0", bench.keys[whose])
            await listening.join(opening, until=b"countersign.caught_up")
        yield listening
    finally:
        await listening.leave()


def delays_of(bench: Bench, listening: Audience) -> list[float]:
    """Return how long each event took from the beginning of its writing to each stream that it came in on."""
    noted = bench.noted()
    return [at - noted[number.decode()] for number, _, at in listening.heard if number]
