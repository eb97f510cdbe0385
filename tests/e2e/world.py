"""The whole assistant on a real lab, as the demo puts it together, and the demo itself as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

from agent.app import App, open_app
from agent.approvals.client import ask
from agent.core.event import Event
from agent.core.lifecycle import Decision
from agent.journal.store import Incident, Journal, StoredProposal
from agent.settings import Settings, load
from agent.signing import approvals_process
from agent.stage import configure, write_people
from evals.lab.lab import Lab

HERE = Path(__file__).resolve().parents[2]


class Assistant:
    """An open app on a lab, with everything it said."""

    def __init__(self, app: App, lab: Lab, settings: Settings, events: list[Event]) -> None:
        self.app, self.lab, self.settings, self.events = app, lab, settings, events

    async def file(self, subject: str, body: str | bytes, service: str = "", requester: str = "ines.costa") -> str:
        """File a ticket at the desk and return its number."""
        command = [sys.executable, "-m", "mcp_servers.tickets", "--database", str(self.settings.tickets), "create"]
        command += ["--subject", subject, "--requester", requester, "--body-file", "-"]
        command += ["--service", service] if service else []
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await process.communicate(body if isinstance(body, bytes) else body.encode())
        assert process.returncode == 0, err.decode()
        return str(json.loads(out)["ticket"])

    async def take(self, subject: str, body: str | bytes, service: str = "") -> Incident:
        """File a ticket and let the assistant work on it."""
        return await self.app.take_ticket(await self.file(subject, body, service))

    def proposal(self, incident: Incident) -> StoredProposal | None:
        """Return the newest proposal of an incident."""
        return self.app.context.journal.current(incident.id)

    async def decide(self, stored: StoredProposal, person: str, decision: Decision = "approve") -> dict[str, Any]:
        """Decide at the approvals process."""
        return await ask(self.settings.socket, stored.digest, decision, person, "", "test")

    async def notes(self, incident: Incident) -> list[str]:
        """Return the notes that stand on the incident's ticket."""
        listed = await self.app.context.tickets._server.call("list_ticket_notes", {"ticket": incident.ticket}, 10)
        return [str(note["text"]) for note in listed["notes"]]

    def said(self, incident: Incident) -> str:
        """Return the last note that was put down for an incident, written to a ticket or not."""
        entries = self.app.context.journal.entries(incident.id)
        return [str(json.loads(one.data)["text"]) for one in entries if one.event == "note_due"][-1]


@asynccontextmanager
async def assistant(lab: Lab, directory: Path, pages: Path | None = None) -> AsyncIterator[Assistant]:
    """Open the assistant on a running lab, with an approvals process of its own."""
    directory.mkdir(exist_ok=True)
    settings = configure(directory, fresh=True)
    text = settings.file.read_text(encoding="utf-8").replace(str(settings.inventory), str(lab.inventory))
    settings.file.write_text(text, encoding="utf-8")
    settings = load(settings.file)
    write_people(settings, lab)
    if pages is not None:
        text = settings.file.read_text(encoding="utf-8")
        lines = [f"folders = [{json.dumps(str(pages))}]" if x.startswith("folders") else x for x in text.splitlines()]
        settings.file.write_text("\n".join(lines), encoding="utf-8")
        settings = load(settings.file)
    events: list[Event] = []
    async with approvals_process(settings) as signing:
        await signing()
        async with open_app(settings, events.append) as app:
            yield Assistant(app, lab, settings, events)


class Demo:
    """`countersign demo` as a process of its own."""

    def __init__(
        self, directory: Path, *arguments: str, stdin: int = subprocess.DEVNULL, home: Path | None = None
    ) -> None:
        self.directory = directory
        environment = dict(os.environ) | ({"COUNTERSIGN_DEMO_HOME": str(home)} if home else {})
        place = [] if home else ["--dir", str(directory)]
        handle, name = tempfile.mkstemp(prefix="demo-", suffix=".txt")
        self.output = Path(name)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", "demo", "--script", *place, *arguments],
            stdin=stdin, stdout=handle, stderr=subprocess.STDOUT, cwd=HERE, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(handle)

    def text(self) -> str:
        """Return what it printed so far."""
        return self.output.read_text(encoding="utf-8")

    def wait(self, seconds: float = 90) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(seconds)

    def until(self, what: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until something holds; fail with what was printed when it does not."""
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.text()
            assert self.process.poll() is None, self.text()
            time.sleep(0.05)

    def says(self, words: str) -> None:
        """Wait until it has printed some words."""
        self.until(lambda: words in self.text())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the demo's process alone."""
        self.process.send_signal(number)


def processes_of(directory: Path) -> list[str]:
    """Return the command lines of the processes that work in a directory (Linux: /proc)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in line and "pytest" not in line:
            found.append(line)
    return found


def none_left(directory: Path, seconds: float = 20) -> list[str]:
    """Wait until no process works in a directory any more; return those that still do."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(directory)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def countersign(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with the demos kept in `home`."""
    environment = dict(os.environ) | {"COUNTERSIGN_DEMO_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=HERE,
        env=environment,
        timeout=90,
        check=False,
    )


@contextmanager
def journal_of(directory: Path) -> Iterator[Journal]:
    """Open the journal of a demo."""
    journal = Journal(directory / "assistant" / "state" / "journal.db")
    try:
        yield journal
    finally:
        journal.close()


def operations(directory: Path) -> list[str]:
    """Return the states of the operations in the remediation server's own journal."""
    with closing(sqlite3.connect(directory / "assistant" / "state" / "remediation.db")) as raw:
        return [str(row[0]) for row in raw.execute("SELECT state FROM operations")]
