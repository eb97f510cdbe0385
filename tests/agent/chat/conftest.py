"""Recognisers: one with patterns alone, and one with the real embedding model where this machine has it."""

from __future__ import annotations

import pytest

from agent.chat.intents import Recogniser
from knowledge.embedding import open_embedder


@pytest.fixture(scope="session")
def by_pattern() -> Recogniser:
    return Recogniser()


@pytest.fixture(scope="session")
def by_meaning(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Recogniser:
    base = tmp_path_factory.getbasetemp()
    choice = open_embedder((base if worker_id == "master" else base.parent) / "minilm")
    if choice.embedder is None:
        pytest.skip(choice.warning)
    return Recogniser(choice.embedder)
