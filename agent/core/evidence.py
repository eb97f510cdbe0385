"""What was looked at and what was seen. An observation that could not be made carries its reason, never a value."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """One read-only question to one tool. Equal questions are asked once."""

    tool: str
    args: tuple[tuple[str, str | int | bool], ...]

    @staticmethod
    def of(tool: str, **args: str | int | bool) -> Check:
        """Build a check from keyword arguments."""
        return Check(tool, tuple(sorted(args.items())))

    @property
    def service(self) -> str:
        """The service that is looked at."""
        return str(dict(self.args).get("service", ""))

    @property
    def key(self) -> str:
        """A stable name for the question, equal for equal questions."""
        return f"{self.tool}({json.dumps(dict(self.args), sort_keys=True)})"


@dataclass(frozen=True)
class Observation:
    """The answer to a check: `result` when it was made, `error` (one sentence) when it could not be made."""

    id: str
    check: Check
    at: str
    took_ms: int
    server: str = "diagnostics"
    result: dict[str, Any] | None = field(default=None)
    error: str = ""

    @property
    def made(self) -> bool:
        """True when the tool really looked; only then is there a value to reason about."""
        return self.result is not None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON for the checkpoint and the record."""
        return {
            "id": self.id,
            "tool": self.check.tool,
            "args": dict(self.check.args),
            "at": self.at,
            "took_ms": self.took_ms,
            "server": self.server,
            "result": self.result,
            "error": self.error,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Observation:
        """Read back what `to_json` wrote."""
        return Observation(
            id=data["id"],
            check=Check.of(data["tool"], **data["args"]),
            at=data["at"],
            took_ms=data["took_ms"],
            server=data["server"],
            result=data["result"],
            error=data["error"],
        )


def _tells_nothing(value: object) -> bool:
    """True for what is absent or zero; False is an answer, although Python holds it equal to 0."""
    return value is None or value == "" or (value == 0 and value is not False)


def summary(observation: Observation) -> str:
    """Say in one line what an observation showed, whatever the tool: its telling fields, in its own words."""
    if observation.result is None:
        return f"could not be made: {observation.error}"
    skip = {
        "service",
        "observed_at",
        "took_ms",
        "url",
        "host",
        "port",
        "body_excerpt",
        "last_log",
        "lines",
        "changes",
        "blockers",
        "supervisor",
        "pid",
        "filesystems",
    }
    parts = []
    for name, value in observation.result.items():
        if name in skip or _tells_nothing(value) or isinstance(value, list):
            continue
        if isinstance(value, dict):
            value = ", ".join(
                f"{key} {item}" for key, item in value.items() if not _tells_nothing(item) and key != "query"
            )
            if not value:
                continue
        parts.append(f"{name} {str(value).lower() if isinstance(value, bool) else value}")
    return "; ".join(parts) or "nothing out of the ordinary"
