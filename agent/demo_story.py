"""The demo's story, told at a terminal: what breaks, what the assistant makes of it, who decides, what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from agent import settings as rules
from agent.approvals.client import ask
from agent.company.lab import file_ticket
from agent.core.errors import CountersignError, Refused
from agent.core.event import Event
from agent.core.lifecycle import Decision, State
from agent.stage import lab_services, on_stage
from agent.terminal import Terminal
from evals.lab.faults import FAULTS, Fault
from evals.lab.lab import Lab

if TYPE_CHECKING:
    from agent.app import App
    from agent.company.browser import BrowserSide
    from agent.demo import Options
    from agent.journal.store import Incident, StoredProposal

DONE, NOT_WELL, WAITS = 0, 1, 3
POLL_SECONDS = 0.3


async def tell(options: Options, directory: Path, browser: BrowserSide | None, started: float) -> int:
    """Put the stage up, tell the story on it, and take it down; return the exit code."""
    if options.fault is not None and options.fault not in FAULTS:
        raise CountersignError(f"there is no fault {options.fault!r}; choose one of {', '.join(FAULTS)}")
    terminal = Terminal(options.as_json)
    async with AsyncExitStack() as stack:
        lab, settings, app = await stack.enter_async_context(
            on_stage(directory, options.estate, terminal, options.keep, browser.serving if browser else "")
        )
        if browser:
            await stack.enter_async_context(browser.show(lab, settings, app))
        terminal.say(
            f"Ready after {monotonic() - started:.1f} s: {', '.join(lab_services(lab))} are running in {directory}.",
            "dim",
        )
        if browser:
            terminal.heading("Open in a browser")
            terminal.say(f"  sign in     {browser.sign_in}")
            terminal.say(
                f"  company     {browser.company}   a page with the widget on it, and buttons that break things"
            )
        story = Story(options, terminal, app, lab, settings)
        code = await story.tell()
        if browser and not story.interactive and not options.approve_as:
            terminal.say("Serving until Ctrl-C or a polite kill.")
            await asyncio.Event().wait()
        return code


class Story:
    """One demo, told in the terminal."""

    def __init__(self, options: Options, terminal: Terminal, app: App, lab: Lab, settings: rules.Settings) -> None:
        self.options, self.terminal, self.app, self.lab, self.settings = options, terminal, app, lab, settings
        self.interactive = sys.stdin.isatty() and not options.as_json
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()

    async def tell(self) -> int:
        """Go on with what waits from before, or break something; then, at a terminal, ask what next."""
        with self._keyboard():
            waiting = self.app.context.journal.live_incidents()
            if waiting:
                # The one that waits for a person first: that is what the person came back for.
                waiting.sort(key=lambda one: one.state != "awaiting_approval")
                self.terminal.heading(f"{waiting[0].id} still waits from before")
                if self.options.fault:
                    self.terminal.say(f"That comes first; {self.options.fault} is not broken in this run.")
                code = await self._to_the_end(waiting[0])
            else:
                code = await self._break(FAULTS[self.options.fault or next(iter(FAULTS))])
            while self.interactive and not self.options.script and not self.options.approve_as:
                choice = await self._choose()
                if choice is None:
                    break
                code = await (self._question(choice) if isinstance(choice, str) else self._break(choice))
        return code

    async def _question(self, text: str) -> int:
        """Answer what a person asked at the prompt, as `countersign ask` would."""
        incident = await self.app.take_question(text, requester=self.lab.estate.requesters[0])
        if incident.state == "awaiting_approval":
            return await self._to_the_end(incident)
        self.terminal.quote(incident.id, self._notes(incident)[-1])
        return DONE

    def _notes(self, incident: Incident) -> list[str]:
        entries = self.app.context.journal.entries(incident.id)
        return [json.loads(one.data)["text"] for one in entries if one.event == "note_due"]

    async def _choose(self) -> Fault | str | None:
        self.terminal.heading("What next?")
        names = list(FAULTS)
        for number, name in enumerate(names, 1):
            self.terminal.say(f"  {number}  break something else: {FAULTS[name].summary}")
        self.terminal.say("  q  stop the lab and end; anything longer is a question, answered from pages and systems")
        while True:
            answer = await self._line("> ")
            if answer is None or answer in {"q", "quit", "exit"}:
                return None
            if answer in names or (answer.isdigit() and 1 <= int(answer) <= len(names)):
                return FAULTS[answer] if answer in names else FAULTS[names[int(answer) - 1]]
            if len(answer.split()) > 1:
                return answer
            self.terminal.say(f"Please type a number from 1 to {len(names)}, a question of some words, or q.")

    async def _break(self, fault: Fault) -> int:
        """Break the estate, file the ticket, and follow it to its end."""
        terminal, options = self.terminal, self.options
        before = await asyncio.to_thread(fault.oracle, self.lab)
        if not before.ok:
            terminal.say(f"The estate is not well before anything was broken ({before.says}); mending it first.")
            for one in FAULTS.values():
                await asyncio.to_thread(one.undo, self.lab)
        terminal.heading("Something breaks")
        terminal.say(f"{fault.summary[0].upper()}{fault.summary[1:]}.")
        await asyncio.to_thread(fault.inject, self.lab, options.variant)
        broken = await asyncio.to_thread(fault.oracle, self.lab)
        terminal.say(f"Seen from outside, as a user: {broken.says}.")
        written = fault.ticket(self.lab.estate, options.variant)
        number = await file_ticket(
            self.settings, written.subject, written.body, written.requester, written.service or ""
        )
        if terminal.as_json:
            terminal.line({"event": "ticket", "ticket": number, **asdict(written)})
        terminal.quote(f"{number}, from {written.requester}: {written.subject}", written.body)
        terminal.heading("Countersign reads the ticket")
        started = monotonic()
        incident = await self.app.take_ticket(number)
        terminal.say(
            f"{monotonic() - started:.1f} s from ticket to "
            f"{'card' if incident.state == 'awaiting_approval' else 'note'}.",
            "dim",
        )
        return await self._to_the_end(incident, fault)

    async def _to_the_end(self, incident: Incident, fault: Fault | None = None) -> int:
        """Follow an incident through the decision to its outcome."""
        journal, terminal = self.app.context.journal, self.terminal
        stored = journal.current(incident.id)
        if stored is None:
            incident = await self.app.resume(incident.id)
            stored = journal.current(incident.id)
        elif incident.state == "awaiting_approval" and fault is None:
            terminal.show(
                Event("card", {"digest": stored.digest, "proposal": stored.proposal.to_json(), "beside": stored.card})
            )
        if stored is None:
            terminal.say("Nothing is proposed; the note on the ticket says what was looked at and what is missing.")
            return NOT_WELL
        if stored.state is State.AWAITING and not await self._decision(stored):
            terminal.say(
                f"The proposal waits for a person until {stored.expires_at}; nothing was changed. Approve with "
                f"`countersign demo` at a terminal, or --approve-as NAME."
            )
            return WAITS
        incident = await self.app.resume(incident.id)
        stored = journal.proposal(stored.digest)
        terminal.ended(str(stored.state))
        return await self._closing(incident, stored, fault)

    async def _closing(self, incident: Incident, stored: StoredProposal, fault: Fault | None) -> int:
        """Show the note on the ticket, the oracle's word and the journal's head; return the exit code."""
        terminal = self.terminal
        look = fault or next(iter(FAULTS.values()))
        seen = await asyncio.to_thread(look.oracle, self.lab)
        terminal.heading("Written down")
        notes = self._notes(incident)
        if notes:
            terminal.quote(f"the note on {incident.ticket}", notes[-1])
        head, count, broken = self.app.context.journal.verify()
        terminal.say(f"Seen from outside, as a user: {seen.says}.", "" if seen.ok else "red")
        terminal.say(
            f"Journal: {count} entries, chain {'whole' if broken is None else 'BROKEN'}, head {count}:{head[:16]}.",
            "dim",
        )
        good = stored.state is State.VERIFIED and seen.ok and broken is None
        if terminal.as_json:
            terminal.line(
                {
                    "event": "result",
                    "incident": incident.id,
                    "ticket": incident.ticket,
                    "state": str(stored.state),
                    "service_well": seen.ok,
                    "digest": stored.digest,
                    "approver": stored.approver,
                    "ok": good,
                }
            )
        return DONE if good else NOT_WELL

    async def _decision(self, stored: StoredProposal) -> bool:
        """Get a person's decision. True when there is one, from here or from elsewhere."""
        if self.options.approve_as:
            await self._ask(stored, "approve", self.options.approve_as, "approved with --approve-as in the demo's lab")
            return True
        if not self.interactive:
            return False
        people = list(stored.card.get("may_approve", []))
        person = people[0] if people else ""
        word = "a" if stored.proposal.risk == "low" else "approve"
        while True:
            self.terminal.say(
                f"You decide as {person or 'nobody'}. Type `{word}` to countersign exactly this, `r` to "
                f"reject, `as NAME` to decide as somebody else, `q` to leave it."
            )
            answer = await self._line("> ", stored.digest)
            if answer is None or answer in {"q", "quit"}:
                return self._state(stored) is not State.AWAITING
            if self._state(stored) is not State.AWAITING:
                self.terminal.say(f"Decided elsewhere: {self._state(stored)}.")
                return True
            try:
                if answer.startswith("as "):
                    person = answer[3:].strip()
                elif answer == word or (answer == "approve"):
                    await self._ask(stored, "approve", person, "")
                    return True
                elif answer in {"r", "reject"}:
                    await self._ask(stored, "reject", person, await self._line("Why? ") or "")
                    return True
            except Refused as refusal:
                self.terminal.say(f"Refused: {refusal}.", "red")

    def _state(self, stored: StoredProposal) -> State:
        return self.app.context.journal.proposal(stored.digest).state

    async def _ask(self, stored: StoredProposal, decision: Decision, person: str, reason: str) -> None:
        await ask(self.settings.socket, stored.digest, decision, person, reason, "demo")

    @contextlib.contextmanager
    def _keyboard(self) -> Iterator[None]:
        """Read lines without blocking anything, so that a decision made elsewhere is noticed while we wait."""
        if not self.interactive:
            yield
            return
        loop = asyncio.get_running_loop()

        def ready() -> None:
            line = sys.stdin.readline()
            self.lines.put_nowait(line.strip() if line else None)
            if not line:
                loop.remove_reader(sys.stdin)

        loop.add_reader(sys.stdin, ready)
        try:
            yield
        finally:
            loop.remove_reader(sys.stdin)

    async def _line(self, prompt: str, digest: str = "") -> str | None:
        """Return the next line typed, None at the end of input; with `digest`, an empty line once it is decided."""
        self.terminal.console.print(prompt, end="")
        while True:
            try:
                return await asyncio.wait_for(self.lines.get(), POLL_SECONDS)
            except TimeoutError:
                if digest:
                    self.app.context.journal.expire(self.app.context.stamp())
                    if self.app.context.journal.proposal(digest).state is not State.AWAITING:
                        return ""
