"""A page in passages: split at headings, at most 180 words, each with its page's title and its heading in front."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from knowledge.documents import Document, headings
from knowledge.text import split_camel_case

MAX_WORDS = 180


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a page. `digest` is the SHA-256 of `text`; `indexed` is what search sees."""

    page: str
    title: str
    heading: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the passage's text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def indexed(self) -> str:
        """The text with "<title> > <heading>" in front: without it a passage does not say what it is about."""
        return f"{split_camel_case(self.title)} > {self.heading}\n{self.text}"


def chunk(document: Document) -> list[Chunk]:
    """The passages of a page, at least one; alerts and symptoms of the front matter make a passage of their own."""
    pieces: list[tuple[str, str]] = []
    named = "; ".join((*document.symptoms, *document.alerts))
    if named:
        pieces.append(("Symptoms", named))
    for heading, text in _sections(document.text):
        pieces += [(heading, piece) for piece in _pieces(text)]
    return [Chunk(document.id, document.title, heading, text) for heading, text in pieces or [("", document.title)]]


def _sections(text: str) -> Iterator[tuple[str, str]]:
    heading, lines = "", list[str]()
    for line, found in headings(text.splitlines()):
        if found is None:
            lines.append(line)
            continue
        if any(item.strip() for item in lines):
            yield heading, "\n".join(lines)
        heading, lines = found[1], []
    if any(item.strip() for item in lines):
        yield heading, "\n".join(lines)


def _pieces(text: str) -> Iterator[str]:
    """Cut a section at line ends; only a line that is longer than a passage is cut within."""
    kept: list[str] = []
    count = 0
    for line in _lines(text):
        size = len(line.split())
        if kept and count + size > MAX_WORDS:
            yield "\n".join(kept).strip()
            kept, count = [], 0
        kept.append(line)
        count += size
    if any(item.strip() for item in kept):
        yield "\n".join(kept).strip()


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        parts = line.split()
        if len(parts) <= MAX_WORDS:
            yield line
        else:
            yield from (" ".join(parts[i : i + MAX_WORDS]) for i in range(0, len(parts), MAX_WORDS))
