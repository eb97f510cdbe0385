"""Which page answers a text: exact links first, then five legs whose scores are brought to one scale and added.

The weights were measured on public runbooks (benchmarks/): 0.5 BM25 of the whole page with its title three times, 1
BM25 of titled passages, 0.5 TF-IDF of titled passages, 1 vectors of titled passages, 1 vectors of the titles alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from knowledge.chunks import Chunk
from knowledge.documents import Document
from knowledge.lexical import BM25, TfIdf, Vocabulary
from knowledge.runbook import Runbook
from knowledge.text import STOP_WORDS, split_camel_case, stem, stems, without_hidden, words

Leg = Literal["page words", "passage words", "word pairs", "passage meaning", "title meaning"]
WEIGHTS: Mapping[Leg, float] = {
    "page words": 0.5,
    "passage words": 1.0,
    "word pairs": 0.5,
    "passage meaning": 1.0,
    "title meaning": 1.0,
}
QUERY_WORDS = 200
"""A ticket may be a megabyte of log: its first words say what is wrong."""
QUERY_CHARACTERS = 4000
PASSAGES_PER_HIT = 3

RELEVANT = 0.45
"""The least support of a page that answers: cosine of word pairs plus cosine of meaning, neither of which depends on
the other pages found. Measured: of 143 public alerts that have a page none is below 0.55; of 24 tickets in everyday
words three are; everyday requests that no page is about stay below 0.40. It keeps out what is off the subject. The
page of a neighbouring fault may pass it (alerts without a page of their own, among 380 pages of the same kind: median
0.76), so the support is shown, and conditions, not search, decide on a cause."""
RELEVANT_BY_WORDS = 0.08
"""The same where there are no vectors: cosine of word pairs alone, without words that say nothing. Far less certain."""

Floats = npt.NDArray[np.float32]


class Dense(Protocol):
    """The legs of meaning: cosines of the nearest passages and titles, by their position; what is not near is
    absent."""

    def nearest(self, texts: Sequence[str]) -> tuple[Mapping[int, float], Mapping[int, float]]:
        """For the best of the texts: (passage position to cosine, page position to cosine)."""
        ...


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a page as it can be quoted. `digest` is the SHA-256 of `text`; `score` runs from 0 to 1 within one
    search."""

    page: str
    title: str
    heading: str
    text: str
    digest: str
    score: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a page was found: the exact link or "", what each leg gave (0 to 1), and the words of the query it has."""

    exact: str
    legs: Mapping[str, float]
    words: tuple[str, ...]

    def __str__(self) -> str:
        if self.exact:
            return f"names {self.exact}"
        legs = ", ".join(f"{name} {score:.2f}" for name, score in self.legs.items())
        return f"{legs}; words: {', '.join(self.words) or 'none'}"


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that was found. `support` is comparable between searches and decides `relevant`; `score` orders this one
    (0 to 1)."""

    page: str
    title: str
    relevant: bool
    score: float
    support: float
    passages: tuple[Passage, ...]
    explanation: Explanation
    path: Path
    digest: str
    owner: str
    runbook: Runbook | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first. Where none is relevant there is no page for this, and `relevant` is empty."""

    query: str
    hits: tuple[Hit, ...]
    notes: tuple[str, ...] = ()

    @property
    def relevant(self) -> tuple[Hit, ...]:
        """The hits that answer."""
        return tuple(hit for hit in self.hits if hit.relevant)


@dataclass(frozen=True, slots=True)
class _Legs:
    """What each leg says, per passage and per page; `support` per page decides relevance."""

    by_page: dict[Leg, Floats]
    by_passage: Floats
    support: Floats
    least: float


class Ranker:
    """The pages of one moment, ready to be searched. Holds no vectors: those come from a Dense."""

    def __init__(self, documents: Sequence[Document], chunks: Sequence[Sequence[Chunk]]) -> None:
        """`chunks[i]` are the passages of `documents[i]`."""
        self.documents = tuple(documents)
        self.chunks = tuple(chunk for several in chunks for chunk in several)
        counts = [len(several) for several in chunks]
        self._starts = (
            np.concatenate([[0], np.cumsum(counts[:-1])]).astype(np.int64) if counts else np.zeros(0, np.int64)
        )
        self._page_of = np.repeat(np.arange(len(counts)), counts)
        self._vocabulary = Vocabulary()
        passages = [self._vocabulary.learn(chunk.indexed) for chunk in self.chunks]
        pages = [
            self._vocabulary.learn(f"{split_camel_case(document.title)}\n" * 3 + document.text)
            for document in self.documents
        ]
        self._pages = BM25(pages)
        self._passages = BM25(passages)
        self._pairs = TfIdf(passages, len(self._vocabulary))
        self._names = _names(self.documents)

    def search(
        self, text: str, dense: Dense | None, *, limit: int = 5, keep: Callable[[Document], bool] | None = None
    ) -> SearchResult:
        """The best pages for a text. `keep` leaves pages out before they are ranked."""
        query = shorten(text)
        allowed = [keep is None or keep(document) for document in self.documents]
        if not query.strip() or not any(allowed):
            return SearchResult(query, ())
        exact = self._exact(query)
        legs = self._legs(query, dense)
        total = np.zeros(len(self.documents), np.float32)
        weight = 0.0
        normal: dict[Leg, Floats] = {}
        for name, scores in legs.by_page.items():
            normal[name] = _to_one(scores)
            total += np.float32(WEIGHTS[name]) * normal[name]
            weight += WEIGHTS[name]
        total = total / np.float32(weight)
        order = sorted(
            (i for i in range(len(self.documents)) if allowed[i]), key=lambda i: (i not in exact, -float(total[i]), i)
        )
        asked = _telling_words(query)
        hits = [
            self._hit(
                i, exact.get(i, ""), float(total[i]), legs, {n: round(float(s[i]), 3) for n, s in normal.items()}, asked
            )
            for i in order[:limit]
        ]
        return SearchResult(query, tuple(hits))

    def _hit(
        self, page: int, exact: str, score: float, legs: _Legs, parts: Mapping[str, float], asked: Mapping[str, str]
    ) -> Hit:
        document = self.documents[page]
        start = int(self._starts[page])
        end = int(self._starts[page + 1]) if page + 1 < len(self._starts) else len(self.chunks)
        best = sorted(range(start, end), key=lambda i: (-float(legs.by_passage[i]), i))[:PASSAGES_PER_HIT]
        passages = tuple(
            Passage(c.page, c.title, c.heading, c.text, c.digest, round(float(legs.by_passage[i]), 3))
            for i in best
            for c in (self.chunks[i],)
        )
        has = {found for i in best for found in stems(self.chunks[i].indexed)}
        support = float(legs.support[page])
        return Hit(
            page=document.id,
            title=document.title,
            relevant=bool(exact) or support >= legs.least,
            score=1.0 if exact else round(score, 3),
            support=round(support, 3),
            passages=passages,
            explanation=Explanation(exact, parts, tuple(word for key, word in asked.items() if key in has)[:8]),
            path=document.path,
            digest=document.digest,
            owner=document.owner,
            runbook=document.executable,
        )

    def _legs(self, query: str, dense: Dense | None) -> _Legs:
        numbers = self._vocabulary.find(stems(query))
        passages, pairs = self._passages.scores(numbers), self._pairs.scores(numbers)
        by_page: dict[Leg, Floats] = {
            "page words": self._pages.scores(numbers),
            "passage words": self._best(passages),
            "word pairs": self._best(pairs),
        }
        by_passage: Floats = _to_one(passages) + np.float32(0.5) * _to_one(pairs)
        if dense is None:
            by_words = self._best(self._pairs.scores(self._vocabulary.find(_telling_words(query))))
            return _Legs(by_page, _share(by_passage, 1.5), by_words, RELEVANT_BY_WORDS)
        near_passages, near_titles = dense.nearest(_variants(query))
        meaning = _spread(near_passages, len(self.chunks))
        by_page["passage meaning"] = self._best(meaning)
        by_page["title meaning"] = _spread(near_titles, len(self.documents))
        support = by_page["word pairs"] + by_page["passage meaning"]
        return _Legs(by_page, _share(by_passage + _to_one(meaning), 2.5), support, RELEVANT)

    def _best(self, scores: Floats) -> Floats:
        """The best passage of each page. Passages of a page stand together."""
        best: Floats = np.maximum.reduceat(scores, self._starts)
        return best

    def _exact(self, query: str) -> dict[int, str]:
        """Pages that the query names: by alert, by id, by the file's name in a link, or by a title written in one
        word."""
        found: dict[int, str] = {}
        for token in re.findall(r"[A-Za-z0-9][\w./:%#-]*", query):
            last = re.split(r"[/#]", token.rstrip("./:-#"))[-1] if "://" in token else token.strip("./:-#")
            last = re.sub(r"\.(md|html?)$", "", last)
            if "://" in token or _is_identifier(last):
                for page in self._names.get(last.casefold(), ()):
                    found.setdefault(page, last)
        return found


def _is_identifier(token: str) -> bool:
    """`ProbeFailed502` and `RB-101` name something; `vpn`, `Backup` and `e-mail` are words of a sentence."""
    return bool(re.search(r"[a-z0-9][A-Z]|\d", token)) and bool(re.search(r"[A-Za-z]", token)) and len(token) >= 4


def _names(documents: Sequence[Document]) -> dict[str, list[int]]:
    names: dict[str, list[int]] = {}
    for position, document in enumerate(documents):
        squeezed = re.sub(r"[\s_-]+", "", document.title)
        for name in {*document.alerts, document.id, document.id.rsplit("/", 1)[-1], document.path.stem, squeezed}:
            names.setdefault(name.casefold(), []).append(position)
    return names


def shorten(text: str) -> str:
    """What of a ticket is searched with: its first words, without hidden characters."""
    head = without_hidden(text[: QUERY_CHARACTERS * 4])[:QUERY_CHARACTERS].strip()
    kept: list[str] = []
    left = QUERY_WORDS
    for line in head.splitlines():
        parts = line.split()[:left]
        left -= len(parts)
        if parts:
            kept.append(" ".join(parts))
        if left <= 0:
            break
    return "\n".join(kept)


def _variants(query: str) -> list[str]:
    """The query as a whole, and its first line alone: the subject of a ticket is often the better question."""
    first = query.split("\n", 1)[0]
    return [query, first] if first != query and len(first.split()) >= 3 else [query]


def _telling_words(query: str) -> dict[str, str]:
    """The words that say something: stem to the word as it was written, each once."""
    return {stem(word): word for word in reversed(words(query)) if word not in STOP_WORDS and len(word) > 1}


def _to_one(scores: Floats) -> Floats:
    """Scores moved to the range from 0 to 1. Where all are equal the leg says nothing."""
    low = scores.min(initial=np.inf)
    width = scores.max(initial=-np.inf) - low
    scaled: Floats = ((scores - low) / width).astype(np.float32) if width > 0 else np.zeros_like(scores)
    return scaled


def _share(scores: Floats, of: float) -> Floats:
    shared: Floats = (scores / of).astype(np.float32)
    return shared


def _spread(near: Mapping[int, float], size: int) -> Floats:
    """A row of scores from those that are known; the rest is as far away as the farthest known one."""
    values: Floats = np.full(size, min(near.values(), default=0.0), np.float32)
    for position, cosine in near.items():
        values[position] = cosine
    return values
