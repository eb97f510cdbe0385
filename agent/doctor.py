"""The doctor: what is configured, reachable and missing, and for each trouble one sentence that mends it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from agent.core.errors import CountersignError
from agent.settings import Settings
from agent.terminal import Terminal

Level = Literal["ok", "warning", "trouble"]
MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "trouble": ("✗", "red")}
LEAST_FREE_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, what was found, and what to do about it."""

    what: str
    level: Level
    says: str
    mend: str = ""


def examine(settings: Settings, as_json: bool) -> int:
    """Look at everything, print the findings, and return 1 when something has to be mended."""
    terminal = Terminal(as_json)
    findings = [*_findings(settings)]
    for one in findings:
        if as_json:
            terminal.line(asdict(one))
            continue
        mark, style = MARKS[one.level]
        terminal.say(f"{mark} {one.what:<16} {one.says}", style)
        if one.mend:
            terminal.say(f"  {'':<16} {one.mend}", "dim")
    return 1 if any(one.level == "trouble" for one in findings) else 0


def _findings(settings: Settings) -> Iterator[Finding]:
    yield from _pages(settings)
    if not settings.audience:
        yield Finding(
            "configuration",
            "warning",
            "there is no countersign.toml here and no demo is running",
            "start `countersign demo`, or name one with --config FILE",
        )
        return
    yield Finding("configuration", "ok", str(settings.file))
    yield from _estate(settings)
    yield from asyncio.run(_servers(settings))
    yield from _approvals(settings)
    yield from _state(settings)
    from agent.doctor_serving import examine_serving

    yield from examine_serving(settings)


def _pages(settings: Settings) -> Iterator[Finding]:
    from agent.commands import page_problems
    from knowledge.documents import read_documents
    from knowledge.embedding import open_embedder

    documents, _ = read_documents([folder for folder in settings.pages if folder.is_dir()])
    wrong = [one for one in page_problems(settings.pages) if one.level == "error"]
    executable = sum(one.executable is not None for one in documents)
    yield Finding(
        "pages",
        "trouble" if wrong or not documents else "ok",
        f"{len(documents)} pages, {executable} of them executable; {len(wrong)} errors",
        "`countersign knowledge lint` names file and line" if wrong else "",
    )
    choice = open_embedder(settings.cache)
    yield Finding(
        "embeddings", "ok" if choice.embedder else "warning", choice.embedder.id if choice.embedder else choice.warning
    )


def _estate(settings: Settings) -> Iterator[Finding]:
    from agent.inventory import load_estate

    try:
        estate = load_estate(settings.inventory)
    except CountersignError as error:
        yield Finding("inventory", "trouble", str(error), "see docs/inventory.md")
        return
    yield Finding("inventory", "ok", f"{len(estate.services)} services in {settings.inventory}")
    nobody = [name for name, service in estate.services.items() if not service.approvers]
    if nobody:
        yield Finding(
            "approvers",
            "warning",
            f"nobody may approve a medium-risk fix of {', '.join(nobody)}",
            "name `approvers` in the inventory",
        )


async def _servers(settings: Settings) -> list[Finding]:
    from agent.gateway.server import Server, specs

    findings = []
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("tickets", "diagnostics", "remediation"):
        server = Server(specs(settings.command(name), name, settings.state, {}, settings.remote.get(name)))
        try:
            await server.start()
            findings.append(Finding(f"mcp {name}", "ok", "answers, and its tools are the pinned ones"))
        except CountersignError as error:
            findings.append(Finding(f"mcp {name}", "trouble", str(error)))
        finally:
            await server.close()
    return findings


def _approvals(settings: Settings) -> Iterator[Finding]:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(settings.socket))
            yield Finding("approvals", "ok", "the process that signs is running")
        except OSError as error:
            yield Finding(
                "approvals",
                "trouble",
                f"the process that signs is not running ({error.strerror or error})",
                "`countersign serve` starts it; alone: python -m agent.approvals --help",
            )
    if not settings.public_key.exists():
        yield Finding(
            "public key",
            "trouble",
            f"{settings.public_key} is missing",
            "the approvals process makes the pair with --make-key",
        )
    elif settings.public_key.stat().st_uid == os.getuid():
        yield Finding(
            "separation",
            "warning",
            "the signing key, the assistant and the remediation server belong to one "
            "operating-system user, so whoever takes over one of them can reach the others",
            "fine for the demo; this release cannot be split over several users yet (SECURITY.md)",
        )


def _state(settings: Settings) -> Iterator[Finding]:
    from agent.journal.store import Journal

    free = shutil.disk_usage(settings.state).free
    yield Finding(
        "disk",
        "ok" if free >= LEAST_FREE_BYTES else "trouble",
        f"{free // 1024**2} MiB free under {settings.state}",
        "" if free >= LEAST_FREE_BYTES else "without room nothing can be journalled, and so nothing is run",
    )
    if not settings.journal.exists():
        yield Finding("journal", "ok", "empty so far")
        return
    yield _checked("journal", lambda: Journal(settings.journal))


def _checked(what: str, opened: Callable[[], Any]) -> Finding:
    try:
        _, count, broken = opened().verify()
    except CountersignError as error:
        return Finding(what, "trouble", str(error))
    if broken:
        return Finding(
            what,
            "trouble",
            f"the chain does not hold at entry {broken.seq}: {broken.why}",
            "keep the file as it is and tell whoever answers for it",
        )
    return Finding(what, "ok", f"{count} entries, chain whole")
