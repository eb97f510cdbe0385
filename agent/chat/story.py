"""An incident's own evidence, as one value: all that an answer in chat may draw on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from agent.core.evidence import Observation
from agent.core.proposal import Proposal
from agent.core.verdict import Cause, Diagnosis, Outlook, outlook


@dataclass(frozen=True)
class Story:
    """What is known of one incident at one moment. Everything but the incident's name may be absent."""

    incident: str
    ticket: str = ""
    subject: str = ""
    body: str = ""
    requester: str = ""
    service: str = ""
    scope: tuple[str, ...] = ()
    """The service and all that it depends on, nearest first."""
    observations: tuple[Observation, ...] = ()
    sources: tuple[Mapping[str, Any], ...] = ()
    """Pages found: page, title, relevant, executable, digest, passages of heading, text and digest."""
    similar: tuple[Mapping[str, Any], ...] = ()
    """Solved tickets: ticket, subject, solved_at, solution, verified."""
    diagnosis: Diagnosis | None = None
    missing: tuple[str, ...] = ()
    proposal: Proposal | None = None
    digest: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What stands on the card beside the envelope: may_approve, diff, rehearsed_at, owner, needed_by where known."""
    state: str = ""
    """Where the proposal stands; empty where there is none."""
    incident_state: str = ""
    approver: str = ""
    reason: str = ""
    decided_at: str = ""
    outcome: Mapping[str, Any] = field(default_factory=dict)
    """What became of the fix: started_at, finished_at, reason, checks."""
    estate: tuple[str, ...] = ()
    """Every service of the inventory by name, for a question about one outside the scope."""

    @property
    def relevant(self) -> tuple[Mapping[str, Any], ...]:
        """The sources that fit, in the order in which `[1]`, `[2]` count them."""
        return tuple(source for source in self.sources if source.get("relevant"))

    @property
    def view(self) -> Outlook:
        """How the services in scope look from outside."""
        return outlook(self.scope or ((self.service,) if self.service else ()), self.observations)

    @property
    def cause(self) -> Cause | None:
        """The first of the causes, confirmed or not."""
        return self.diagnosis.causes[0] if self.diagnosis and self.diagnosis.causes else None

    def number_of(self, page: str) -> int:
        """Return the number under which a page is cited, 0 when it is no relevant source."""
        return next((n for n, source in enumerate(self.relevant, 1) if source["page"] == page), 0)

    def observation(self, name: str) -> Observation | None:
        """Return the observation with this id, if it was made or tried."""
        return next((one for one in self.observations if one.id == name), None)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        plain["observations"] = [one.to_json() for one in self.observations]
        plain["diagnosis"] = self.diagnosis.to_json() if self.diagnosis else None
        plain["proposal"] = self.proposal.to_json() if self.proposal else None
        copied: dict[str, Any] = json.loads(json.dumps(plain))
        return copied

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Story:
        """Read back what `to_json` wrote; what an older version did not write is absent."""
        known = {one.name for one in fields(Story)}
        plain = {name: value for name, value in data.items() if name in known}
        for name in ("scope", "sources", "similar", "missing", "estate"):
            plain[name] = tuple(plain.get(name) or ())
        return Story(
            **{
                **plain,
                "observations": tuple(Observation.from_json(one) for one in plain.get("observations") or ()),
                "diagnosis": Diagnosis.from_json(plain["diagnosis"]) if plain.get("diagnosis") else None,
                "proposal": Proposal.model_validate(plain["proposal"]) if plain.get("proposal") else None,
            }
        )
