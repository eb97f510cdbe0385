"""What every check returns besides its own numbers, and how a check says that it could not be made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Observation(BaseModel):
    """One look at one service. Numbers carry their unit in the name; there are no nulls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    observed_at: str = Field(description="when the look began, UTC, ISO 8601")
    took_ms: int


class CannotCheck(Exception):
    """Nothing was measured; the message is one plain sentence that says why and what to do."""


def missing_facet(service: str, facet: str) -> CannotCheck:
    """The inventory does not say what this check needs to know."""
    return CannotCheck(f"the inventory has no `{facet}` for {service!r}; add it there, or use another check")
