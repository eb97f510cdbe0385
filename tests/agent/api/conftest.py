"""What the tests of the HTTP interface share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.agent.api.app import Doors, doors
from tests.agent.api.bench import Bench, opened
from tests.agent.api.world import World, lab_world


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def lab() -> AsyncIterator[World]:
    """The whole interface on a real lab of this module's own."""
    async with lab_world() as one:
        yield one


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """The interface with an actor behind it, of this test's own."""
    async with opened(tmp_path) as one:
        yield one


@pytest_asyncio.fixture
async def starting(tmp_path: Path) -> AsyncIterator[Doors]:
    """The interface while it is still starting: nothing stands behind it."""
    async with doors(tmp_path) as one:
        yield one
