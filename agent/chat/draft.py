"""An answer while it is written: its lines, and which sources and observations it really cited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent.chat.markdown import clean_observation, code, prose, table
from agent.chat.normal import Language
from agent.chat.story import Story
from agent.chat.words import say
from agent.core.evidence import Observation, summary

MOST_ROWS = 20


@dataclass(frozen=True)
class OtherService:
    """The answer wants a new investigation, of this service; whoever asked for the answer starts it."""

    name: str


@dataclass(frozen=True)
class Answer:
    """An answer in Markdown. `cites` are the numbers of relevant sources, `evidence` the ids of observations in it."""

    text: str
    cites: tuple[int, ...] = ()
    evidence: tuple[str, ...] = ()
    action: OtherService | None = None


class Draft:
    """Collects an answer about one story. Only `see` and `page` write citations, so none can lead nowhere."""

    def __init__(self, story: Story, language: Language, now: str) -> None:
        self.story = story
        self.language = language
        self.now = now
        self.observations = tuple(clean_observation(one) for one in story.observations)
        self._blocks: list[str] = []
        self._cites: dict[int, None] = {}
        self._evidence: dict[str, None] = {}

    def words(self, key: str, **values: Any) -> str:
        """Return a fixed sentence in the answer's language."""
        return say(self.language, key, **values)

    def add(self, key: str, **values: Any) -> None:
        """Add a fixed sentence as a paragraph."""
        self.block(self.words(key, **values))

    def block(self, text: str) -> None:
        """Add a block of Markdown."""
        if text:
            self._blocks.append(text)

    def list(self, lines: Iterable[str]) -> None:
        """Add a list, where there is anything in it."""
        self.block("\n".join(f"- {line}" for line in lines))

    def see(self, name: str) -> str:
        """Return the citation of an observation; nothing for one that is not in the story."""
        if self.story.observation(name) is None:
            return ""
        self._evidence[name] = None
        return f"[{name}]"

    def see_all(self, names: Iterable[str]) -> str:
        """Return the citations of several observations."""
        return ", ".join(mark for name in names if (mark := self.see(name)))

    def page(self, page: str) -> str:
        """Return a page by its citation and name; a page that is no relevant source by its name alone."""
        number = self.story.number_of(page)
        if not number:
            return code(page)
        self._cites[number] = None
        title = prose(str(self.story.relevant[number - 1].get("title", "")), 120)
        return f"{code(page)} {title} [{number}]" if title and title != page else f"{code(page)} [{number}]"

    def line(self, one: Observation) -> str:
        """Return one observation in one line: its id, the check, where, how old, what it showed."""
        return (
            f"{self.see(one.id)} {code(one.check.tool)} {self.on(one.check.service)}, {self.age(one.at)}: "
            f"{self.showed(one)}"
        )

    def showed(self, one: Observation) -> str:
        """Return what an observation showed, or why it could not be made."""
        return code(summary(one)) if one.made else self.words("could_not", why=code(one.error))

    def on(self, service: str) -> str:
        """Return where a check looked."""
        return self.words("on", service=code(service) or "-")

    def table_of(self, observations: Iterable[Observation]) -> None:
        """Add the observations as a table, and how many more there are."""
        several = list(observations)
        head = [self.words(f"head_{name}") for name in ("evidence", "check", "service", "showed", "when")]
        rows = [
            (self.see(one.id), code(one.check.tool), code(one.check.service), self.showed(one), self.age(one.at))
            for one in several[:MOST_ROWS]
        ]
        if rows:
            self.block(table(head, rows))
        if len(several) > MOST_ROWS:
            self.add("checks_more", n=len(several) - MOST_ROWS)

    def age(self, at: str) -> str:
        """Return how long ago a moment was, or the moment itself where that is not known."""
        seconds = self.since(at)
        if seconds is None or seconds < 0:
            return self.words("at", moment=prose(at, 40) or "?")
        return self.words("ago", span=self.span(seconds)) if seconds else self.words("now")

    def since(self, at: str) -> int | None:
        """Return the whole seconds between a moment and now, negative for one to come; None when not known."""
        then, now = _moment(at), _moment(self.now)
        return None if then is None or now is None else int((now - then).total_seconds())

    def span(self, seconds: int) -> str:
        """Return a span of time in words: the two largest units that say something."""
        if seconds < 120:
            return self.words("seconds", n=seconds)
        if seconds < 2 * 3600:
            return self.words("minutes", n=seconds // 60)
        if seconds < 48 * 3600:
            return self.words("hours", n=seconds // 3600, rest=seconds % 3600 // 60)
        return self.words("days", n=seconds // 86400)

    def done(self, action: OtherService | None = None) -> Answer:
        """Return the answer as it stands."""
        text = "\n\n".join(self._blocks)
        evidence = sorted(self._evidence, key=lambda name: text.find(f"[{name}]"))
        return Answer(text, tuple(sorted(self._cites)), tuple(evidence), action)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
