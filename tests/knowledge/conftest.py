"""The real model, loaded once for a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.embedding import Embedder, open_embedder


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Where the built graph is kept; the workers of one run share it, since two builds at once do no harm."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "minilm"


@pytest.fixture(scope="session")
def minilm(model_cache: Path) -> Embedder:
    choice = open_embedder(model_cache)
    assert choice.embedder is not None, choice.warning
    return choice.embedder
