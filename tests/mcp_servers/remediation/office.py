"""The other side of the wall, as a test needs it: make a proposal of a rehearsal, have it approved, send it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mcp_servers.remediation.canonical import digest
from mcp_servers.remediation.executor import Executor, Outcome, Rehearsal
from tests.vectors import grant_world


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def propose(seen: dict[str, Any]) -> dict[str, Any]:
    """Return the proposal of a rehearsal."""
    now = datetime.now(UTC)
    same = ("action", "target", "params", "risk", "expect", "undo", "catalogue")
    return {
        "v": 1,
        "domain": "countersign.proposal",
        "incident": "INC-1",
        **{name: seen[name] for name in same},
        "precondition": seen["precondition"]["says"],
        "effect": {"before": seen["before"], "after": seen["after"]},
        "tools": "sha256:" + "7" * 64,
        "author": "countersign",
        "requester": "",
        "created_at": _text(now),
        "expires_at": _text(now + timedelta(minutes=10)),
        "nonce": secrets.token_hex(16),
    }


def approve(proposal: dict[str, Any], approver: str) -> str:
    """Sign a grant as approvals would."""
    now = int(datetime.now(UTC).timestamp())
    return grant_world.grant(proposal, approver, iat=now, nbf=now, exp=now + 300)


@dataclass(frozen=True)
class Office:
    """An executor, and the key it trusts."""

    executor: Executor
    key: Path

    def rehearse(self, action: str, target: str, **params: Any) -> Rehearsal:
        """Rehearse an action."""
        return self.executor.rehearse(action, target, params)

    def carry_out(self, seen: Rehearsal, approver: str) -> Outcome:
        """Propose what was rehearsed, approve it and execute it."""
        proposal = propose(seen.model_dump())
        return self.executor.execute(digest(proposal), proposal, approve(proposal, approver))
