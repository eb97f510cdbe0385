"""The history of the configuration directory: a git work tree, as etckeeper keeps one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evals.lab.errors import LabError


@dataclass(frozen=True)
class Change:
    """One commit: who, when, why, and the files it writes (by name)."""

    author: str
    at: datetime
    subject: str
    files: Mapping[str, str]


class History:
    """The git work tree at `tree`. The caller's own git configuration has no say in it."""

    def __init__(self, tree: Path, domain: str) -> None:
        self.tree = tree
        self._domain = domain

    def begin(self, changes: Sequence[Change]) -> str:
        """Make the repository with these commits, oldest first, and check the last one out. Returns its revision."""
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("fast-import", "--quiet", text="".join(self._stream(change) for change in changes))
        self._git("reset", "--quiet", "--hard", "main")
        return self.revision()

    def revision(self) -> str:
        """Return the revision that is checked out."""
        return self._git("rev-parse", "HEAD").strip()

    def commit(self, author: str, subject: str) -> str:
        """Commit everything as it stands, now, and return the revision."""
        identity = {"NAME": author, "EMAIL": f"{author}@{self._domain}"}
        people = {f"GIT_{who}_{key}": value for who in ("AUTHOR", "COMMITTER") for key, value in identity.items()}
        self._git("add", "--all")
        self._git("commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", subject, extra=people)
        return self.revision()

    def back_to(self, revision: str) -> None:
        """Make work tree and branch what they were at a revision; later commits are forgotten."""
        (self.tree / ".git" / "index.lock").unlink(missing_ok=True)
        self._git("checkout", "--quiet", "--force", "main")
        self._git("reset", "--quiet", "--hard", revision)
        self._git("clean", "--quiet", "--force", "-d")

    def _stream(self, change: Change) -> str:
        """Return a commit in the format of git-fast-import."""
        when = f"{int(change.at.astimezone(UTC).timestamp())} +0000"
        who = f"{change.author} <{change.author}@{self._domain}> {when}"
        lines = ["commit refs/heads/main\n", f"author {who}\n", f"committer {who}\n", _data(change.subject + "\n")]
        lines += [f"M 100644 inline {name}\n{_data(text)}" for name, text in change.files.items()]
        return "".join(lines) + "\n"

    def _git(self, *arguments: str, text: str = "", extra: Mapping[str, str] | None = None) -> str:
        program = shutil.which("git")
        if program is None:
            raise LabError("git is missing: install it, the lab keeps the history of its configuration with it")
        # No GIT_* of the caller: inside a git hook, GIT_DIR would point at somebody else's repository.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C", **(extra or {})}
        command = [program, "-C", str(self.tree), "-c", "gc.auto=0", "-c", "core.autocrlf=false", *arguments]
        done = subprocess.run(
            command,
            input=text,
            text=True,
            encoding="utf-8",
            capture_output=True,
            timeout=30,
            env=environment,
            check=False,
        )
        if done.returncode:
            raise LabError(f"git {arguments[0]} failed in {self.tree}: {done.stderr.strip()}")
        return done.stdout


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}"
