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

from agent.core.lifecycle import State
from agent.journal.store import Journal
from evals.lab.faults import FAULTS
from tests.agent.api import agui
from tests.agent.api.client import DETACHED, Client, ended, problem, said, shows
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


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def broken(place: Place) -> AsyncIterator[None]:
    """The application is stopped."""
    await asyncio.to_thread(FAULT.inject, place.lab)
    yield
    await asyncio.to_thread(FAULT.undo, place.lab)


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


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_card_is_there_again_after_a_restart_and_is_carried_out_once(place: Place, how: signal.Signals) -> None:
    async with place.served(how):
        run = await place.dana.say(report(place))
        (interrupt,) = run.interrupts
        digest = interrupt["metadata"]["digest"]
        before = await place.dana.card(digest)
        await place.dana.post("/api/stop", {"level": "effects", "reason": "over lunch"})
    async with place.served():
        whole = [one.event for one in await place.dana.whole(run.thread)]
        assert whole == run.events, "the conversation is what it was"
        after = await place.dana.card(digest)
        assert after["state"] == "awaiting" and after["shown"] == before["shown"]
        assert (await place.dana.get("/api/me"))["stopped"]["effects"]["reason"] == "over lunch"
        problem(await place.sam.decide(digest, "approve"), 409, "stopped")
        await place.dana.ask("DELETE", "/api/stop", params={"level": "effects"})
        async with place.dana.watch(run.thread, after=None) as stream:
            await stream.caught_up()
            answers = await asyncio.gather(
                place.sam.decide(digest, "approve", shown=before["shown"]), place.dana.decide(digest, "approve")
            )
            assert sorted(one.status_code for one in answers) == [200, 409]
            await stream.until(shows(digest, "verified"))
            await stream.until(ended, after=stream.number_of(shows(digest, "verified")))
            agui.check_thread(stream.events)
        assert operations(place, digest) == ["finished"]
        assert (await asyncio.to_thread(FAULT.oracle, place.lab)).ok
    with journal_of(place) as journal:
        assert journal.verify()[2] is None and journal.disagreements() == []
        assert [one.event for one in journal.entries(before["incident"])].count("executing") == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_a_run_that_was_cut_is_told_as_cut_and_its_incident_goes_on_to_the_card(
    place: Place, how: signal.Signals
) -> None:
    thread = f"cut-by-{how.name.lower()}"
    async with place.served(how) as process:
        given = said(report(place), thread)
        with paused("mcp_servers.diagnostics", place):
            stream = place.dana.stream("POST", "/api/agent", json=given, headers={"Accept": "text/event-stream"})
            async with stream as run:
                await run.until(lambda one: one["type"] == "TOOL_CALL_END")
                seen = run.last
                incident = (await place.dana.get("/api/incidents"))["incidents"][0]
                assert incident["state"] == "investigating", incident
            await process.end(how)
    async with place.served():
        async with place.dana.watch(thread, after=seen) as rest:
            broken = await rest.until(lambda one: one["type"] == "RUN_ERROR")
            assert broken["code"] == "restarted" and "restarted" in broken["message"]
            end = await rest.until(ended, after=rest.number_of(lambda one: one["type"] == "RUN_ERROR"))
        whole = [one.event for one in await place.dana.whole(thread)]
        agui.check_thread(whole)
        assert agui.runs_of(whole)[0][-1] == broken and whole[0]["input"]["messages"] == given["messages"]
        digest = end["outcome"]["interrupts"][0]["metadata"]["digest"]
        text = "".join(one["delta"] for one in agui.of(agui.runs_of(whole)[1], "TEXT_MESSAGE_CONTENT"))
        assert "is not running" in text and agui.activities(whole, "sources"), "it is told what was found after all"
        repeated = await place.dana.post("/api/agent", given, headers=DETACHED)
        assert repeated.status_code == 202, "sent again by a client that lost the answer: the same run, not a new one"
        newest = (await place.dana.get("/api/incidents"))["incidents"][0]
        assert newest["id"] == incident["id"] and newest["open_card"] == digest
        assert (await place.sam.decide(digest, "reject", reason="a drill")).status_code == 200
        await place.dana.until_card(digest, "rejected")
        assert operations(place, digest) == []


async def test_an_approval_that_nobody_had_begun_to_carry_out_is_carried_out_once_after_a_kill(place: Place) -> None:
    async with place.served(signal.SIGKILL):
        run = await place.dana.say(report(place))
        digest, incident = run.interrupts[0]["metadata"]["digest"], run.cards[0]["incident"]
        # Somebody else works on the incident: whoever goes on with it waits for this.
        with (place.settings.state / "run" / f"{incident}.lock").open("a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert (await place.sam.decide(digest, "approve")).status_code == 200
            assert (await place.dana.card(digest))["state"] == "approved"
    async with place.served():
        await place.dana.until_card(digest, "verified")
        whole = [one.event for one in await place.dana.whole(run.thread)]
        assert operations(place, digest) == ["finished"]
        states = [one["state"] for one in agui.activities(whole, "proposal")]
        assert (states[0], states[-1]) == ("awaiting", "verified")
    with journal_of(place) as journal:
        assert [one.event for one in journal.entries(incident)].count("approved") == 1
        assert journal.proposal(digest).state is State.VERIFIED


async def test_one_installation_has_one_server_and_it_answers_before_it_is_ready(place: Place) -> None:
    first = Process("serve", "--config", str(place.settings.file))
    try:

        async def asked() -> httpx.Response | None:
            try:
                return await place.http.get("/healthz")
            except httpx.TransportError:
                return None

        async with asyncio.timeout(30):
            while (alive := await asked()) is None:
                await asyncio.sleep(0.02)
        assert alive.json() == {"status": "ok"}
        early = await place.http.get("/readyz")
        assert early.status_code in {200, 503}
        second = Process("serve", "--config", str(place.settings.file), "--port", "0")
        assert await asyncio.to_thread(second.process.wait, 30) == 2
        assert "another server works with" in second.text() and "Traceback" not in second.text()
        await second.end(signal.SIGKILL)
        await place.ready(first)
        assert (await first.until(lambda: f"Ready: {place.origin}" in first.text())) and "Traceback" not in first.text()
    finally:
        assert await first.end(signal.SIGTERM) == 0


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
