"""The estate as the assistant sees it: services, what people call them, who answers for them, what they need."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.core.errors import CountersignError


@dataclass(frozen=True)
class Service:
    """One service: its names, its people, and the services that it depends on."""

    name: str
    kind: str
    title: str = ""
    aliases: tuple[str, ...] = ()
    owner: str = ""
    approvers: tuple[str, ...] = ()
    responders: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    environment: str = ""
    facets: frozenset[str] = frozenset()
    """What the inventory knows about reaching it: health, listen, supervisor, logs, config, disk, postgres."""


FACETS = ("health", "listen", "supervisor", "logs", "config", "disk", "postgres")
NEEDS = {
    "check_http": "health",
    "check_tcp": "listen",
    "check_tls": "tls",
    "service_status": "supervisor",
    "search_logs": "logs",
    "recent_changes": "config",
    "postgres_activity": "postgres",
    "check_disk": "disk",
}
"""What the inventory must know of a service for a diagnostics tool to have something to look at."""


class Estate:
    """All services by name, and the questions the path asks about them."""

    def __init__(self, services: Iterable[Service]) -> None:
        self.services = {service.name: service for service in services}

    def scope(self, name: str) -> tuple[str, ...]:
        """Return `name` and everything it depends on, nearest first, each once."""
        order: list[str] = []
        queue = [name]
        while queue:
            current = queue.pop(0)
            if current in order or current not in self.services:
                continue
            order.append(current)
            queue.extend(self.services[current].depends_on)
        return tuple(order)

    def needed_by(self, name: str) -> list[str]:
        """Return the services that depend on `name`, however far away."""
        return [one for one in self.services if one != name and name in self.scope(one)]

    def depth(self, top: str, name: str) -> int:
        """Return how many steps of dependency lie between `top` and `name` (0 for itself or when unrelated)."""
        order = {top: 0}
        queue = [top]
        while queue:
            current = queue.pop(0)
            for needed in self.services[current].depends_on if current in self.services else ():
                if needed not in order:
                    order[needed] = order[current] + 1
                    queue.append(needed)
        return order.get(name, 0)

    def nearest(self, name: str, kind: str) -> str | None:
        """Return the nearest service of `kind` among `name` and what it depends on, or None."""
        return next((one for one in self.scope(name) if self.services[one].kind == kind), None)

    def user_facing(self) -> list[Service]:
        """Return the services that no other one depends on and that can be looked at from outside, by name."""
        needed = {name for service in self.services.values() for name in service.depends_on}
        return [
            service
            for name, service in sorted(self.services.items())
            if name not in needed and service.facets & {"health", "listen"}
        ]

    def named_in(self, text: str) -> tuple[str, ...]:
        """Return the services that `text` names, by name, title or alias; the longest and most frequent names first."""
        folded = " ".join(re.sub(r"[^\w]+", " ", text.casefold()).split())
        found: dict[str, tuple[int, int]] = {}
        for service in self.services.values():
            for word in {service.name, service.title, *service.aliases}:
                wanted = " ".join(re.sub(r"[^\w]+", " ", word.casefold()).split())
                if not wanted:
                    continue
                count = len(re.findall(rf"(?<!\w){re.escape(wanted)}(?!\w)", folded))
                if count:
                    best = found.get(service.name, (0, 0))
                    found[service.name] = max(best, (len(wanted.split()), count))
        return tuple(sorted(found, key=lambda name: (-found[name][0], -found[name][1], name)))

    def hinted_in(self, text: str) -> str | None:
        """Return the service that users see of those whose names share a telling word with `text`, or None.

        A telling word stands in the names of some services of one dependency chain, not in those of every chain and not
        in the list of words that any service may have. Weaker than `named_in`, so whoever uses it says so.
        """
        words = {_stem(word) for word in re.findall(r"\w+", text.casefold())}
        fits = {service.name for service in self.services.values() if words & _telling(service)}
        tops = [name for name in fits if not any(name in self.scope(other) for other in fits if other != name)]
        return tops[0] if len(tops) == 1 else None


_PLAIN_WORDS = frozenset(
    {
        "service",
        "server",
        "system",
        "portal",
        "website",
        "web",
        "site",
        "page",
        "online",
        "app",
        "application",
        "api",
        "database",
        "db",
        "data",
        "register",
        "the",
        "of",
        "and",
        "for",
        "new",
        "it",
        "mail",
        "file",
        "user",
        "main",
    }
)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 4 and word.endswith("s") else word


def _telling(service: Service) -> frozenset[str]:
    text = " ".join((service.name, service.title, *service.aliases)).casefold()
    return frozenset(_stem(word) for word in re.findall(r"[^\W_]+", text) if len(word) > 3) - _PLAIN_WORDS


def estate_from_inventory(document: Any) -> Estate:
    """Read the services out of a parsed Ansible inventory (docs/inventory.md).

    Raises CountersignError when it is no such inventory.
    """
    services: list[Service] = []

    def walk(group: Mapping[str, Any]) -> None:
        for variables in (group.get("hosts") or {}).values():
            for name, body in ((variables or {}).get("countersign_services") or {}).items():
                services.append(_service(str(name), body or {}))
        for child in (group.get("children") or {}).values():
            walk(child or {})

    if not isinstance(document, Mapping) or not isinstance(document.get("all"), Mapping):
        raise CountersignError("an Ansible inventory in YAML begins with the group `all`")
    walk(document["all"])
    if not services:
        raise CountersignError("no host in the inventory carries `countersign_services`")
    return Estate(services)


def _service(name: str, body: Mapping[str, Any]) -> Service:
    def words(key: str) -> tuple[str, ...]:
        return tuple(str(word) for word in body.get(key) or ())

    return Service(
        name=name,
        kind=str(body.get("kind", "")),
        title=str(body.get("title", "")),
        aliases=words("aliases"),
        owner=str(body.get("owner", "")),
        approvers=words("approvers"),
        responders=words("responders"),
        depends_on=words("depends_on"),
        environment=str(body.get("environment", "")),
        facets=frozenset(key for key in FACETS if body.get(key))
        | ({"tls"} if dict(body.get("listen") or {}).get("tls") else frozenset()),
    )
