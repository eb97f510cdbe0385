"""Proposals and services for tests that need one and do not care which."""

from __future__ import annotations

from typing import Any

from agent.core.estate import Service
from agent.core.proposal import Proposal

PORTAL = Service(
    name="portal",
    kind="app",
    title="Town portal",
    owner="web",
    approvers=("ada", "bo"),
    responders=("cy",),
    facets=frozenset({"health", "supervisor"}),
)


def proposal(**changed: Any) -> Proposal:
    """Return a proposal, with some fields other than usual."""
    fields: dict[str, Any] = {
        "incident": "INC-0001",
        "action": "restart_service",
        "target": "portal",
        "params": {},
        "risk": "low",
        "precondition": "The service is stopped.",
        "effect": {"before": {"state": "stopped"}, "after": {"state": "running"}},
        "expect": [
            {"tool": "service_status", "args": {"service": "portal"}, "field": "state", "equals": "running"},
        ],
        "undo": {"cannot": "a start has nothing to give back"},
        "catalogue": "sha256:" + "a" * 64,
        "tools": "sha256:" + "b" * 64,
        "author": "countersign",
        "requester": "rita",
        "created_at": "2026-11-20T10:00:00Z",
        "expires_at": "2026-11-20T10:30:00Z",
        "nonce": "0" * 32,
    }
    return Proposal.model_validate(fields | changed)
