"""Following the journal: whatever was decided, by whichever door, is gone on with here and shown to whoever watches."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from agent.api.hub import Hub
from agent.api.ports import Assistant
from agent.api.runs import Runs
from agent.core.errors import CountersignError
from agent.core.lifecycle import State
from agent.journal.chain import Entry

LOG = logging.getLogger("countersign.follow")
CONSOLE = "*console*"
"""No conversation can have this name: their streams and this one are apart, whatever a client calls its own."""
LOOK_SECONDS = 0.2
EXPIRE_SECONDS = 5.0
AFTER_TROUBLE_SECONDS = 1.0
DECIDED = {State.APPROVED, State.REJECTED, State.WITHDRAWN, State.EXPIRED}
CARD_STATES = frozenset(str(state) for state in State) | {"proposed"}


class Follower:
    """Reads the journal as it grows. One for each process that works on incidents."""

    def __init__(self, assistant: Assistant, runs: Runs, hub: Hub) -> None:
        self._assistant, self._runs, self._hub = assistant, runs, hub
        self._seq = int(assistant.journal.head().split(":")[0])

    async def follow(self) -> None:
        """Follow until cancelled, whatever fails on the way. What an earlier process left is gone on with first."""
        rounds, taken_up = 0, False
        while True:
            pause = LOOK_SECONDS
            try:
                if taken_up:
                    rounds += 1
                    self._look(due=rounds % round(EXPIRE_SECONDS / LOOK_SECONDS) == 0)
                else:
                    self._take_up()
                    taken_up = True
            except CountersignError as error:
                LOG.warning("the journal could not be followed: %s", error)
                pause = AFTER_TROUBLE_SECONDS
            except Exception:
                LOG.exception("the journal could not be followed")
                pause = AFTER_TROUBLE_SECONDS
            await asyncio.sleep(pause)

    def _take_up(self) -> None:
        self._runs.break_off_old()
        for incident in self._assistant.journal.live_incidents():
            current = self._assistant.journal.current(incident.id)
            if incident.state != "awaiting_approval" or (current and current.state is not State.AWAITING):
                self._runs.go_on(incident.id)

    def _look(self, due: bool) -> None:
        journal = self._assistant.journal
        if due:
            journal.expire(self._assistant.stamp())
        entries = journal.after(self._seq)
        if entries:
            self._seq = entries[-1].seq
            self._hub.publish(CONSOLE, [(one.seq, json.dumps(news)) for one in entries if (news := news_of(one))])
        if not entries and not due:
            return
        for incident_id in {one.incident for one in entries if one.event == "proposed"}:
            self._runs.card_changed(incident_id)
        for incident in journal.live_incidents():
            if incident.state == "executing" and due:
                self._runs.go_on(incident.id)  # nobody works on it any more: that broke off, and is taken up here
            if incident.state != "awaiting_approval":
                continue
            current = journal.current(incident.id)
            if current is not None and current.state is not State.AWAITING:
                self._runs.go_on(incident.id)


def news_of(entry: Entry) -> dict[str, Any] | None:
    """Return what a journal entry is to somebody who looks at lists: which incident or card changed, nothing more."""
    data = json.loads(entry.data)
    if entry.event in CARD_STATES and data.get("digest"):
        state = "awaiting" if entry.event == "proposed" else entry.event
        return {"type": "proposal", "digest": data["digest"], "incident": entry.incident, "state": state}
    if entry.event.endswith(("_stopped", "_resumed")) and not entry.incident:
        return {"type": "stop"}
    if entry.event.startswith("incident_"):
        return {"type": "incident", "id": entry.incident, "state": entry.event.removeprefix("incident_")}
    return None
