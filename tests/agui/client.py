"""AG-UI's own client, run by Node, as the tests drive it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.npm_packages import installed

HERE = Path(__file__).resolve().parent
CURRENT = "@ag-ui/client"
BEFORE = ("ag-ui-client-0-0-59", "ag-ui-client-0-0-58")
"""Clients from before 1.0 that front ends are still built with."""
Json = dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """What a client made of one run."""

    events: list[Json]
    error: str
    """What the client threw; empty when it was content."""
    complaints: list[str]
    """What the client said on its console: a conforming stream gives it no reason to say anything."""
    pending: list[Json]
    messages: list[Json]

    @property
    def kinds(self) -> list[str]:
        """The types of the events, in order."""
        return [event["type"] for event in self.events]

    @property
    def outcome(self) -> str:
        """How the run ended: success, cancelled, interrupt or error."""
        last = self.events[-1]
        return "error" if last["type"] == "RUN_ERROR" else str((last.get("outcome") or {}).get("type", "nothing"))

    @property
    def text(self) -> str:
        """All that the assistant said in this run."""
        return "".join(event["delta"] for event in self.events if event["type"] == "TEXT_MESSAGE_CONTENT")

    @property
    def cards(self) -> list[Json]:
        """The cards that were shown, each time anew."""
        return [event["content"] for event in self.events if event.get("activityType") == "proposal"]


class Agent:
    """One conversation as a client sees it."""

    def __init__(self, clients: Clients, name: str, thread: str, key: str) -> None:
        self._clients, self._name, self.thread, self.key = clients, name, thread, key
        self.pending: Sequence[Json] = ()

    def says(self, text: str) -> Ran:
        """Send a message and take in what comes until the run ends."""
        return self._ran(text=text)

    def answers(self, payload: Mapping[str, Any]) -> Ran:
        """Answer every open interrupt with a payload."""
        return self._resumes({"status": "resolved", "payload": dict(payload)})

    def cancels(self) -> Ran:
        """Answer every open interrupt with `cancelled`."""
        return self._resumes({"status": "cancelled"})

    def _resumes(self, answer: Mapping[str, Any]) -> Ran:
        assert self.pending, "no interrupt is open"
        return self._ran(answers={one["id"]: answer for one in self.pending})

    def _ran(self, **command: Any) -> Ran:
        answer = self._clients.do("run", name=self._name, **command)
        self.pending = answer["pending"]
        return Ran(answer["events"], answer["error"], answer["complaints"], answer["pending"], answer["messages"])


class Clients:
    """A Node process that has the clients."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process, self._numbers = process, count(1)

    def do(self, what: str, **command: Any) -> Json:
        """Give a command and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **command}) + "\n")
        self._process.stdin.flush()
        answer: Json = json.loads(self._process.stdout.readline())
        assert "failed" not in answer, answer
        return answer

    def agent(self, origin: str, key: str, client: str = CURRENT, thread: str = "") -> Agent:
        """Begin a conversation, or go on with the one of that name."""
        name = f"agent-{next(self._numbers)}"
        headers = {"Authorization": f"Bearer {key}"}
        made = self.do("agent", name=name, client=client, url=f"{origin}/api/agent", headers=headers, thread=thread)
        return Agent(self, name, str(made["thread"]), key)

    def objections(self, events: Sequence[Json], client: str = CURRENT) -> list[str]:
        """Put recorded events through a client's own checks; return all it has to say against them."""
        answer = self.do("verify", client=client, events=list(events))
        missing = [] if answer["error"] or answer["passed"] == len(events) else ["some events did not come through"]
        return [*answer["complaints"], *missing, *([answer["error"]] if answer["error"] else [])]


@contextmanager
def clients() -> Iterator[Clients]:
    """Start Node with the clients. Skips the test where they cannot be installed."""
    node, folder = installed(HERE)
    with subprocess.Popen(
        [node, str(HERE / "client.mjs"), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Clients(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
