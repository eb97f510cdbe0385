"""The legs of the search that count words: BM25 and TF-IDF over stems, in numpy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from knowledge.text import stems

Scores = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

K1 = 1.2
B = 0.75
UNSEEN = -1


class Vocabulary:
    """Stems by number. Shared by all legs, so that a query is stemmed once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def learn(self, text: str) -> list[int]:
        """The numbers of a text's stems; new stems get one."""
        numbers = self._numbers
        return [numbers.setdefault(stem, len(numbers)) for stem in stems(text)]

    def find(self, found: Iterable[str]) -> list[int]:
        """The numbers of stems; UNSEEN for one that no page has."""
        return [self._numbers.get(stem, UNSEEN) for stem in found]


class _Postings:
    """For every key (a stem or a pair of stems) the texts it is in, and how often. Keys are sorted."""

    def __init__(self, keys: Numbers, texts: Numbers, size: int) -> None:
        pairs, counts = np.unique(keys * max(size, 1) + texts, return_counts=True)
        self.size = size
        self.texts: Numbers = pairs % max(size, 1)
        self.counts: Numbers = counts.astype(np.int64)
        self.keys, self.starts = np.unique(pairs // max(size, 1), return_index=True)
        self.ends = np.append(self.starts[1:], len(pairs))
        self.spread: Numbers = (self.ends - self.starts).astype(np.int64)
        """In how many texts each key is."""

    def weighted(self, per_key: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """A value per key, repeated for each of its postings."""
        return np.repeat(per_key, self.spread)

    def place(self, key: int) -> int | None:
        """The position of a key, or None when no text has it."""
        at = int(np.searchsorted(self.keys, key))
        return at if at < len(self.keys) and self.keys[at] == key else None


def _flat(texts: Sequence[Sequence[int]]) -> tuple[Numbers, Numbers]:
    lengths = np.fromiter((len(text) for text in texts), np.int64, len(texts))
    keys = np.fromiter((number for text in texts for number in text), np.int64, int(lengths.sum()))
    return keys, np.repeat(np.arange(len(texts)), lengths)


class BM25:
    """BM25 as Lucene has it (k1 1.2, b 0.75, idf never negative)."""

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        self._postings = p = _Postings(*_flat(texts), len(texts))
        lengths = np.fromiter((len(text) for text in texts), np.float64, len(texts))
        mean = float(lengths.mean()) if len(texts) else 0.0
        idf = np.log1p((p.size - p.spread + 0.5) / (p.spread + 0.5))
        norm = K1 * (1 - B + B * lengths / (mean or 1.0))
        self._weights = (p.weighted(idf) * p.counts / (p.counts + norm[p.texts])).astype(np.float32)

    def scores(self, query: Sequence[int]) -> Scores:
        """One score a text; a word that stands twice in the query counts twice."""
        result = np.zeros(self._postings.size, np.float32)
        for key, times in Counter(query).items():
            at = self._postings.place(key)
            if at is not None:
                span = slice(self._postings.starts[at], self._postings.ends[at])
                result[self._postings.texts[span]] += times * self._weights[span]
        return result


class TfIdf:
    """Cosine of TF-IDF vectors over single stems and pairs of neighbours.

    The length of the query counts what no text has, too: a query about something else scores low however few of its
    words match.
    """

    def __init__(self, texts: Sequence[Sequence[int]], vocabulary: int) -> None:
        self._base = vocabulary + 1
        self._postings = p = _Postings(*_flat([self._grams(text) for text in texts]), len(texts))
        self._idf = np.log((1 + p.size) / (1 + p.spread)) + 1
        self._rarest = float(np.log(1 + p.size) + 1)
        weights = p.weighted(self._idf) * p.counts
        squares = np.bincount(p.texts, weights * weights, minlength=p.size)
        self._weights = (weights / np.sqrt(np.maximum(squares, 1e-12))[p.texts]).astype(np.float32)

    def _grams(self, text: Sequence[int]) -> list[int]:
        pairs = [(a + 1) * self._base + b for a, b in pairwise(text) if a >= 0 and b >= 0]
        return [*text, *pairs]

    def scores(self, query: Sequence[int]) -> Scores:
        """One cosine a text."""
        result = np.zeros(self._postings.size, np.float32)
        length = 0.0
        for key, times in Counter(self._grams(query)).items():
            at = None if key == UNSEEN else self._postings.place(key)
            if at is None:
                if key < self._base:
                    length += (times if key != UNSEEN else 1) * self._rarest**2
                continue
            weight = times * self._idf[at]
            length += weight * weight
            span = slice(self._postings.starts[at], self._postings.ends[at])
            result[self._postings.texts[span]] += np.float32(weight) * self._weights[span]
        scaled: Scores = result / np.float32(np.sqrt(length) or 1.0)
        return scaled
