"""What a person wants to know, recognised without a language model: patterns first, then the nearest example.

How near an intent is: the mean cosine of its two nearest examples, which one odd example does not sway. `FLOOR` and
`MARGIN` were chosen with the patterns switched off, on 191 English questions and 57 English sentences that belong to
no intent (the first list of tests/agent/chat/phrases.py, none of which is an example), from a table of floors between
0.35 and 0.55 and margins between 0 and 0.1. Meaning alone then knows two thirds of the questions and gives at most 4
in 100 a wrong intent; without the margin it knows three quarters and mistakes 9 in 100. A wrong intent answers what
nobody asked; no intent falls to the passages found, which is never wrong. So in doubt there is none. The model is an
English one: a German question is compared by the English words of its German ones, or not at all where too few are
known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agent.chat.german import in_english_words
from agent.chat.normal import Language, folded, language_of, mended, plain_words, slip
from agent.chat.patterns import (
    ASKS,
    BESIDE_A_NAME,
    COMPILED,
    LOOKING,
    MENDABLE,
    NAMED_BY_A_WORD,
    NAMED_WHOLE,
    ORDER,
    QUESTION,
    REPORT,
    Kind,
)
from agent.chat.prototypes import PROTOTYPES, UNRELATED

__all__ = ["FLOOR", "MARGIN", "Embedder", "Intent", "Kind", "Recogniser", "Services"]

FLOOR = 0.42
"""Least mean cosine between a sentence and the two nearest examples of its intent."""
MARGIN = 0.06
"""How much nearer they must be than those of any other intent, or of none."""
MOST_CHARACTERS = 280
"""What is longer is a text to be read, and no question out of a closed list."""

MOST_WORDS_ABOUT_A_SERVICE = 16
SHORTEST_MENDED_NAME = 6

Services = Mapping[str, Iterable[str]]
"""Every known service by name, with its title and aliases."""


class Embedder(Protocol):
    """Turns texts into vectors of length one; `knowledge.embedding.Embedder` is one."""

    def embed(self, texts: Sequence[str]) -> Any:
        """Return one row for each text, as a matrix that knows `@` and `.T`."""
        ...


@dataclass(frozen=True)
class Intent:
    """What is asked, about which service, observation or source where one is named, and in which language."""

    kind: Kind
    text: str = ""
    """The question as it was typed, for whoever has to look for words in it."""
    service: str = ""
    """The known service that the question names."""
    evidence: str = ""
    """The observation that it names: E3."""
    source: int = 0
    """The number of the source that it names."""
    language: Language = "en"
    how: Literal["pattern", "meaning"] = "pattern"
    score: float = 1.0


class Recogniser:
    """Recognises intents. Holds the vectors of the examples, computed once: by `warm`, or when first needed."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder
        self._examples: tuple[tuple[Kind | None, ...], Any] | None = None

    def recognise(self, text: str, services: Services | None = None) -> Intent | None:
        """Return what `text` asks of the incident, or None when it asks for nothing in the list."""
        text = text.strip()
        if not text or len(text) > MOST_CHARACTERS:
            return None
        plain = folded(text)
        words = plain_words(plain)
        line = mended(words, MENDABLE)
        language = language_of(text)
        glossed = in_english_words(words) if language == "de" else ""
        named = service_in(" ".join(words), services or {})
        if not named.name and glossed:
            named = service_in(glossed, services or {})
        kind, how, score = self._kind(line, named, (glossed,) if language == "de" else (text, line))
        if kind is None:
            return None
        evidence = re.search(r"\be(\d{1,3})\b", line)
        source = re.search(r"\[(\d{1,2})\]|\b(?:source|quelle|page|seite) (?:no |number |nr )?(\d{1,2})\b", plain)
        return Intent(
            kind=kind,
            text=text,
            service=named.name,
            evidence=f"E{int(evidence[1])}" if evidence else "",
            source=int(source[1] or source[2]) if source else 0,
            language=language,
            how=how,
            score=round(score, 3),
        )

    def _kind(
        self, line: str, named: Named, english: Sequence[str]
    ) -> tuple[Kind | None, Literal["pattern", "meaning"], float]:
        report = REPORT.search(line)
        if not line or ORDER.search(line) or (report and not ASKS.search(line)):
            return None, "pattern", 0.0
        by_pattern = match(line, named)
        if by_pattern is not None:
            return by_pattern, "pattern", 1.0
        if report or self._embedder is None or not all(len(one.split()) > 1 for one in english):
            return None, "pattern", 0.0
        kind, score = self._nearest(self._embedder, english)
        if kind is Kind.OTHER_SERVICE and QUESTION.search(line):
            return None, "meaning", score  # it starts an investigation, so a mere question does not count as a wish
        return kind, "meaning", score

    def warm(self) -> None:
        """Compute the vectors of the examples now, which takes seconds, and not while the first person waits."""
        if self._embedder is not None:
            self._vectors(self._embedder)

    def _nearest(self, embedder: Embedder, english: Sequence[str]) -> tuple[Kind | None, float]:
        labels, vectors = self._vectors(embedder)
        return nearest(labels, vectors, embedder.embed(list(english)))

    def _vectors(self, embedder: Embedder) -> tuple[tuple[Kind | None, ...], Any]:
        if self._examples is None:
            labelled = [(kind, one) for kind, several in PROTOTYPES.items() for one in several]
            labels = (*(kind for kind, _ in labelled), *(None for _ in UNRELATED))
            self._examples = labels, embedder.embed([*(one for _, one in labelled), *UNRELATED])
        return self._examples


def nearest(labels: Sequence[Kind | None], vectors: Any, asked: Any) -> tuple[Kind | None, float]:
    """Return the nearest label and how near it is; None when that is too far or another label is as near."""
    cosines: dict[Kind | None, list[float]] = {}
    for label, several in zip(labels, vectors @ asked.T, strict=True):
        cosines.setdefault(label, []).append(float(sum(several)) / len(several))
    means = {label: sum(two) / len(two) for label, all_ in cosines.items() if (two := sorted(all_)[-2:])}
    (label, score), (_, second) = sorted(means.items(), key=lambda one: -one[1])[:2]
    return (label, score) if score >= FLOOR and score - second >= MARGIN else (None, score)


def match(line: str, named: Named) -> Kind | None:
    """Return the kind whose pattern fits a mended line; `named` is the known service that stands in it."""
    found = next((kind for kind, pattern in COMPILED if pattern.search(line)), None)
    if not named.name or not (found is None or (found is Kind.WHAT_ELSE_CHECKED and LOOKING.search(line))):
        return found
    beside = set(_spelt(line).split()) - set(named.spelt.split())
    wished = NAMED_WHOLE if named.whole else NAMED_BY_A_WORD
    asked_for = wished.search(line) and len(line.split()) <= MOST_WORDS_ABOUT_A_SERVICE
    return Kind.OTHER_SERVICE if asked_for or beside <= BESIDE_A_NAME else found


@dataclass(frozen=True)
class Named:
    """A known service in a sentence: how it is spelt there, and whether that is a whole name or one word of it."""

    name: str = ""
    spelt: str = ""
    whole: bool = True


def service_in(text: str, services: Services) -> Named:
    """Return the known service that `text` names: by a whole name, by one with a slip in it, or by a word that only
    one service has. Of several the longest name counts, and of equals the last; "not X" names no X."""
    line = f" {_spelt(text)} "
    words = line.split()
    names = {
        spelt: name for name, others in services.items() for word in (name, *others) if (spelt := _spelt(folded(word)))
    }
    whole = [spelt for spelt in names if f" {spelt} " in line and not _denied(spelt, line)]
    if whole:
        best = max(whole, key=lambda spelt: (len(spelt.split()), line.rfind(f" {spelt} ")))
        return Named(names[best], best)
    for spelt in sorted(names, key=len, reverse=True):
        count = len(spelt.split())
        for start in range(len(words) - count + 1) if len(spelt) >= SHORTEST_MENDED_NAME else ():
            span = " ".join(words[start : start + count])
            if span[0] == spelt[0] and slip(span, spelt, 1) == 1:
                return Named(names[spelt], span)
    return _by_one_word(words, names)


def _spelt(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text))


def _denied(spelt: str, line: str) -> bool:
    """True for the `b` of "I meant a, not b"."""
    return f" not {spelt} " in line or f" nicht {spelt} " in line or f" instead of {spelt} " in line


def _by_one_word(words: Sequence[str], names: Mapping[str, str]) -> Named:
    owners: dict[str, set[str]] = {}
    for spelt, name in names.items():
        for word in spelt.split():
            owners.setdefault(word, set()).add(name)
    telling = {word: next(iter(owners[word])) for word in words if len(word) > 2 and len(owners.get(word, ())) == 1}
    if len(set(telling.values())) != 1:
        return Named()
    word, name = next(iter(telling.items()))
    return Named(name, word, whole=False)
