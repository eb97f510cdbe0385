"""One lab for all tests of a worker that act on real services, and an executor that may act on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from evals.lab.lab import Lab
from mcp_servers.remediation.executor import Executor, Sources
from mcp_servers.remediation.journal import Journal
from tests.labs import running_lab
from tests.mcp_servers.remediation.office import Office
from tests.vectors import grant_world


@pytest.fixture(scope="session")
def _lab() -> Iterator[Lab]:
    with running_lab() as lab:
        yield lab


@pytest.fixture
def lab(_lab: Lab) -> Iterator[Lab]:
    """The worker's lab, in health, and mended afterwards."""
    yield _lab
    _lab.heal()


@pytest.fixture(scope="session")
def _office(_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    place = tmp_path_factory.mktemp("remediation")
    key = place / "key.pem"
    key.write_text(grant_world.PUBLIC_PEM, encoding="utf-8")
    executor = Executor(Sources(_lab.layout.inventory, key, grant_world.AUDIENCE), Journal(place / "journal.db"))
    yield Office(executor, key)
    executor.ansible.close()


@pytest.fixture
def office(_office: Office) -> Office:
    """Rehearse, approve and execute on the lab."""
    return _office


@pytest.fixture
def state_directory(tmp_path: Path) -> Path:
    """A place for one test's key and journal, with the key in it."""
    (tmp_path / "key.pem").write_text(grant_world.PUBLIC_PEM, encoding="utf-8")
    return tmp_path
