"""`$service`, `$nearest.<kind>` and `$<check>.<field>`: the only blanks a runbook may leave, filled from what is
known."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)*)")

Observations = Mapping[str, Mapping[str, Any]]
"""What was seen, by the name of the check; a check that did not run is absent."""
Nearest = Callable[[str], str | None]
"""The name of the nearest service of a kind, or None."""


class NotKnown(LookupError):
    """A reference has no value: the check did not run, or its result has no such field. `reference` says which."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference} is not known")
        self.reference = reference


def references_in(value: object) -> Iterator[tuple[str, ...]]:
    """The references of a value in order, each as its parts: `$changes.last_good` is ("changes", "last_good")."""
    if isinstance(value, str):
        for match in _REFERENCE.finditer(value):
            yield tuple(match.group(1).split("."))


def resolve(value: Any, *, service: str, observations: Observations, nearest: Nearest) -> Any:
    """Fill one value of a runbook.

    A string that is one reference becomes what it refers to, type and all; anything else stays as written: arguments
    are never put together from pieces. Raises NotKnown when the reference has no value, an empty text or null included.
    """
    if not isinstance(value, str):
        return value
    match = _REFERENCE.fullmatch(value)
    if match is None:
        return value
    return _look_up(tuple(match.group(1).split(".")), service, observations, nearest)


def fill(text: str, *, service: str, observations: Observations, nearest: Nearest) -> str:
    """Fill the references within a sentence for a reader; what is not known is said to be so."""

    def replace(match: re.Match[str]) -> str:
        try:
            return str(_look_up(tuple(match.group(1).split(".")), service, observations, nearest))
        except NotKnown:
            return "(not known)"

    return _REFERENCE.sub(replace, text)


def _look_up(parts: tuple[str, ...], service: str, observations: Observations, nearest: Nearest) -> Any:
    reference = "$" + ".".join(parts)
    if parts == ("service",):
        return service
    if parts[0] == "nearest":
        found = nearest(parts[1]) if len(parts) == 2 else None
        if found is None:
            raise NotKnown(reference)
        return found
    value: Any = observations
    for part in parts:
        if not isinstance(value, Mapping) or part not in value:
            raise NotKnown(reference)
        value = value[part]
    if len(parts) == 1 or value is None or value == "":
        raise NotKnown(reference)
    return value


def nearest_of_kind(
    kind: str, service: str, kinds: Mapping[str, str], depends_on: Mapping[str, Sequence[str]]
) -> str | None:
    """The nearest service of a kind among `service` and what it depends on, breadth first in the order written."""
    waiting, seen = deque([service]), {service}
    while waiting:
        name = waiting.popleft()
        if kinds.get(name) == kind:
            return name
        for needed in depends_on.get(name, ()):
            if needed not in seen:
                seen.add(needed)
                waiting.append(needed)
    return None
