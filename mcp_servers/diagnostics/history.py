"""The history of one configuration file in its git work tree, read without running anything the repository names."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mcp_servers.diagnostics.observation import CannotCheck
from mcp_servers.diagnostics.programs import TooSlow, run_program
from mcp_servers.inventory import Config
from mcp_servers.text import clean_line

GIT_TIMEOUT_S = 3.0
MAX_FILE_BYTES = 1024 * 1024
LOOK_BACK = 20

# A repository's own configuration can name programs (fsmonitor, hooks, pager, gpg); none of them runs here.
_ARGUMENTS = (
    "--no-pager",
    "--no-replace-objects",
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "safe.directory=*",
    "-c", "log.showSignature=false",
)  # fmt: skip
_FORMAT = "%H%x00%cI%x00%an%x00%s"


@dataclass(frozen=True)
class Revision:
    """One commit that changed the file, and the file as it was then (None: it was deleted or is too large)."""

    id: str
    at: datetime
    author: str
    subject: str
    content: bytes | None


async def revisions(config: Config) -> list[Revision]:
    """Return the newest commits that changed the file, newest first, at most 20.

    Raises CannotCheck when there is no git, no work tree, or no answer in time.
    """
    path = tracked_path(config)
    log = await _git(config.repository, "log", f"--max-count={LOOK_BACK}", f"--format={_FORMAT}", "--", path)
    heads = [line.split("\0", 3) for line in log.decode("utf-8", "replace").split("\n") if line.count("\0") >= 3]
    contents = await _contents(config.repository, [f"{head[0]}:{path}" for head in heads])
    return [
        Revision(
            id=identity,
            at=datetime.fromisoformat(at),
            author=clean_line(author, 100),
            subject=clean_line(subject, 200),
            content=content,
        )
        for (identity, at, author, subject), content in zip(heads, contents, strict=True)
    ]


def tracked_path(config: Config) -> str:
    """Return the file's path inside its repository; raises CannotCheck when it lies outside."""
    try:
        inside = config.path.parent.resolve().relative_to(config.repository.resolve()) / config.path.name
    except ValueError:
        raise CannotCheck(f"{config.path} is not inside {config.repository}; mend `config` in the inventory") from None
    if "\n" in str(inside):
        raise CannotCheck("the configuration file's path has a line break in it; rename the file")
    return str(inside)


async def _contents(repository: Path, names: list[str]) -> list[bytes | None]:
    """Read many blobs with one git process."""
    if not names:
        return []
    batch = "".join(f"{name}\n" for name in names).encode()
    output = await _git(repository, "cat-file", "--batch", stdin=batch)
    contents: list[bytes | None] = []
    at = 0
    for _ in names:
        end = output.find(b"\n", at)
        header = output[at:end].split(b" ")
        at = end + 1
        if end < 0 or len(header) != 3 or header[1] != b"blob":
            contents.append(None)
            continue
        size = int(header[2])
        blob = output[at : at + size]
        contents.append(blob if len(blob) == size <= MAX_FILE_BYTES else None)
        at += size + 1
    return contents


async def _git(repository: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    git = shutil.which("git")
    if git is None:
        raise CannotCheck("git is not installed on this machine; install it to see configuration changes")
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
    }
    try:
        done = await run_program(
            [git, *_ARGUMENTS, *arguments], env=env, cwd=repository, timeout=GIT_TIMEOUT_S, stdin=stdin
        )
    except TooSlow:
        raise CannotCheck(f"git did not answer within {GIT_TIMEOUT_S:g} s in {repository}; look at that disk") from None
    except OSError as error:
        raise CannotCheck(f"cannot read the repository {repository}: {error.strerror}") from error
    if done.exit_code != 0:
        raise CannotCheck(f"{repository} is not a git work tree with commits; mend `config.repository`")
    return done.output
