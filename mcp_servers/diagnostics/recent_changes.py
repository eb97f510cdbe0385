"""recent_changes: who changed the service's configuration lately, does it stand up to the service's own checker,
and which earlier revision did."""

from __future__ import annotations

import asyncio
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio.to_thread
from pydantic import BaseModel, ConfigDict, Field

from mcp_servers.diagnostics.checker import ACCEPTED, Checker, Verdict
from mcp_servers.diagnostics.history import MAX_FILE_BYTES, Revision, revisions
from mcp_servers.diagnostics.network import causes
from mcp_servers.diagnostics.observation import CannotCheck, Observation, missing_facet
from mcp_servers.inventory import Config, Service
from mcp_servers.moments import Watch, iso

LISTED = 5
CHECKERS_AT_ONCE = max(2, os.cpu_count() or 2)

_DELETED = Verdict(False, "the file does not exist at this revision, or is larger than 1 MiB")


class Change(BaseModel):
    """One change of the file; an edit that was never committed has no revision and no author."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    revision: str
    at: str
    author: str
    subject: str
    valid: bool = Field(description="the service's own checker accepts the file as this change left it")
    error: str


class RecentChanges(Observation):
    """The configuration's recent past, judged by the service's own checker."""

    count: int = Field(description="changes within the window; an uncommitted edit counts")
    changes: list[Change] = Field(description="the newest of them, newest first, at most 5")
    uncommitted: bool
    current_valid: bool
    current_error: str
    last_good: str = Field(description="newest revision with other content that the checker accepts; empty if none")


async def recent_changes(service: Service, within_hours: int, checker: Checker) -> RecentChanges:
    """Read the file's history and have the checker judge it as it stands and as it stood.

    Looks at most 20 revisions back. Raises CannotCheck without `config`, git, or a checker that ends in time.
    """
    config = service.config
    if config is None:
        raise missing_facet(service.name, "config")
    watch = Watch()
    since = datetime.now(UTC) - timedelta(hours=within_hours)
    past = await revisions(config)
    content, written = await anyio.to_thread.run_sync(read_current, config.path, abandon_on_cancel=True)
    uncommitted = not past or past[0].content != content
    recent = [revision for revision in past if revision.at >= since]
    listed = recent[: LISTED - uncommitted]
    try:
        async with asyncio.TaskGroup() as tasks:
            now = tasks.create_task(_judge(checker, config, content))
            good = tasks.create_task(_last_good(checker, config, [each for each in past if each.content != content]))
            then = [tasks.create_task(_judge(checker, config, revision.content)) for revision in listed]
    except ExceptionGroup as several:
        raise next((each for each in causes(several) if isinstance(each, CannotCheck)), several) from several
    verdict = now.result()
    changes = [_change(revision, each.result()) for revision, each in zip(listed, then, strict=True)]
    if uncommitted:
        edit = Change(
            revision="",
            at=iso(written) if written else "",
            author="",
            subject="an edit that was not committed" if content is not None else "the file is missing",
            valid=verdict.valid,
            error=verdict.error,
        )
        changes.insert(0, edit)
    return RecentChanges(
        service=service.name,
        observed_at=watch.started_at,
        took_ms=watch.ms(),
        count=len(recent) + uncommitted,
        changes=changes,
        uncommitted=uncommitted,
        current_valid=verdict.valid,
        current_error=verdict.error,
        last_good=good.result(),
    )


def read_current(path: Path) -> tuple[bytes | None, datetime | None]:
    """Return the file as it stands and when it was written; (None, None) when it is not there."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_FILE_BYTES:
                raise CannotCheck(f"{path} is not a configuration file of at most 1 MiB; mend `config.path`")
            return file.read(MAX_FILE_BYTES), datetime.fromtimestamp(about.st_mtime, UTC)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise CannotCheck(f"cannot read {path}: {error.strerror}; give this server's user permission") from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


async def _judge(checker: Checker, config: Config, content: bytes | None) -> Verdict:
    return _DELETED if content is None else await checker.judge(config, content)


async def _last_good(checker: Checker, config: Config, candidates: list[Revision]) -> str:
    """Return the newest accepted candidate; asked one after the other, since the first is nearly always the one."""
    for revision in candidates:
        if revision.content is not None and (await checker.judge(config, revision.content)) == ACCEPTED:
            return revision.id
    return ""


def _change(revision: Revision, verdict: Verdict) -> Change:
    return Change(
        revision=revision.id,
        at=iso(revision.at),
        author=revision.author,
        subject=revision.subject,
        valid=verdict.valid,
        error=verdict.error,
    )
