"""What the tests of this room share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.api.identity.sign_in import SignIn
from tests.agent.api.identity.world import DEMO, World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server on which nobody can sign in, with sessions made by hand."""
    made = make_world(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[World]:
    """A server with a demo's sign-in."""
    made = make_world(tmp_path, SignIn(demo=DEMO))
    yield made
    made.store.close()
