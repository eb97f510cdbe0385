"""A place for a demo, and the promise that no process works there afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.world import none_left
from tests.labs import lab_directory


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory for demos; whoever uses it must leave no process behind."""
    with lab_directory() as directory:
        yield directory
        assert none_left(directory) == []
