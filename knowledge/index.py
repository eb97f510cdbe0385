"""The knowledge of a team, open for search: documents, and their vectors in Chroma.

Chroma's index belongs to one process at a time (two on one directory silently break it), so a lock stands before it
and a second process builds its own in memory, from the same documents and the same cache of vectors. The index can
always be made again: whatever is wrong with it, it is thrown away and rebuilt from the documents.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import RLock
from typing import IO, Any, NoReturn

import chromadb
import numpy as np
from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings

from knowledge.chunks import Chunk, chunk
from knowledge.documents import Document, Problem, read_documents
from knowledge.embedding import Embedder, Vectors
from knowledge.embedding_cache import EmbeddingCache
from knowledge.search import Ranker, SearchResult
from knowledge.text import split_camel_case

Progress = Callable[[str], None]
NEAREST = 256
"""Passages and titles taken from Chroma for one text; what is farther away adds nothing to a page's place."""
_BATCH = 2000
_SCHEMA = "2"
_PASSAGES, _TITLES = "passages", "titles"


class IndexDamaged(RuntimeError):
    """Chroma's files do not give what was put into them."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A text of the index: `id` follows from its content, `position` is its place in the Ranker."""

    id: str
    position: int
    text: str


def open_knowledge(
    folders: Sequence[Path],
    directory: Path,
    embedder: Embedder | None,
    on_progress: Progress | None = None,
    *,
    cache: Path | None = None,
) -> Knowledge:
    """Read the folders and open the index kept in `directory`, bringing it up to what the folders have.

    `cache` is the folder that keeps vectors by the text they were made from, for several indexes; `directory` without.

    Never fails for what is in a folder or in the index: bad files are in `problems`, everything else in `warnings`.
    """
    say = on_progress or _silent
    documents, problems = read_documents(folders)
    say(f"read {len(documents)} pages")
    chunks = [chunk(document) for document in documents]
    ranker = Ranker(documents, chunks)
    if embedder is None:
        return Knowledge(ranker, problems, None)
    warnings: list[str] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = _take_lock(directory)
        if lock is None:
            warnings.append(f"{directory} is in use by another process: the index of this one is kept in memory")
    except OSError as error:
        lock = None
        warnings.append(f"{directory} cannot be used ({error.strerror}): the index is kept in memory")
    vectors = VectorIndex(directory, lock, embedder, say, cache or directory)
    vectors.fill(ranker.chunks, documents)
    return Knowledge(ranker, problems, vectors, warnings)


class Knowledge:
    """Pages open for search. Use from several threads is allowed; `close` when done."""

    def __init__(
        self, ranker: Ranker, problems: Sequence[Problem], vectors: VectorIndex | None, warnings: Sequence[str] = ()
    ) -> None:
        self._ranker = ranker
        self._vectors = vectors
        self._warnings = list(warnings)
        self.problems = tuple(problems)

    @property
    def embedder(self) -> Embedder | None:
        """What turns texts into vectors here; None where pages are found by words alone."""
        return self._vectors.embedder if self._vectors else None

    @property
    def documents(self) -> tuple[Document, ...]:
        """Every page that could be read."""
        return self._ranker.documents

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know of the index, in plain sentences."""
        return (*self._warnings, *(self._vectors.warnings if self._vectors else ()))

    def document(self, page: str) -> Document | None:
        """The page with this id."""
        return next((document for document in self.documents if document.id == page), None)

    def search(
        self, query: str, limit: int = 5, *, owner: str | None = None, executable: bool | None = None
    ) -> SearchResult:
        """The best pages for a text (a ticket, an alert, a question); filters leave pages out before ranking."""

        def keep(document: Document) -> bool:
            return (owner is None or document.owner == owner) and (
                executable is None or (document.executable is not None) == executable
            )

        if self._vectors is None or not self.documents:
            result = self._ranker.search(query, None, limit=limit, keep=keep)
            return replace(result, notes=("search by words alone",)) if self.documents else result
        try:
            return self._ranker.search(query, self._vectors, limit=limit, keep=keep)
        except IndexDamaged as error:
            result = self._ranker.search(query, None, limit=limit, keep=keep)
            return replace(result, notes=(f"search by words alone: {error}",))

    def close(self) -> None:
        """Let go of the index and its lock."""
        if self._vectors is not None:
            self._vectors.close()

    def __enter__(self) -> Knowledge:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class VectorIndex:
    """The vectors of passages and titles in Chroma: on disk while `lock` is held, otherwise in memory."""

    def __init__(self, directory: Path, lock: IO[str] | None, embedder: Embedder, say: Progress, cache: Path) -> None:
        self.warnings: list[str] = []
        self._directory = directory
        self._lock = lock
        self.embedder = embedder
        self._say = say
        self._cache = EmbeddingCache(cache / "embeddings.sqlite")
        self._entries: dict[str, list[_Entry]] = {_PASSAGES: [], _TITLES: []}
        self._positions: dict[str, dict[str, int]] = {}
        self._collections: dict[str, Collection] = {}
        self._client: ClientAPI | None = None
        self._guard = RLock()

    def fill(self, chunks: Sequence[Chunk], documents: Sequence[Document]) -> None:
        """Bring the index to exactly these texts, adding and removing what changed."""
        titles = [split_camel_case(document.title) for document in documents]
        self._entries = {
            _PASSAGES: _entries([(c.page, c.indexed) for c in chunks]),
            _TITLES: _entries([(d.id, title) for d, title in zip(documents, titles, strict=True)]),
        }
        self._positions = {name: {e.id: e.position for e in entries} for name, entries in self._entries.items()}
        with self._guard:
            self._open_or_rebuild()

    def nearest(self, texts: Sequence[str]) -> tuple[Mapping[int, float], Mapping[int, float]]:
        """Cosines of the nearest passages and titles. A damaged index is rebuilt once; raises IndexDamaged after
        that."""
        vectors = self.embedder.embed(texts)
        with self._guard:
            try:
                return self._query(_PASSAGES, vectors), self._query(_TITLES, vectors)
            except IndexDamaged as error:
                if self._client is None:
                    raise
                self.warnings.append(f"the index was damaged and has been rebuilt from the documents ({error})")
                self._rebuild()
                return self._query(_PASSAGES, vectors), self._query(_TITLES, vectors)

    def close(self) -> None:
        """Close Chroma and the cache, and give the lock back."""
        with self._guard:
            self._close_client()
            self._cache.close()
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def _open_or_rebuild(self) -> None:
        try:
            self._open(self._generation())
            self._synchronise()
        except IndexDamaged as error:
            self._say("the index is rebuilt from the documents")
            self.warnings.append(f"the index could not be used and has been rebuilt from the documents ({error})")
            self._rebuild()

    def _rebuild(self) -> None:
        """Begin anew: first on disk in a fresh folder, then, where even that fails, in memory."""
        self._close_client()
        for on_disk in (True, False) if self._lock else (False,):
            try:
                self._open(self._new_generation() if on_disk else None)
                self._synchronise()
                return
            except IndexDamaged as error:
                self._close_client()
                self.warnings.append(
                    f"the index cannot be kept on disk and is kept in memory ({error})" if on_disk else str(error)
                )
            except OSError as error:
                self.warnings.append(f"the index cannot be kept on disk and is kept in memory ({error.strerror})")

    # The files of Chroma live in a folder of their own, a new one after each rebuild, since a client that was once
    # opened on a folder stays with it for the life of the process. `current` names the folder in use and is replaced
    # in one step.

    def _generation(self) -> Path | None:
        if self._lock is None:
            return None
        try:
            name = (self._directory / "current").read_text(encoding="ascii").strip()
            if name.startswith("chroma-") and (self._directory / name).is_dir():
                self._sweep(name)
                return self._directory / name
        except (OSError, UnicodeDecodeError):
            pass
        try:
            return self._new_generation()
        except OSError as error:
            raise IndexDamaged(f"{self._directory} cannot be written: {error.strerror}") from error

    def _new_generation(self) -> Path:
        path = self._directory / f"chroma-{uuid.uuid4().hex[:12]}"
        path.mkdir()
        pointer = self._directory / "current.new"
        pointer.write_text(path.name + "\n", encoding="ascii")
        os.replace(pointer, self._directory / "current")
        self._sweep(path.name)
        return path

    def _sweep(self, keep: str) -> None:
        for old in self._directory.glob("chroma-*"):
            if old.name != keep:
                shutil.rmtree(old, ignore_errors=True)

    def _open(self, folder: Path | None) -> None:
        settings = Settings(anonymized_telemetry=False)
        with _damage("open"):
            if folder is None:
                self._client = chromadb.EphemeralClient(settings=settings)
            else:
                self._client = chromadb.PersistentClient(str(folder), settings=settings)
            # All in-memory clients of a process share one store: a name of its own keeps two indexes apart.
            suffix = "" if folder else f"-{uuid.uuid4().hex}"
            described = {"embedder": self.embedder.id, "schema": _SCHEMA}
            for name in (_PASSAGES, _TITLES):
                self._collections[name] = self._client.get_or_create_collection(
                    name + suffix,
                    metadata=described,
                    # The list that is searched must be longer than what is asked for, or answers come back short.
                    configuration={"hnsw": {"space": "cosine", "ef_search": 3 * NEAREST, "ef_construction": 200}},
                    embedding_function=None,
                )
                found = self._collections[name].metadata or {}
                if any(found.get(key) != value for key, value in described.items()):
                    _refuse(f"it was built with {found.get('embedder')!r}, and this is {self.embedder.id!r}")

    def _synchronise(self) -> None:
        for name, entries in self._entries.items():
            collection = self._collections[name]
            with _damage("read"):
                there = set(collection.get(include=[])["ids"])
            gone = sorted(there - self._positions[name].keys())
            missing = [entry for entry in entries if entry.id not in there]
            # Embedding stands outside `_damage`: a model that fails is no fault of the index.
            vectors = self._embed(name, missing)
            with _damage("write"):
                for start in range(0, len(gone), _BATCH):
                    collection.delete(ids=gone[start : start + _BATCH])
                for start in range(0, len(missing), _BATCH):
                    some = missing[start : start + _BATCH]
                    collection.add(ids=[e.id for e in some], embeddings=vectors[start : start + _BATCH])
                if collection.count() != len(entries):
                    _refuse(f"it has {collection.count()} of {len(entries)} {name}")
            if entries:
                # Records without their vectors are what a kill leaves behind now and then: ask once before trusting it.
                self._query(name, self._cache.vectors([entries[-1].text], self.embedder))

    def _embed(self, name: str, missing: Sequence[_Entry]) -> Vectors:
        return self._cache.vectors(
            [entry.text for entry in missing],
            self.embedder,
            lambda done, of: self._say(f"embedded {done} of {of} {name}"),
        )

    def _query(self, name: str, vectors: Vectors) -> dict[int, float]:
        wanted = min(NEAREST, len(self._entries[name]))
        if wanted == 0:
            return {}
        best: dict[int, float] = {}
        with _damage("query"):
            answer: Any = self._collections[name].query(
                query_embeddings=np.ascontiguousarray(vectors), n_results=wanted, include=["distances"]
            )
            for ids, distances in zip(answer["ids"], answer["distances"], strict=True):
                # An approximate search may miss some of many, never most of them.
                if len(ids) < wanted * 0.5:
                    _refuse(f"it answered {len(ids)} of {wanted} {name}")
                for found, distance in zip(ids, distances, strict=True):
                    position = self._positions[name][found]
                    best[position] = max(best.get(position, -1.0), 1.0 - float(distance))
        return best

    def _close_client(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(Exception):
            for collection in self._collections.values():
                if "-" in collection.name:
                    client.delete_collection(collection.name)
        self._collections = {}
        with contextlib.suppress(Exception):
            client.close()  # type: ignore[attr-defined]  # on the client, not on the protocol


class _damage(contextlib.AbstractContextManager[None]):
    """Whatever Chroma raises, a panic of its Rust part included, is damage of the index and no more."""

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or isinstance(error, KeyboardInterrupt | SystemExit | IndexDamaged):
            return
        first = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise IndexDamaged(f"{self._doing}: {first}") from error


def _refuse(why: str) -> NoReturn:
    raise IndexDamaged(why)


def _entries(texts: Sequence[tuple[str, str]]) -> list[_Entry]:
    """Ids that follow from page and text; where a page says the same twice, the second gets a number."""
    seen: dict[str, int] = {}
    entries = []
    for position, (page, text) in enumerate(texts):
        key = hashlib.sha256(f"{page}\0{text}".encode("utf-8", "replace")).hexdigest()[:40]
        seen[key] = seen.get(key, 0) + 1
        entries.append(_Entry(key if seen[key] == 1 else f"{key}-{seen[key]}", position, text))
    return entries


def _take_lock(directory: Path) -> IO[str] | None:
    """Hold the lock of a directory until the file is closed or the process ends, kill -9 included; None when it is
    held."""
    file = (directory / "lock").open("a", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        file.close()
        raise
    return file


def _silent(_: str) -> None:
    return None
