"""One lab for all tests of a worker that only break and mend it, and one with every name changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evals.lab.lab import Lab
from tests.labs import RENAMED, running_lab


@pytest.fixture(scope="session")
def _lab() -> Iterator[Lab]:
    with running_lab() as lab:
        yield lab


@pytest.fixture
def lab(_lab: Lab) -> Lab:
    """The worker's lab, as at its start."""
    _lab.reset()
    return _lab


@pytest.fixture(scope="session")
def _renamed_lab() -> Iterator[Lab]:
    with running_lab(RENAMED) as lab:
        yield lab


@pytest.fixture
def renamed_lab(_renamed_lab: Lab) -> Lab:
    """The same estate under other names, as at its start."""
    _renamed_lab.reset()
    return _renamed_lab
