"""Words, hidden characters and camel case: what every leg of the search agrees on."""

from __future__ import annotations

import re

import snowballstemmer

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_HIDDEN = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]"
)
_STEMS_KEPT = 200_000
"""Log lines and ids make endless new words; the cache of stems is emptied when it has grown this large."""

STOP_WORDS = frozenset(
    """a about after again all also am an and any are as at be because been before being but by can cannot could did
    do does doing done down each every few for from get gets getting go goes going got had has have having he her here
    him his how i if in into is it its just let like me more most much my need no nor not now of off on once one only
    or other our out over own please same see seems she should since so some still such tell than thank thanks that
    the their them then there these they thing this those through to today too under until up us very was way we were
    what when where which while who why will with would yes yet you your yours am pm hi hello dear regards anyone
    someone everyone everybody anybody something everything nothing""".split()
)
"""Words that say nothing about a page. They carry weight only in a small corpus, where chance makes them look rare."""


class _Stems:
    """English Snowball stems, remembered: the stemmer is pure Python and a corpus repeats its words."""

    def __init__(self) -> None:
        self._stemmer = snowballstemmer.stemmer("english")
        self._known: dict[str, str] = {}

    def of(self, word: str) -> str:
        stem = self._known.get(word)
        if stem is None:
            if len(self._known) >= _STEMS_KEPT:
                self._known.clear()
            # A very long run of letters is no English word, and the stemmer's time grows with it.
            stem = str(self._stemmer.stemWord(word)) if len(word) <= 40 else word[:40]
            self._known[word] = stem
        return stem


_STEMS = _Stems()


def words(text: str) -> list[str]:
    """The lower-case words and numbers of a text, in order."""
    return _WORD.findall(text.lower())


def stems(text: str) -> list[str]:
    """The stems of the words of a text, in order."""
    return [_STEMS.of(word) for word in words(text)]


def stem(word: str) -> str:
    """The stem of one lower-case word."""
    return _STEMS.of(word)


def split_camel_case(text: str) -> str:
    """`KubePodNotReady` as `Kube Pod Not Ready`; other text stays as it is."""
    return _CAMEL.sub(" ", text)


def without_hidden(text: str) -> str:
    """The text without characters a reader cannot see: bidi controls, zero width, tag characters, control codes,
    and lone surrogates, which are no characters at all."""
    return _HIDDEN.sub("", text)


def hidden_characters(line: str) -> list[str]:
    """The hidden characters of a line as `U+200B`, each once, in order of appearance."""
    return list(dict.fromkeys(f"U+{ord(found):04X}" for found in _HIDDEN.findall(line)))
