"""Runs: what goes on in a conversation, detached from whoever watches. A viewer that leaves loses the view alone."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from agent.api.adapter import Adapter, Json
from agent.api.cards import Card, card_of
from agent.api.hub import Hub
from agent.api.log import Log, Thread
from agent.api.ports import Assistant
from agent.chat.answers import Answer, answer, first_answer, outcome_answer, passages_answer
from agent.chat.intents import Kind, Recogniser
from agent.chat.normal import folded, plain_words
from agent.chat.patterns import REPORT
from agent.chat.story import Story
from agent.core.display import inert, one_line
from agent.core.errors import CountersignError, Refused
from agent.core.estate import Estate
from agent.core.event import Event
from agent.core.evidence import summary
from agent.core.lifecycle import State
from agent.journal.store import LIVE, Incident

LOG = logging.getLogger("countersign.runs")
MOST_AT_ONCE = 4
"""Runs one person may have going on side by side."""
MOST_CHARACTERS = 20_000
AGAIN_SECONDS = 30.0
JOIN_SECONDS = 3.0
"""How long going on with an incident waits for the conversations about it that are busy: they see the end of it."""
SMALL_TALK = {Kind.GREETING, Kind.THANKS, Kind.HELP}
"""What can be answered before there is anything to talk about."""
MODEL = False
"""No language model is configured: what no intent knows gets passages and evidence, and is told so."""
UNFINISHED = {"open", "investigating"}
BEING_CARRIED_OUT = {State.APPROVED, State.EXECUTING, State.EXECUTED}
"""From the approval to the end of the checks: what a person said yes to is not left half done."""
_TICKET = re.compile(
    r"(?:please\s+)?(?:look\s+at\s+|check\s+)?(?:ticket\s+)?#?([A-Za-z]{1,10}-\d{1,12})[.?!]?", re.IGNORECASE
)


@dataclass(frozen=True)
class Message:
    """What a person said, and under which id their client keeps it."""

    id: str
    text: str


class _Run:
    """One run of one conversation, writing to its log and to whoever listens."""

    def __init__(self, log: Log, hub: Hub, thread: str, run: str) -> None:
        self._log, self._hub, self.thread, self.id = log, hub, thread, run
        self.adapter = Adapter(thread, run)

    def write(self, events: Sequence[Json], ends: str = "") -> None:
        """Write events down, then hand them on: nobody sees what is not stored."""
        if events or ends:
            self._hub.publish(self.thread, self._log.append(self.thread, self.id, events, ends))

    def watch(self, event: Event) -> None:
        """Show a happening on the path."""
        self.write(self.adapter.of(event))


class Runs:
    """Starts, stops and ends runs; one at a time in a conversation, one at a time on an incident."""

    def __init__(self, log: Log, hub: Hub, assistant: Assistant, recogniser: Recogniser) -> None:
        self._log, self._hub, self._assistant, self._recogniser = log, hub, assistant, recogniser
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._people: dict[str, str] = {}
        self._thread_task: dict[str, asyncio.Task[None]] = {}
        self._driven: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._joining: set[str] = set()
        """Runs that have begun and wait for those of other conversations, to show the same together."""
        self._opened: dict[str, str] = {}
        """The incident that each conversation's run has opened and works on: what ends when that run is stopped."""

    @property
    def going_on(self) -> int:
        """How many runs go on now."""
        return len(self._tasks)

    # What people start -------------------------------------------------------------------------------------------

    def say(self, thread: Thread, run: str, message: Message, person: str) -> None:
        """Begin to answer what a person said. Refused with `busy`, `repeated` or `too_many`."""
        text = inert(message.text, MOST_CHARACTERS).strip()
        if not text:
            raise Refused("bad_request", "there is no text in this message; say what is wrong, in a sentence")
        self.not_too_many(person)
        one = self._begin(thread.id, run, thread.incident, Message(message.id, text))
        self._start(one, self._answer(one, thread, text, person), person)

    def not_too_many(self, person: str) -> None:
        """Return when a person may have one more run; Refused with `too_many` otherwise."""
        if sum(who == person for who in self._people.values()) >= MOST_AT_ONCE:
            raise Refused("too_many", f"{MOST_AT_ONCE} of your conversations are being worked on; wait for one of them")

    def ask(self, thread: Thread, run: str, incident: str, message: Message, person: str) -> None:
        """Begin to answer a question about an incident's card; the conversation is about that incident from now on."""
        self.say(replace(thread, incident=incident), run, message, person)
        self._log.turn_to(self._assistant.stamp(), thread.id, run, incident)

    def show(self, thread: Thread, person: str, ticket: str = "") -> None:
        """Begin a run that shows the incident a conversation is about, or works on a ticket. Refused `too_many`."""
        self.not_too_many(person)
        one = self._begin(thread.id, new_run(), thread.incident, None)
        work: Awaitable[object] = (
            self._take_ticket(one, thread, ticket) if ticket else self._tell(one, thread.incident, whole=True)
        )
        self._start(one, work, person)

    def decided(
        self, thread: Thread, run: str, incident: str, decision: Callable[[], Awaitable[bool]], person: str
    ) -> None:
        """Begin a run that a resume asks for: take the decision, then go on with the incident where that returns True.

        The incident may be one that the conversation was about before.
        """
        one = self._begin(thread.id, run, incident, None)
        self._start(one, self._decide(one, incident, decision), person)

    async def stop(self, thread: Thread, person: str) -> bool:
        """Stop what goes on in a conversation; False when nothing did. Refused with `cannot_stop` during a fix."""
        task = self._thread_task.get(thread.id)
        if task is None or task.done():
            return self.break_off_old(thread.id)
        journal = self._assistant.journal
        # The run's own incident: the conversation may have turned to another one since.
        incident, opened = self._log.at_work_on(thread.id), self._opened.get(thread.id, "")
        decided = journal.current(incident) if incident else None
        if decided is not None and decided.state in BEING_CARRIED_OUT:
            raise Refused("cannot_stop", "a fix is being carried out; it ends by itself, and its outcome is checked")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if opened and journal.incident(opened).state in UNFINISHED:
            await self._assistant.abandon(opened, person)
        return True

    # What happens by itself --------------------------------------------------------------------------------------

    def go_on(self, incident: str) -> None:
        """Go on with an incident whose card was decided or whose work broke off, in every conversation about it."""
        if incident in self._driven or monotonic() < self._not_before.get(incident, 0.0):
            return
        self._driven.add(incident)
        # Whatever keeps it from its end (a server that is down, a full disk) is asked again later, not all the time.
        self._not_before[incident] = monotonic() + AGAIN_SECONDS
        self._background(self._go_on(incident))

    def card_changed(self, incident: str) -> None:
        """Show the card that an incident has now in the conversations about it that show another one."""
        self._background(self._show_card(incident))

    def break_off_old(self, thread: str = "") -> bool:
        """End the runs that are recorded as going on and that nobody works on any more: what a server left behind when
        it ended, or what could not be written to its end. Whatever they did is in the journal. False for none.
        """
        ours = self._tasks.keys() | self._joining
        left = [found for found in self._log.running(thread) if found[0] not in ours]
        for run, where in left:
            one = _Run(self._log, self._hub, where, run)
            one.adapter.take_up(json.loads(text) for _, text in self._log.whole_run(where, run))
            says = "The server was restarted while this was going on. What was begun goes on below."
            one.write(one.adapter.failed("restarted", says), "broken_off")
        return bool(left)

    async def close(self) -> None:
        """Stop everything; what is not at its end goes on at the next start."""
        tasks = list({*self._tasks.values()})
        for task in tasks:
            task.cancel("closing")
        await asyncio.gather(*tasks, return_exceptions=True)

    # How -----------------------------------------------------------------------------------------------------------

    def _begin(self, thread: str, run: str, incident: str, message: Message | None) -> _Run:
        at = self._assistant.stamp()
        self._log.begin(at, thread, run, incident)
        one = _Run(self._log, self._hub, thread, run)
        one.write(one.adapter.started(at, (message.id, message.text) if message else None))
        return one

    def _start(self, one: _Run, work: Awaitable[object], person: str = "") -> asyncio.Task[None]:
        task = asyncio.ensure_future(self._guarded(one, work))
        self._tasks[one.id] = self._thread_task[one.thread] = task
        self._people[one.id] = person

        def over(_: object) -> None:
            self._tasks.pop(one.id, None)
            self._people.pop(one.id, None)
            if self._thread_task.get(one.thread) is task:
                del self._thread_task[one.thread]

        task.add_done_callback(over)
        return task

    def _background(self, work: Awaitable[None]) -> None:
        async def quietly() -> None:
            try:
                await work
            except Exception:
                LOG.exception("going on with an incident broke off")

        task = asyncio.ensure_future(quietly())
        name = f"background-{secrets.token_hex(4)}"
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._tasks.pop(name, None))

    async def _guarded(self, one: _Run, work: Awaitable[object]) -> None:
        """Bring a run to an end whatever happens: every RUN_STARTED has its RUN_FINISHED or RUN_ERROR."""
        try:
            await work
        except asyncio.CancelledError as cancelled:
            if cancelled.args == ("closing",):
                raise  # the server ends: the run is broken off, and told so at the next start
            one.write(one.adapter.cancelled(), "cancelled")
        except Refused as refusal:
            one.write(one.adapter.failed(refusal.code, one_line(str(refusal), 400)), "failed")
        except CountersignError as error:
            one.write(one.adapter.failed("unavailable", one_line(str(error), 400)), "failed")
        except Exception:
            correlation = secrets.token_hex(4)
            LOG.exception("run %s broke off (%s)", one.id, correlation)
            says = f"Something went wrong that nobody foresaw; the server's log has it under {correlation}."
            one.write(one.adapter.failed("failed", says, correlation), "failed")

    async def _answer(self, one: _Run, thread: Thread, text: str, person: str) -> None:
        """Answer a message: from the incident's own evidence where it is about that, else by looking into it."""
        ticket = _TICKET.fullmatch(text)
        if ticket and await self._take_ticket(one, thread, ticket[1].upper(), or_else=True):
            return
        story = await self._assistant.story(thread.incident) if thread.incident else None
        one.write(one.adapter.step("answer", "reading your message"))
        intent = await asyncio.to_thread(self._recogniser.recognise, text, names_of(self._assistant.estate))
        if intent is not None and story is None and intent.kind in SMALL_TALK:
            await self._say(one, answer(intent, Story(""), self._assistant.stamp()), None)
            return self._finish(one, "")
        if intent is not None and story is not None:
            said = answer(intent, story, self._assistant.stamp())
            await self._say(one, said, story)
            if said.action is not None:
                again = f"{story.subject}\n{story.body}".strip()
                await self._take_question(one, thread, again, person, said.action.name)
                return
            return self._finish(one, thread.incident)
        elsewhere = self._named_elsewhere(text, story)
        if story is None or elsewhere or not (story.service or story.proposal):
            await self._take_question(one, thread, text, person, elsewhere)
            return
        if _wrong_again(text, story):
            await self._take_question(one, thread, text, person, story.service)
            return
        hits = [hit for hit in await asyncio.to_thread(self._assistant.search, text) if hit["relevant"]]
        said = passages_answer(text, story, hits, MODEL, self._assistant.stamp())
        one.write(one.adapter.sources(numbered(hits), []))
        one.write(one.adapter.text(said.text))
        self._finish(one, thread.incident)

    def _named_elsewhere(self, text: str, story: Story | None) -> str:
        """Return the service a message names when it is another one than the conversation is about."""
        if story is None:
            return ""
        named = [name for name in self._assistant.estate.named_in(text) if name != story.service]
        return named[0] if named else ""

    async def _take_question(self, one: _Run, thread: Thread, text: str, person: str, service: str = "") -> None:
        def opened(incident: Incident) -> None:
            self._driven.add(incident.id)
            self._log.turn_to(self._assistant.stamp(), thread.id, one.id, incident.id, _title(text))
            taken.append(incident.id)
            self._opened[thread.id] = incident.id

        taken: list[str] = []
        try:
            with self._assistant.watched_by(one.watch):
                incident = await self._assistant.take_question(text, service, person, opened)
        finally:
            self._driven.difference_update(taken)
            self._opened.pop(thread.id, None)
        await self._tell(one, incident.id)

    async def _take_ticket(self, one: _Run, thread: Thread, ticket: str, or_else: bool = False) -> bool:
        """Work on a ticket; with `or_else`, return False when there is none of that number.

        A host page's backend vouches for who its user is and for nothing more: in a conversation that began on a host
        page only what that person reported is there. Numbers are easy to try.
        """

        def opened(incident: Incident) -> None:
            self._log.turn_to(self._assistant.stamp(), thread.id, one.id, incident.id, ticket)
            if incident.state == "open":
                self._opened[thread.id] = incident.id
            if incident.id not in self._driven:
                self._driven.add(incident.id)
                taken.append(incident.id)

        taken: list[str] = []
        try:
            if thread.origin and await self._assistant.reported_by(ticket) != thread.owner:
                raise CountersignError(f"there is no ticket {ticket} that you have reported")
            with self._assistant.watched_by(one.watch):
                incident = await self._assistant.take_ticket(ticket, opened)
        except Refused:
            raise
        except CountersignError:
            if or_else and not taken:
                return False
            raise
        finally:
            self._driven.difference_update(taken)
            self._opened.pop(thread.id, None)
        await self._tell(one, incident.id)
        return True

    async def _tell(self, one: _Run, incident: str, whole: bool = False) -> None:
        """Say what an incident came to: sources, text, card; then end the run. `whole` repeats what was looked at."""
        story = await self._assistant.story(incident)
        if whole:
            for seen in story.observations:
                one.watch(
                    Event(
                        "check",
                        {
                            "id": seen.id,
                            "tool": seen.check.tool,
                            "args": dict(seen.check.args),
                            "took_ms": seen.took_ms,
                            "made": seen.made,
                            "says": summary(seen),
                            "server": seen.server,
                        },
                    )
                )
        if story.diagnosis is not None:
            await self._say(one, first_answer(story, now=self._assistant.stamp()), story)
        elif whole:
            one.write(one.adapter.text(f"{incident} is {story.incident_state.replace('_', ' ')}."))
        if whole and story.state and story.state != State.AWAITING:
            await self._say(one, outcome_answer(story, self._assistant.stamp()), None)
        self._finish(one, incident)

    async def _say(self, one: _Run, said: Answer, story: Story | None) -> None:
        """Say something; what it cites is shown before."""
        if story is not None and said.cites:
            one.write(one.adapter.sources(numbered(story.relevant), story.similar))
        one.write(one.adapter.text(said.text))

    def _finish(self, one: _Run, incident: str) -> None:
        """End a run: with its open card where one waits, so that nobody loses sight of it.

        Where the conversation has turned to another incident since, the card that waits there is shown as well.
        """
        cards = self._cards(one.thread, incident)
        thread = self._log.thread(one.thread)
        if thread is not None and thread.incident != incident:
            cards += [card for card in self._cards(one.thread, thread.incident) if card["state"] == State.AWAITING]
        shown = [event for card in cards for event in one.adapter.card(card)]
        waits = [card for card in cards if card["state"] == State.AWAITING]
        one.write([*shown, *one.adapter.finished(waits)], "finished")

    def _cards(self, thread: str, incident: str) -> list[Card]:
        """Return an incident's card as it stands, after the one that the conversation shows still open in its place."""
        card = self._card(incident)
        if card is None:
            return []
        digest, state = self._log.cards(thread).get(incident, ("", ""))
        if state != State.AWAITING or digest == card["digest"]:
            return [card]
        journal = self._assistant.journal
        return [card_of(journal.proposal(digest), journal, self._assistant.estate, self._assistant.stamp()), card]

    def _card(self, incident: str) -> Card | None:
        journal = self._assistant.journal
        stored = journal.current(incident) if incident else None
        return card_of(stored, journal, self._assistant.estate, self._assistant.stamp()) if stored else None

    async def _decide(self, one: _Run, incident: str, decision: Callable[[], Awaitable[bool]]) -> None:
        """Take a decision and go on as it says. Nobody else goes on with that incident meanwhile."""
        free = incident not in self._driven
        self._driven.add(incident)
        try:
            goes_on = await decision()
            if goes_on:
                self.card_changed(incident)
            if goes_on and free:
                await self._drive([one], incident)
        finally:
            if free:
                self._driven.discard(incident)
        self._finish(one, incident)
        if goes_on:
            self.card_changed(incident)

    async def _go_on(self, incident: str) -> None:
        missed = False
        try:
            threads = self._log.about(incident)
            begun = await asyncio.gather(*(self._begin_soon(thread.id, incident) for thread in threads))
            runs = [one for one in begun if one is not None]
            missed = len(runs) < len(threads)
            work = self._driving(runs, incident)
            if runs and self._assistant.journal.incident(incident).state in UNFINISHED:
                self._opened[runs[0].thread] = incident
            if runs:
                tasks = [self._start(runs[0], work)]
                tasks += [self._start(one, _until(tasks[0])) for one in runs[1:]]
                self._joining.difference_update(one.id for one in runs)
                await asyncio.wait(tasks)
                for one in runs:
                    if not self._log.ended(one.id):
                        one.write(
                            one.adapter.failed("failed", "This broke off; the journal has what was done."), "failed"
                        )
            else:
                await work
        finally:
            self._driven.discard(incident)
            self._opened = {thread: opened for thread, opened in self._opened.items() if opened != incident}
        if missed:
            self.card_changed(incident)

    async def _driving(self, runs: list[_Run], incident: str) -> None:
        try:
            await self._drive(runs, incident)
        except CountersignError as error:
            for one in runs:
                one.write(one.adapter.failed("unavailable", one_line(str(error), 400)), "failed")
            if not runs:
                LOG.warning("%s could not go on: %s", incident, one_line(str(error), 400))
            return
        if self._assistant.journal.incident(incident).state != "executing":
            self._not_before.pop(incident, None)
        for one in runs:
            self._finish(one, incident)

    async def _drive(self, runs: list[_Run], incident: str) -> None:
        """Go on with an incident and show it in these runs: the card as it was decided, what runs, what came of it."""
        # Where no card of it was shown, nobody was told what it is about: also not by a run that broke off before that.
        untold = {one.id for one in runs if incident not in self._log.cards(one.thread)}
        for one in runs:
            one.write([event for card in self._cards(one.thread, incident) for event in one.adapter.card(card)])

        def watch(event: Event) -> None:
            for one in runs:
                one.watch(event)
            if event.kind == "state":
                self._show(runs, incident)

        with self._assistant.watched_by(watch):
            await self._assistant.resume(incident)
        story = await self._assistant.story(incident)
        said = outcome_answer(story, self._assistant.stamp()) if story.state and story.state != State.AWAITING else None
        for one in runs:
            if one.id in untold and story.diagnosis is not None:
                await self._say(one, first_answer(story, now=self._assistant.stamp()), story)
            if said is not None:
                await self._say(one, said, None)

    def _show(self, runs: list[_Run], incident: str) -> None:
        card = self._card(incident)
        for one in runs if card else ():
            one.write(one.adapter.card(card))  # type: ignore[arg-type]

    async def _show_card(self, incident: str) -> None:
        """Show the card as it stands wherever it stood otherwise; a busy conversation holds up none of the others."""
        await asyncio.gather(*(self._show_card_in(thread.id, incident) for thread in self._log.about(incident)))

    async def _show_card_in(self, thread: str, incident: str) -> None:
        await self._free(thread)
        card, shown = self._card(incident), self._log.cards(thread).get(incident)
        if card is None or shown == (card["digest"], card["state"]):
            return
        story = None if shown else await self._assistant.story(incident)
        one = await self._begin_when_free(thread, incident)
        if one is None:
            return
        if story is not None and story.diagnosis is not None:
            await self._say(one, first_answer(story, now=self._assistant.stamp()), story)
        self._finish(one, incident)

    async def _begin_soon(self, thread: str, incident: str) -> _Run | None:
        """Begin a run of our own in a conversation, None where that does not become free within seconds."""
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                one = await self._begin_when_free(thread, incident)
        except TimeoutError:
            return None
        if one is not None:
            self._joining.add(one.id)
        return one

    async def _begin_when_free(self, thread: str, incident: str) -> _Run | None:
        """Begin a run of our own in a conversation, after what goes on there now."""
        while True:
            await self._free(thread)
            try:
                return self._begin(thread, new_run(), incident, None)
            except Refused as refusal:
                if refusal.code != "busy" or thread not in self._thread_task:
                    return None

    async def _free(self, thread: str) -> None:
        """Wait until nothing goes on in a conversation."""
        while (going := self._thread_task.get(thread)) is not None:
            await asyncio.wait({going})
            await asyncio.sleep(0)  # its end is noted by a callback of its own


async def _until(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})


def new_run() -> str:
    """Return an id for a run of our own."""
    return f"RUN-{secrets.token_hex(8)}"


def numbered(sources: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return sources with the numbers that texts cite them by."""
    return [{"n": number, **one} for number, one in enumerate(sources, 1)]


def names_of(estate: Estate) -> dict[str, tuple[str, ...]]:
    """Return every service with the other names that people have for it."""
    return {one.name: (one.title, *one.aliases) if one.title else one.aliases for one in estate.services.values()}


def _wrong_again(text: str, story: Story) -> bool:
    """True where the incident has ended, and was stopped before anything came of it or the message is a new report."""
    if story.incident_state in LIVE:
        return False
    return story.diagnosis is None or REPORT.search(" ".join(plain_words(folded(text)))) is not None


def _title(text: str) -> str:
    return one_line(text.split("\n", 1)[0], 80)
