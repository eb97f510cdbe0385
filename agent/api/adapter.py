"""From what happens on the path to AG-UI 1.0 events (https://docs.ag-ui.com), by the protocol's own models.

One adapter is one run. Everything it returns is plain JSON, ready for the log; it opens and closes steps, tool calls
and texts in pairs, so that any conforming client can follow.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ag_ui.core import (
    ActivitySnapshotEvent,
    BaseEvent,
    CustomEvent,
    Interrupt,
    RunAgentInput,
    RunErrorEvent,
    RunFinishedCancelledOutcome,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunFinishedOutcome,
    RunFinishedSuccessOutcome,
    RunStartedEvent,
    StepFinishedEvent,
    StepStartedEvent,
    TextMessageContentEvent,
    TextMessageEndEvent,
    TextMessageStartEvent,
    ToolCallArgsEvent,
    ToolCallEndEvent,
    ToolCallResultEvent,
    ToolCallStartEvent,
    UserMessage,
)
from ag_ui.core import Message as AnyMessage

from agent.core.event import Event
from agent.core.proposal import canonical_bytes

PROTOCOL = "1.0"
PIECE = 240
"""About how many characters of a finished text go into one event."""
RESPONSE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "approved": {"type": "boolean"},
        "editedArgs": {"type": "object", "description": "all parameters anew; makes another proposal"},
        "decision": {"enum": ["approve", "reject", "edit", "ask"]},
        "reason": {"type": "string"},
        "question": {"type": "string"},
        "shown": {"type": "string", "description": "the card's fingerprint as it was displayed"},
    },
}

Json = dict[str, Any]


class Adapter:
    """Turns one run's happenings into events."""

    def __init__(self, thread: str, run: str) -> None:
        self.thread, self.run = thread, run
        self._step = ""
        self._open_calls: dict[str, str] = {}
        self._calls: Counter[str] = Counter()
        self._number = 0

    def started(self, at: str, message: tuple[str, str] | None) -> list[Json]:
        """Begin the run; `message` is (id, text) of what the person said, None where nobody said anything."""
        said: list[AnyMessage] = [UserMessage(id=message[0], content=message[1])] if message else []
        # Clients from before 1.0 take no input without tools and context; we use neither.
        own = RunAgentInput(
            thread_id=self.thread, run_id=self.run, messages=said, tools=[], context=[], protocol_version=PROTOCOL
        )
        return _plain(
            RunStartedEvent(
                thread_id=self.thread,
                run_id=self.run,
                protocol_version=PROTOCOL,
                input=own if message else None,
                metadata={"at": at},
            )
        )

    def take_up(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Learn from the events of a run what it left open when it broke off, so that its end can close that."""
        for event in events:
            match event["type"]:
                case "STEP_STARTED":
                    self._step = event["stepName"]
                case "STEP_FINISHED":
                    self._step = ""
                case "TOOL_CALL_START":
                    self._open_calls[event["toolCallId"]] = event["toolCallId"]
                case "TOOL_CALL_RESULT":
                    self._open_calls.pop(event["toolCallId"], None)

    def of(self, event: Event) -> list[Json]:
        """Return what a happening on the path is in events; nothing for what is told otherwise."""
        data = event.data
        match event.kind:
            case "step":
                return self.step(data["name"], data["says"])
            case "service":
                return _plain(_activity(f"{self.run}-service", "service", data))
            case "checking":
                return self._calling(data["id"], data["tool"], data["args"], data["server"], read_only=True)
            case "check":
                return self._called(data)
            case "state" if data["state"] == "executing":
                return self.step("execute", data["says"])
            case "verify":
                return self._verified(data)
            case "warning":
                return self.notice("warning", str(data["says"]))
        return []

    def step(self, name: str, says: str) -> list[Json]:
        """Begin a step; the one before is over."""
        ended = self._end_step()
        self._step = name
        return [*ended, *_plain(StepStartedEvent(step_name=name, metadata={"says": says}))]

    def _end_step(self) -> list[Json]:
        ended = self._end_calls()
        if self._step:
            ended += _plain(StepFinishedEvent(step_name=self._step))
            self._step = ""
        return ended

    def _call_id(self, evidence: str) -> str:
        """Return an id that no call of this run has had: what was ended for want of an answer may still be answered."""
        self._calls[evidence] += 1
        again = self._calls[evidence]
        return f"{self.run}-{evidence}" + (f"-{again}" if again > 1 else "")

    def _calling(self, evidence: str, tool: str, args: Mapping[str, Any], server: str, read_only: bool) -> list[Json]:
        before = self._open_calls.pop(evidence, "")
        ended = _result(before, "no answer came", {"isError": True}) if before else []
        call = self._call_id(evidence)
        self._open_calls[evidence] = call
        about = {"readOnly": read_only, "mcpServer": server}
        return ended + _plain(
            ToolCallStartEvent(tool_call_id=call, tool_call_name=tool, metadata=about),
            ToolCallArgsEvent(tool_call_id=call, delta=canonical_bytes(dict(args)).decode()),
            ToolCallEndEvent(tool_call_id=call),
        )

    def _called(self, data: Mapping[str, Any]) -> list[Json]:
        began: list[Json] = []
        if data["id"] not in self._open_calls:
            began = self._calling(data["id"], data["tool"], data["args"], data["server"], read_only=True)
        call = self._open_calls.pop(data["id"])
        about = {"ms": data["took_ms"], "isError": not data["made"], "evidence": data["id"]}
        return began + _result(call, data["says"], about)

    def _verified(self, data: Mapping[str, Any]) -> list[Json]:
        args = {"service": data["service"]}
        began = self._calling(data["id"], data["tool"], args, "diagnostics", read_only=True)
        call = self._open_calls.pop(data["id"])
        mark = "as it should be" if data["ok"] else "not as it should be" if data["known"] else "could not be checked"
        return began + _result(call, f"{mark}: {data['says']}", {"isError": not data["known"], "ok": data["ok"]})

    def _end_calls(self) -> list[Json]:
        """Give every call that was begun an end: a run that broke off leaves no call open."""
        ended: list[Json] = []
        for call in self._open_calls.values():
            ended += _result(call, "no answer came", {"isError": True})
        self._open_calls.clear()
        return ended

    def sources(self, sources: Sequence[Mapping[str, Any]], similar: Sequence[Mapping[str, Any]]) -> list[Json]:
        """Show what the following text cites."""
        if not sources and not similar:
            return []
        self._number += 1
        content = {"sources": list(sources), "similar": list(similar)}
        return _plain(_activity(f"{self.run}-sources-{self._number}", "sources", content))

    def text(self, text: str) -> list[Json]:
        """Say something, in pieces that end where words end."""
        self._number += 1
        message = f"{self.run}-text-{self._number}"
        pieces = [piece for piece in re.findall(rf"(?s).{{1,{PIECE}}}(?:\s|$)|.{{1,{PIECE}}}", text) if piece]
        if not pieces:
            return []
        return _plain(
            TextMessageStartEvent(message_id=message, role="assistant"),
            *(TextMessageContentEvent(message_id=message, delta=piece) for piece in pieces),
            TextMessageEndEvent(message_id=message),
        )

    def notice(self, level: str, says: str) -> list[Json]:
        """Tell something beside the conversation."""
        return _plain(CustomEvent(name="countersign.notice", value={"level": level, "says": says}))

    def card(self, card: Mapping[str, Any]) -> list[Json]:
        """Show a card, or how it stands now."""
        return _plain(_activity(f"card-{card['digest']}", "proposal", card, replace=True))

    def finished(self, cards: Sequence[Mapping[str, Any]] = ()) -> list[Json]:
        """End the run: with an interrupt for each card that waits for a person, else as a success."""
        outcome: RunFinishedOutcome
        if cards:
            outcome = RunFinishedInterruptOutcome(interrupts=[self._interrupt(card) for card in cards])
        else:
            outcome = RunFinishedSuccessOutcome()
        return self._finish(outcome)

    def cancelled(self) -> list[Json]:
        """End the run because a person stopped it."""
        return self._finish(RunFinishedCancelledOutcome())

    def _finish(self, outcome: RunFinishedOutcome) -> list[Json]:
        return [
            *self._end_step(),
            *_plain(RunFinishedEvent(thread_id=self.thread, run_id=self.run, outcome=outcome)),
        ]

    def failed(self, code: str, message: str, correlation: str = "") -> list[Json]:
        """End the run with an error, in our words alone."""
        about = {"correlation": correlation} if correlation else None
        return [*self._end_step(), *_plain(RunErrorEvent(message=message, code=code, metadata=about))]

    def _interrupt(self, card: Mapping[str, Any]) -> Interrupt:
        return Interrupt(
            id=f"{card['digest']}.{secrets.token_hex(4)}",
            reason="confirmation",
            message=f"{card['headline']} (risk {card['risk']['level']}). Nothing runs until a person approves it.",
            expires_at=card["expires_at"],
            response_schema=RESPONSE_SCHEMA,
            metadata={"digest": card["digest"], "card": dict(card)},
        )


def digest_of_interrupt(interrupt: str) -> str:
    """Return the proposal that an interrupt is about: one interrupt is one proposal that never changes."""
    return interrupt.rpartition(".")[0]


def _activity(message: str, kind: str, content: Mapping[str, Any], replace: bool = False) -> ActivitySnapshotEvent:
    return ActivitySnapshotEvent(
        message_id=message, activity_type=kind, content=dict(content), replace=True if replace else None
    )


def _result(call: str, says: str, about: Mapping[str, Any]) -> list[Json]:
    return _plain(
        ToolCallResultEvent(message_id=f"{call}-result", tool_call_id=call, content=says, metadata=dict(about))
    )


def _plain(*events: BaseEvent) -> list[Json]:
    return [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in events]
