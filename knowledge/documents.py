"""Pages: Markdown files read one by one; a bad file is reported and does not stop the rest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from knowledge.front_matter import FrontMatter, FrontMatterError, Split, parse, split
from knowledge.runbook import Runbook, is_executable, read_runbook
from knowledge.text import without_hidden

MAX_BYTES = 1_000_000
MAX_PAGES = 100_000
Level = Literal["error", "warning"]
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong with a file. `line` counts from 1; 0 means the file as a whole."""

    path: Path
    line: int
    level: Level
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.level}: {self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    """A page. `text` is its body without front matter and without hidden characters; `digest` is the SHA-256 of its
    bytes."""

    id: str
    title: str
    owner: str
    reviewed: date | None
    alerts: tuple[str, ...]
    symptoms: tuple[str, ...]
    text: str
    path: Path
    digest: str
    executable: Runbook | None


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was read, before anything is made of it: what lint looks at, too."""

    path: Path
    raw: str
    digest: str
    parts: Split
    front: FrontMatter | None


def markdown_files(folder: Path) -> Iterator[Path]:
    """The `*.md` files under a folder in a fixed order; hidden folders (such as .git) are left out."""
    for path in sorted(folder.rglob("*.md")):
        inside = path.relative_to(folder).parts
        if not any(part.startswith(".") for part in inside) and path.is_file():
            yield path


def read_source(path: Path) -> Source | Problem:
    """Read one file into text and front matter, or say why not. A broken front matter is a Problem, too."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return Problem(path, 0, "error", f"larger than {MAX_BYTES} bytes: split the page")
        content = path.read_bytes()
    except OSError as error:
        return Problem(path, 0, "error", f"cannot be read: {error.strerror}")
    if b"\0" in content:
        return Problem(path, 0, "error", "is not a text file (it has NUL bytes)")
    try:
        raw = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Problem(path, line, "error", "is not valid UTF-8: save it as UTF-8")
    digest = hashlib.sha256(content).hexdigest()
    try:
        parts = split(raw)
        front = None if parts.yaml is None else parse(parts.yaml, parts.yaml_line)
    except FrontMatterError as error:
        return Problem(path, error.line, "error", str(error))
    return Source(path, raw, digest, parts, front)


def read_documents(folders: Sequence[Path]) -> tuple[list[Document], list[Problem]]:
    """Read every page of the folders. Of two pages with one id the first is kept and the second reported."""
    documents: dict[str, Document] = {}
    problems: list[Problem] = []
    for folder in folders:
        if not folder.is_dir():
            problems.append(Problem(folder, 0, "error", "is not a folder: name a folder of Markdown pages"))
            continue
        for path in markdown_files(folder):
            if len(documents) >= MAX_PAGES:
                problems.append(Problem(folder, 0, "error", f"has more than {MAX_PAGES} pages: the rest is left out"))
                break
            read = read_source(path)
            if isinstance(read, Problem):
                problems.append(read)
            source = _body_of_broken(read) if isinstance(read, Problem) else read
            if source is None:
                continue
            document, found = to_document(source, folder)
            problems += found
            if document.id in documents:
                first = documents[document.id].path
                problems.append(Problem(path, 1, "error", f"the id `{document.id}` is already that of {first}"))
                continue
            documents[document.id] = document
    return list(documents.values()), problems


def _body_of_broken(problem: Problem) -> Source | None:
    """A page whose front matter alone is broken can still be read by people: keep its body, without anything to run."""
    try:
        content = problem.path.read_bytes()
        raw = content.decode("utf-8-sig")
        parts = split(raw)
    except (OSError, UnicodeDecodeError, FrontMatterError):
        return None
    if parts.yaml is None or len(content) > MAX_BYTES:
        return None
    return Source(problem.path, raw, hashlib.sha256(content).hexdigest(), parts, None)


def to_document(source: Source, folder: Path) -> tuple[Document, list[Problem]]:
    """Make a page of a file. Where its runbook is wrong, the page stays readable and has nothing to run."""
    values: dict[str, Any] = source.front.values if source.front else {}
    problems: list[Problem] = []
    runbook: Runbook | None = None
    if source.front is not None and is_executable(values):
        result = read_runbook(values)
        if isinstance(result, Runbook):
            runbook = result
        else:
            problems = [Problem(source.path, source.front.line(path), "error", message) for path, message in result]
    body = without_hidden(source.parts.body)
    heading = _HEADING.search(body)
    place = source.path.relative_to(folder).with_suffix("").as_posix()
    title = _text(values, "title") or (heading.group(1) if heading else source.path.stem.replace("-", " "))
    reviewed = values.get("reviewed")
    document = Document(
        id=_text(values, "id") or place,
        title=without_hidden(title),
        owner=_text(values, "owner"),
        reviewed=reviewed if type(reviewed) is date else None,
        alerts=_texts(values, "alerts"),
        symptoms=_texts(values, "symptoms"),
        text=body,
        path=source.path,
        digest=source.digest,
        executable=runbook,
    )
    return document, problems


def _text(values: dict[str, Any], key: str) -> str:
    value = values.get(key)
    return without_hidden(str(value)).strip()[:200] if isinstance(value, str | int) else ""


def _texts(values: dict[str, Any], key: str) -> tuple[str, ...]:
    value = values.get(key)
    items = value if isinstance(value, list) else []
    return tuple(without_hidden(str(item)).strip()[:200] for item in items if isinstance(item, str | int))


def section(document: Document, heading: str) -> str | None:
    """The text under a heading of the page, subheadings included, or None when there is no such heading."""
    lines = document.text.splitlines()
    wanted = heading.strip().casefold()
    level = 0
    kept: list[str] = []
    for line, found in headings(lines):
        if found is not None:
            if level and found[0] <= level:
                break
            if not level and found[1].casefold() == wanted:
                level = found[0]
                continue
        if level:
            kept.append(line)
    return "\n".join(kept).strip() if level else None


def headings(lines: Sequence[str]) -> Iterator[tuple[str, tuple[int, str] | None]]:
    """Each line with (level, heading) where it is one; lines within code fences never are."""
    fence = ""
    for line in lines:
        mark = re.match(r"^ {0,3}(`{3,}|~{3,})", line)
        if mark and (not fence or (mark.group(1).startswith(fence) and not line.strip(" `~"))):
            fence = "" if fence else mark.group(1)
            yield line, None
            continue
        match = None if fence else re.match(r"^(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$", line)
        yield line, (len(match.group(1)), match.group(2)) if match else None
