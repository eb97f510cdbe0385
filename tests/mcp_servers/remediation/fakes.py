"""A gate with the world of the vectors behind it, and a target that only records what is done to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from mcp_servers.inventory import Service
from mcp_servers.remediation.catalogue import Action, Catalogue, Promise
from mcp_servers.remediation.executor import Executor, Outcome, Sources
from mcp_servers.remediation.gate import Trust
from mcp_servers.remediation.journal import Journal
from mcp_servers.remediation.play import PlayRequest, PlayResult
from tests.vectors import grant_world


def trust(world: Mapping[str, Any] | None = None) -> Trust:
    """Return what a server believes in the world of the vectors."""
    known = world or grant_world.document()
    key = load_pem_public_key(known["public_key"].encode())
    assert isinstance(key, Ed25519PublicKey)
    actions = {
        name: Action(Promise.model_validate(promise), Path(f"/plays/{name}.yml"))
        for name, promise in known["actions"].items()
    }
    catalogue = Catalogue(actions, known["catalogue"])
    services = {name: Service(name=name, **body) for name, body in known["services"].items()}
    return Trust(key, known["audience"], catalogue, services)


class FixedSources(Sources):
    """Sources that believe the world of the vectors, whatever stands on the disk."""

    def catalogue(self) -> Catalogue:
        return trust().catalogue

    def services(self) -> Mapping[str, Service]:
        return trust().services

    def trust(self) -> Trust:
        return trust()


@dataclass
class FakeTarget:
    """Stands for Ansible and the service: answers looks with `look`, and records each act."""

    look: PlayResult
    acted: PlayResult | None = None
    on_look: Callable[[], None] = lambda: None
    """Called while a look is made."""
    looks: list[PlayRequest] = field(default_factory=list)
    acts: list[PlayRequest] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, request: PlayRequest, held: Sequence[int] = ()) -> PlayResult:
        """Take the place of `run_play`."""
        with self.lock:
            (self.looks if request.check else self.acts).append(request)
        if request.check:
            self.on_look()
        return self.look if request.check or self.acted is None else self.acted


def as_rehearsed(proposal: dict[str, Any], **changes: Any) -> PlayResult:
    """Return what a play says on a target that is as the proposal says."""
    effect = proposal["effect"]
    undo = proposal["undo"].get("params", {})
    return PlayResult.model_validate(
        {"status": "ok", "changed": True, "before": effect["before"], "after": effect["after"], "undo": undo, **changes}
    )


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, *moments: datetime) -> None:
        self._moments = list(moments) or [grant_world.NOW]

    def __call__(self) -> datetime:
        return self._moments.pop(0) if len(self._moments) > 1 else self._moments[0]


def executor(directory: Path, target: FakeTarget, clock: Clock | None = None) -> Executor:
    """Return an executor over the fake target with a journal of its own in `directory`."""
    sources = FixedSources(directory / "inventory.yaml", directory / "key.pem", grant_world.AUDIENCE)
    return Executor(sources, Journal(directory / "journal.db"), target.run, clock or Clock())


def execute(directory: Path, case: Mapping[str, Any], target: FakeTarget | None = None) -> tuple[Outcome, FakeTarget]:
    """Send a case of the vectors to an executor over a fake target."""
    fake = target or FakeTarget(as_rehearsed(case["proposal"]))
    return executor(directory, fake).execute(case["operation_id"], case["proposal"], case["token"]), fake
