"""A real server on a real lab, for the clients of other front ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from benchmarks.served import Server, key, prepare, served
from evals.lab.faults import FAULTS, Oracle
from evals.lab.lab import Lab
from tests.agui.client import Clients, clients
from tests.agui.page import PageSite
from tests.labs import lab_directory

SCOPES = ("read", "ask", "decide")
APPROVER, REQUESTER = "dana.meyer", "ines.costa"


@dataclass(frozen=True)
class World:
    """A server, the lab it works on, a page of another site that may call it, and the keys of two people."""

    server: Server
    lab: Lab
    site: PageSite
    approver: str
    requester: str

    @property
    def origin(self) -> str:
        """Where the server is."""
        return self.server.origin

    def api(self, key: str = "") -> httpx.Client:
        """Return a client of the API with a key: the approver's where none is given."""
        headers = {"Authorization": f"Bearer {key or self.approver}"}
        return httpx.Client(base_url=self.origin, headers=headers, timeout=20)

    def seen_from_outside(self) -> Oracle:
        """Return whether users can do their work."""
        return FAULTS["service-stopped"].oracle(self.lab)


@pytest.fixture(scope="session")
def node() -> Iterator[Clients]:
    """AG-UI's clients in a Node of their own."""
    with clients() as one:
        yield one


@pytest.fixture(scope="session")
def world(node: Clients) -> Iterator[World]:
    """A server as `countersign serve` starts it. It asks for the clients first: without them nothing need start."""
    with PageSite() as site, lab_directory() as directory:
        lab = Lab.start(directory / "lab")
        try:
            settings = prepare(directory, lab, {"third-party": site.origin})
            with served(settings) as server:
                yield World(server, lab, site, key(settings, APPROVER, *SCOPES), key(settings, REQUESTER, *SCOPES))
                print(server.said()[-6000:])
        finally:
            lab.stop(remove=True)


@pytest.fixture
def broken(world: World) -> Iterator[World]:
    """The same, with the application stopped; well again afterwards."""
    fault = FAULTS["service-stopped"]
    fault.inject(world.lab)
    yield world
    fault.undo(world.lab)
