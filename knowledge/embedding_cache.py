"""Vectors by the text they were made from, kept in SQLite: a rebuild of the index embeds nothing twice.

Several processes may use one file. It holds nothing that cannot be made again: when it is damaged it is begun anew,
and when it cannot be written the work goes on without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from knowledge.embedding import Embedder

Vectors = npt.NDArray[np.float32]
SLICE = 64
"""Texts embedded between two reports of progress, and kept together: what a kill can lose."""
_LOOK_UP = 500
_SCHEMA = """CREATE TABLE IF NOT EXISTS vectors (
    embedder TEXT NOT NULL, text TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (embedder, text)) WITHOUT ROWID"""


class EmbeddingCache:
    """Gives vectors for texts, from the file where it has them and from the embedder where not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection | None:
        for attempt in range(2):
            try:
                return _connect(self._path)
            except sqlite3.OperationalError:
                return None  # locked for long, read-only or full: go without
            except sqlite3.DatabaseError:
                if attempt == 0:
                    for suffix in ("", "-wal", "-shm"):
                        with contextlib.suppress(OSError):
                            self._path.with_name(self._path.name + suffix).unlink()
        return None

    def vectors(
        self, texts: Sequence[str], embedder: Embedder, on_progress: Callable[[int, int], None] | None = None
    ) -> Vectors:
        """One row for each text. `on_progress(done, of)` counts the texts that had to be embedded."""
        keys = [hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() for text in texts]
        rows = self._known(embedder, keys)
        waiting = sorted(
            {key: text for key, text in zip(keys, texts, strict=True) if key not in rows}.items(),
            key=lambda item: len(item[1]),
        )
        for start in range(0, len(waiting), SLICE):
            some = waiting[start : start + SLICE]
            fresh = embedder.embed([text for _, text in some])
            rows.update((key, row) for (key, _), row in zip(some, fresh, strict=True))
            self._keep(embedder, [(key, row) for (key, _), row in zip(some, fresh, strict=True)])
            if on_progress:
                on_progress(start + len(some), len(waiting))
        result = np.zeros((len(texts), embedder.dimension), np.float32)
        for position, key in enumerate(keys):
            result[position] = rows[key]
        return result

    def _known(self, embedder: Embedder, keys: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        rows: dict[str, npt.NDArray[np.float32]] = {}
        if self._connection is None:
            return rows
        wanted = list(dict.fromkeys(keys))
        with self._lock, contextlib.suppress(sqlite3.Error):
            for start in range(0, len(wanted), _LOOK_UP):
                some = wanted[start : start + _LOOK_UP]
                marks = ",".join("?" * len(some))
                query = f"SELECT text, vector FROM vectors WHERE embedder = ? AND text IN ({marks})"  # noqa: S608
                for key, blob in self._connection.execute(query, (embedder.id, *some)):
                    row = np.frombuffer(blob, np.float32)
                    if row.shape == (embedder.dimension,) and abs(float(row @ row) - 1.0) < 1e-3:
                        rows[key] = row
        return rows

    def _keep(self, embedder: Embedder, rows: Sequence[tuple[str, npt.NDArray[np.float32]]]) -> None:
        if self._connection is None:
            return
        with self._lock, contextlib.suppress(sqlite3.Error), self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
                [(embedder.id, key, row.astype(np.float32).tobytes()) for key, row in rows],
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(_SCHEMA)
        connection.execute("SELECT embedder, text, vector FROM vectors LIMIT 1").fetchall()
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection
