"""Labs for tests: a running estate in a short-named directory of its own, and an estate with every name changed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evals.lab.estate import Estate, load_estate
from evals.lab.lab import Lab

RENAMED = Estate.model_validate(
    {
        "organisation": "Harbour office",
        "domain": "harbour.example",
        "environment": "staging",
        "node": "quay-7",
        "ports": {"first": 13000, "last": 14999},
        "services": {
            "front": {
                "name": "berths-gate",
                "title": "Berth booking",
                "kind": "web",
                "aliases": ["berth booking"],
                "owner": "harbour-it",
                "approvers": ["noor.haddad"],
                "responders": ["ivo.kral"],
            },
            "application": {
                "name": "berths-core",
                "title": "Berth ledger",
                "kind": "app",
                "aliases": ["berth ledger"],
                "owner": "harbour-it",
                "approvers": ["noor.haddad"],
                "responders": ["ivo.kral"],
            },
            "database": {
                "name": "berths-store",
                "title": "Berth database",
                "kind": "postgres",
                "aliases": ["berth database"],
                "owner": "harbour-data",
                "approvers": ["noor.haddad"],
                "responders": ["ivo.kral"],
            },
        },
        "database": {
            "name": "berths",
            "table": "bookings",
            "application_user": "berths_core",
            "monitoring_user": "watch",
            "reporting_user": "figures",
            "reporting_application": "tonnage figures",
        },
        "authors": ["noor.haddad", "ivo.kral", "pia.lund"],
        "requesters": ["tom.reyes"],
    }
)
"""The same estate under other names and in another range of ports."""


@contextmanager
def lab_directory() -> Iterator[Path]:
    """A directory with a short name, since a Unix socket must fit into it; removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running_lab(estate: Estate | None = None, *, idle_minutes: float = 10) -> Iterator[Lab]:
    """A running lab; stopped and removed afterwards, also when the test fails."""
    with lab_directory() as directory:
        lab = Lab.start(directory, estate or load_estate(), idle_minutes=idle_minutes)
        try:
            yield lab
        finally:
            lab.stop(remove=True)


def processes_of(directory: Path) -> list[str]:
    """Every process that was given the directory, or a place in it, or works in it (Linux: read from /proc)."""
    places = {os.fsencode(directory), *(os.fsencode(link.resolve()) for link in (directory / "var").glob("*"))}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            working = os.fsencode((process / "cwd").readlink())
        except OSError:
            continue
        if int(process.name) != os.getpid() and any(place in command or working.startswith(place) for place in places):
            found.append(f"{process.name}: {command.replace(bytes(1), b' ').decode(errors='replace')}")
    return found
