"""Ways to break the estate, each with what a user would notice, what sees it from outside, and what undoes it.

A fault changes the world as the world is changed: by an operator's stop, a colleague's commit, a session that hangs. No
service and no check knows that it exists.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import yaml

from evals.lab.errors import LabError
from evals.lab.estate import Estate, Role
from evals.lab.front import Answer
from evals.lab.lab import Lab

FELT_SECONDS = 6.0
"""Nobody writes a ticket in the second in which something hangs."""
HEALTHY = "healthy"
"""The name of the tickets for which nothing was broken."""


@dataclass(frozen=True)
class Oracle:
    """Whether users can do their work, and what was seen."""

    ok: bool
    says: str


@dataclass(frozen=True)
class Ticket:
    """A report as its writer typed it; `service` is a service's name where the writer filled that field in."""

    subject: str
    body: str
    requester: str
    service: str | None


def _answered(answer: Answer) -> str:
    """Say what came back, the status first and once."""
    status, body = str(answer.status or "no answer"), answer.body[:200].strip()
    return body if body.startswith(status) else f"{status} {body}".strip()


def permits_usable(lab: Lab) -> Oracle:
    """Do what users do, through the front: hand in an application, read it again, look at the list."""
    submitted = lab.request("POST", "/permits", {"kind": "fence", "parcel": "12-0440"})
    if submitted.status != 201:
        return Oracle(
            False,
            f"an application cannot be handed in: {_answered(submitted)}",
        )
    try:
        permit = json.loads(submitted.body)
        number, reference = int(permit["id"]), permit["reference"]
    except (ValueError, KeyError, TypeError):
        return Oracle(False, f"handing in an application was answered with something else: {submitted.body[:200]}")
    read = lab.request("GET", f"/permits/{number}")
    if read.status != 200 or reference not in read.body:
        return Oracle(
            False, f"permit {reference} cannot be read: {read.status or 'no answer'} {read.body[:200]}".strip()
        )
    listed = lab.request("GET", "/permits")
    if listed.status != 200 or reference not in listed.body:
        return Oracle(
            False, f"the list lacks permit {reference}: {listed.status or 'no answer'} {listed.body[:200]}".strip()
        )
    return Oracle(True, f"an application was handed in, read and listed ({reference})")


class Fault(ABC):
    """One way to break the estate."""

    name: str
    summary: str
    variants: int = 1

    @abstractmethod
    def inject(self, lab: Lab, variant: int = 0) -> None:
        """Break it, and return when it is broken."""

    def undo(self, lab: Lab) -> None:
        """Bring the estate back to health, whatever state it is in."""
        lab.heal()

    def oracle(self, lab: Lab) -> Oracle:
        """Look at the estate from outside, as its users do."""
        return permits_usable(lab)

    def ticket(self, estate: Estate, variant: int = 0) -> Ticket:
        """Return what somebody writes when this has happened; `variant` is taken modulo the texts there are."""
        return ticket(self.name, estate, variant)


class ServiceStopped(Fault):
    """The application has been stopped and nobody started it again."""

    name = "service-stopped"
    summary = "the application is stopped through its supervisor, as an operator would, and stays down"

    def inject(self, lab: Lab, variant: int = 0) -> None:
        """Stop the application."""
        lab.supervision.halt(lab.application.name)


class ConfigBroken(Fault):
    """A colleague committed a change to the application's configuration and restarted it; it refuses the file."""

    name = "config-broken"
    summary = "a colleague commits a change with a slip in it to the application's configuration and restarts it"
    SLIPS: ClassVar = (
        # What is replaced, what stands there then, and what the colleague wrote about it.
        ("pool_max = 8", 'pool_max = "sixteen"', "more database connections for the Monday rush"),
        ("lock_timeout_ms = 3000", "lock_timout_ms = 2000", "shorter wait for locks"),
        ("statement_timeout_ms = 5000", "statement_timeout_ms = 50", "stricter limit for slow statements"),
        ("pool_max = 8", "pool_max = 16,", "room for two more counters"),
    )
    variants = len(SLIPS)

    def inject(self, lab: Lab, variant: int = 0) -> None:
        """Commit the change and restart the application, which then gives up."""
        path = _config(lab)
        before, after, subject = self.SLIPS[variant % self.variants]
        text = path.read_text(encoding="utf-8")
        if before not in text:
            raise LabError(f"{path} is not as the lab wrote it, there is no {before!r} in it: reset the lab first")
        path.write_text(text.replace(before, after), encoding="utf-8")
        lab.history.commit(lab.estate.authors[1], f"{lab.application.name}: {subject}")
        lab.supervision.restart(lab.application.name)
        # On a busy machine it can take longer than supervisord's second to refuse, and counts as running until then.
        lab.supervision.until(
            lambda: lab.state(Role.APPLICATION).state in ("FATAL", "EXITED"), 10, f"{lab.application.name} to give up"
        )


class DatabaseLocked(Fault):
    """A report holds a lock on the permits table in a transaction that it never ends."""

    name = "database-locked"
    summary = "a reporting session locks the permits table and hangs, its transaction open"

    def inject(self, lab: Lab, variant: int = 0) -> None:
        """Start the report, and wait until users have felt it for as long as it takes to write to somebody."""
        lab.start_report()
        lab.supervision.until(lambda: not lab.healthy(), 10, "the lock to be felt")
        lab.supervision.until(lambda: lab.report_holds_lock(FELT_SECONDS), 20, "the lock to be felt for a while")


FAULTS: dict[str, Fault] = {fault.name: fault for fault in (ServiceStopped(), ConfigBroken(), DatabaseLocked())}


def fault(name: str) -> Fault:
    """Return the fault of that name, or raise LabError with the names there are."""
    try:
        return FAULTS[name]
    except KeyError:
        raise LabError(f"there is no fault {name!r}: choose one of {', '.join(FAULTS)}") from None


def ticket(name: str, estate: Estate, variant: int = 0) -> Ticket:
    """Return a ticket text for a fault, or for HEALTHY; `variant` is taken modulo the texts there are."""
    texts = yaml.safe_load(Path(__file__).with_name("tickets.yaml").read_text(encoding="utf-8"))
    if name not in texts:
        raise LabError(f"there are no tickets for {name!r}: choose one of {', '.join(texts)}")
    text = texts[name][variant % len(texts[name])]
    front = estate.services[Role.FRONT]
    words = {role.value: estate.services[role].title for role in Role} | {
        "alias": front.aliases[0],
        "front_name": front.name,
    }
    return Ticket(
        subject=text["subject"].format(**words),
        body=text["body"].format(**words),
        requester=estate.requesters[variant % len(estate.requesters)],
        service=estate.services[Role(text["service"])].name if "service" in text else None,
    )


def solved(estate: Estate) -> list[dict[str, object]]:
    """Return tickets of earlier months that somebody solved: what a ticket system holds before any assistant comes."""
    names = {role.value: estate.services[role].title for role in Role} | {
        "alias": estate.services[Role.FRONT].aliases[0]
    }
    texts = yaml.safe_load(Path(__file__).with_name("solved.yaml").read_text(encoding="utf-8"))
    return [
        {key: value.format(**names) if isinstance(value, str) else value for key, value in text.items()}
        | {"service": estate.services[Role(text["service"])].name, "requester": estate.requesters[0]}
        for text in texts
    ]


def _config(lab: Lab) -> Path:
    path = lab.application.config
    if path is None:
        raise LabError(f"{lab.application.name} has no configuration file")
    return path
