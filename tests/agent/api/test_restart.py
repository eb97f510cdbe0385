"""The server ends or dies at a bad moment: the card is there again, nothing runs twice, and what broke off is told."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from agent.journal.store import Journal
from evals.lab.faults import FAULTS
from tests.agent.api import agui
from tests.agent.api.client import DETACHED, STREAM, Answered, Client, Json, ended, problem, said, shows
from tests.agent.api.served import Place, Process, sign_in
from tests.labs import lab_directory, processes_of, running_lab

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
FAULT = FAULTS["service-stopped"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def place() -> AsyncIterator[Place]:
    """An installation on a lab of this module's own; each test serves it itself."""
    with running_lab() as lab:
        one = Place(lab, lab.directory / "installation")
        yield one
        await one.http.aclose()
        left = [
            line for line in processes_of(one.settings.state.parent) if "mcp_servers" in line or "approvals" in line
        ]
        assert left == [], "whatever was started has ended, also after a kill"


@contextmanager
def journal_of(place: Place) -> Iterator[Journal]:
    journal = Journal(place.settings.journal)
    try:
        yield journal
    finally:
        journal.close()


@contextmanager
def paused(module: str, place: Place) -> Iterator[None]:
    """Hold up a server of this installation, so that what asks it waits for the answer."""
    lines = [line.split(": ", 1) for line in processes_of(place.lab.directory)]
    pids = [int(number) for number, command in lines if f"-m {module} " in command]
    assert pids, lines
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def report(place: Place) -> str:
    written = FAULT.ticket(place.lab.estate)
    return f"{written.subject}\n{written.body}"


def operations(place: Place, digest: str) -> list[str]:
    with closing(sqlite3.connect(place.settings.state / "remediation.db")) as raw:
        return [str(row[0]) for row in raw.execute("SELECT state FROM operations WHERE id = ?", (digest,))]


async def test_killed_and_ended_with_cards_open_runs_under_way_and_an_approval_unused_it_goes_on_once(
    place: Place,
) -> None:
    """Through a kill and an orderly end: what waited waits, what was cut is told, and nothing runs twice."""
    await asyncio.to_thread(FAULT.inject, place.lab)
    async with place.served(signal.SIGKILL, meanwhile=_a_second_server_is_refused) as first:
        waits = await place.dana.say(report(place))
        before = await place.dana.card(waits.interrupts[0]["metadata"]["digest"])
        await place.dana.post("/api/stop", {"level": "effects", "reason": "over lunch"})
        cut = await _cut(place, first, signal.SIGKILL)
    async with place.served(signal.SIGTERM) as second:
        await _the_card_is_there_again(place, waits, before)
        await _the_stop_holds_until_it_is_lifted(place, before)
        digest = await _the_cut_run_is_told_and_its_incident_goes_on(place, cut)
        await _it_is_carried_out_once(place, waits, before)
        assert (await place.sam.decide(digest, "reject", reason="it was the same")).status_code == 200
        await place.sam.until_card(digest, "rejected")

        await asyncio.to_thread(FAULT.inject, place.lab)
        approved = await place.dana.say(report(place))
        unused = approved.interrupts[0]["metadata"]["digest"]
        # Somebody else works on that incident: whoever goes on with it waits for this.
        with (place.settings.state / "run" / f"{approved.cards[0]['incident']}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert (await place.sam.decide(unused, "approve")).status_code == 200
            assert (await place.dana.card(unused))["state"] == "approved"
            cut = await _cut(place, second, signal.SIGTERM)
    async with place.served():
        await place.dana.until_card(unused, "verified")
        assert operations(place, unused) == ["finished"] and operations(place, digest) == []
        await _told_as_cut(place, cut)
        whole = [one.event for one in await place.dana.whole(approved.thread)]
        agui.check_thread(whole)
        states = [one["state"] for one in agui.activities(whole, "proposal") if one["digest"] == unused]
        assert (states[0], states[-1]) == ("awaiting", "verified")
    with journal_of(place) as journal:
        assert journal.verify()[2] is None and journal.disagreements() == []
        for run in (waits, approved):
            story = [one.event for one in journal.entries(run.cards[0]["incident"])]
            assert story.count("approved") == story.count("executing") == story.count("executed") == 1
    assert (await asyncio.to_thread(FAULT.oracle, place.lab)).ok


async def _a_second_server_is_refused(place: Place) -> None:
    second = Process("serve", "--config", str(place.settings.file), "--port", "0")
    assert await asyncio.to_thread(second.process.wait, 60) == 2
    assert "another server works with" in second.text() and "Traceback" not in second.text()
    await second.end(signal.SIGKILL)
    assert (await place.http.get("/healthz")).json() == {"status": "ok"}, "and the first one goes on"


async def _cut(place: Place, process: Process, how: signal.Signals) -> tuple[Json, int]:
    """Begin a run, end the server while it is looking, and return the run's input and the last event that came."""
    given = said(report(place), f"cut-by-{how.name.lower()}")
    with paused("mcp_servers.diagnostics", place):
        async with place.dana.stream("POST", "/api/agent", json=given, headers=STREAM) as run:
            await run.until(lambda one: one["type"] == "TOOL_CALL_END")
            seen = run.last
        assert (await place.dana.get("/api/incidents"))["incidents"][0]["state"] == "investigating"
        await process.end(how)
    return given, seen


async def _told_as_cut(place: Place, cut: tuple[Json, int]) -> Json:
    """Check what is told of a run that was cut, and return the end of the run after it."""
    given, seen = cut
    thread = given["threadId"]
    async with place.dana.watch(thread, after=seen) as rest:
        broken = await rest.until(lambda one: one["type"] == "RUN_ERROR")
        assert broken["code"] == "restarted" and "restarted" in broken["message"]
        end: Json = await rest.until(ended, after=rest.number_of(lambda one: one["type"] == "RUN_ERROR"))
    whole = [one.event for one in await place.dana.whole(thread)]
    agui.check_thread(whole)
    first = agui.runs_of(whole)[0]
    assert first[-1] == broken and first[0]["input"]["messages"] == given["messages"]
    assert [one["content"] for one in agui.of(first, "TOOL_CALL_RESULT")][-1] == "no answer came"
    return end


async def _the_cut_run_is_told_and_its_incident_goes_on(place: Place, cut: tuple[Json, int]) -> str:
    end = await _told_as_cut(place, cut)
    digest = str(end["outcome"]["interrupts"][0]["metadata"]["digest"])
    whole = [one.event for one in await place.dana.whole(cut[0]["threadId"])]
    text = "".join(one["delta"] for one in agui.of(agui.runs_of(whole)[1], "TEXT_MESSAGE_CONTENT"))
    assert "is not running" in text and agui.activities(whole, "sources"), "what was found is told after all"
    before = (await place.dana.get("/api/incidents"))["total"]
    repeated = await place.dana.post("/api/agent", cut[0], headers=DETACHED)
    assert repeated.status_code == 202, "sent again by a client that lost the answer: the same run, not a new one"
    assert (await place.dana.get("/api/incidents"))["total"] == before
    return digest


async def _the_card_is_there_again(place: Place, run: Answered, before: Json) -> None:
    whole = [one.event for one in await place.dana.whole(run.thread)]
    assert whole == run.events, "the conversation is what it was"
    after = await place.dana.card(before["digest"])
    assert after["state"] == "awaiting" and after["shown"] == before["shown"]


async def _the_stop_holds_until_it_is_lifted(place: Place, card: Json) -> None:
    assert (await place.dana.get("/api/me"))["stopped"]["effects"]["reason"] == "over lunch"
    problem(await place.sam.decide(card["digest"], "approve"), 409, "stopped")
    assert (await place.dana.ask("DELETE", "/api/stop", params={"level": "effects"})).json() == {"stopped": {}}


async def _it_is_carried_out_once(place: Place, run: Answered, card: Json) -> None:
    digest = card["digest"]
    async with place.dana.watch(run.thread) as stream:
        answers = await asyncio.gather(
            place.sam.decide(digest, "approve", shown=card["shown"]), place.dana.decide(digest, "approve")
        )
        assert sorted(one.status_code for one in answers) == [200, 409]
        await stream.until(shows(digest, "verified"))
        await stream.until(ended, after=stream.number_of(shows(digest, "verified")))
        agui.check_thread(stream.events)
    assert operations(place, digest) == ["finished"]
    assert (await asyncio.to_thread(FAULT.oracle, place.lab)).ok


async def test_a_demo_that_was_killed_is_taken_up_with_its_card_and_its_sessions() -> None:
    """`countersign demo` without a terminal serves until it is ended; killed and started again, it goes on."""
    with lab_directory() as directory:
        first = Process("demo", "--port", "0", "--dir", str(directory))
        links, headers, _ = await _card_of_demo(first, directory)
        assert (directory / "links.json").stat().st_mode & 0o077 == 0
        await first.end(signal.SIGKILL)

        port = int(links["origin"].rpartition(":")[2])
        second = Process("demo", "--port", str(port), "--dir", str(directory))
        again, _, digest = await _card_of_demo(second, directory, links["sign_in"])
        try:
            assert again["origin"] == links["origin"] and again["sign_in"] != links["sign_in"]
            async with httpx.AsyncClient(base_url=again["origin"], verify=False) as http:
                dana = Client(http, "dana.meyer", headers)
                assert (await dana.get("/api/me"))["person"] == "dana.meyer", "nobody has to sign in again"
                old = await http.get(links["sign_in"])
                assert old.status_code in {401, 403}, "the old link opens nothing"
                answer = await dana.decide(digest, "approve")
                assert answer.status_code == 200, answer.text + second.text()
                assert (await dana.until_card(digest, "verified"))["decision"]["by"] == "dana.meyer"
            with closing(sqlite3.connect(directory / "assistant" / "state" / "remediation.db")) as raw:
                assert raw.execute("SELECT state FROM operations").fetchall() == [("finished",)]
        finally:
            code = await second.end(signal.SIGTERM)
        assert code == 130 and not (directory / "links.json").exists()
        assert processes_of(directory) == []


async def _card_of_demo(
    demo: Process, directory: Path, other_than: str = ""
) -> tuple[dict[str, str], dict[str, str], str]:
    """Wait for a demo's links, sign in by them as a browser, and wait for the card."""

    def read() -> dict[str, str] | None:
        try:
            found: dict[str, Any] = json.loads((directory / "links.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if found["sign_in"] != other_than else None

    links: dict[str, str] = await demo.until(read, 90)
    headers = await sign_in(links["sign_in"], links["origin"], "dana.meyer")
    async with httpx.AsyncClient(base_url=links["origin"], verify=False) as http, asyncio.timeout(60):
        dana = Client(http, "dana.meyer", headers)
        while not (cards := (await dana.get("/api/proposals"))["proposals"]):
            await asyncio.sleep(0.05)
    return links, headers, str(cards[0]["digest"])
