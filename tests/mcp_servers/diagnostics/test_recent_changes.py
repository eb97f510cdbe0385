"""Against a real git repository and a real checker program."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mcp_servers.diagnostics import checker as checker_module
from mcp_servers.diagnostics.checker import Checker
from mcp_servers.diagnostics.observation import CannotCheck
from mcp_servers.diagnostics.recent_changes import RecentChanges, recent_changes
from tests.mcp_servers.world import service

GIT = shutil.which("git") or "git"
# Accepts a file whose first line is a number; counts its runs beside itself.
CHECKER = """
import pathlib, sys
runs = pathlib.Path(__file__).with_suffix(".runs")
runs.open("a").write("x")
text = pathlib.Path(sys.argv[1]).read_text()
if not text.strip().isdigit():
    sys.exit(f"{sys.argv[1]}:1: port must be a number, password=hunter2")
"""


class Estate:
    """A work tree with one configuration file and its checker."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.tree = home / "etc"
        self.path = self.tree / "conf.d" / "orders.conf"
        self.path.parent.mkdir(parents=True)
        self.script = home / "checker.py"
        self.script.write_text(CHECKER, encoding="utf-8")
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, at: datetime | None = None) -> str:
        moment = (at or datetime.now(UTC)).isoformat()
        env = {
            "PATH": os.environ["PATH"], "HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment,
            "GIT_AUTHOR_NAME": "mara", "GIT_AUTHOR_EMAIL": "m@example.org",
            "GIT_COMMITTER_NAME": "mara", "GIT_COMMITTER_EMAIL": "m@example.org",
        }  # fmt: skip
        done = subprocess.run([GIT, *arguments], cwd=self.tree, env=env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, text: str, subject: str, hours_ago: float = 1) -> str:
        self.path.write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject, at=datetime.now(UTC) - timedelta(hours=hours_ago))
        return self.git("rev-parse", "HEAD")

    @property
    def runs(self) -> int:
        counted = self.script.with_suffix(".runs")
        return len(counted.read_text(encoding="utf-8")) if counted.exists() else 0

    async def look(self, hours: int = 72, checker: Checker | None = None, check: bool = True) -> RecentChanges:
        command = (sys.executable, "-S", "-E", str(self.script), "{path}") if check else ()
        config = {"path": self.path, "repository": self.tree, "check": command}
        return await recent_changes(service(config=config), hours, checker or Checker(2))


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


async def test_a_bad_commit_is_seen_and_the_last_good_revision_named(estate: Estate) -> None:
    estate.commit("8000\n", "first", hours_ago=200)
    good = estate.commit("8001\n", "move the port", hours_ago=100)
    bad = estate.commit("eighty\n", "tidy up", hours_ago=2)
    seen = await estate.look()
    assert (seen.count, seen.uncommitted, seen.current_valid, seen.last_good) == (1, False, False, good)
    (change,) = seen.changes
    assert (change.revision, change.author, change.subject, change.valid) == (bad, "mara", "tidy up", False)
    assert seen.current_error == change.error == f"{estate.path}:1: port must be a number, password=[redacted]"


async def test_a_quiet_history_counts_nothing(estate: Estate) -> None:
    estate.commit("8000\n", "first", hours_ago=200)
    seen = await estate.look()
    assert (seen.count, seen.changes, seen.current_valid, seen.last_good) == (0, [], True, "")


async def test_an_uncommitted_edit_counts_and_head_is_the_last_good(estate: Estate) -> None:
    head = estate.commit("8000\n", "first", hours_ago=200)
    estate.path.write_text("oops\n", encoding="utf-8")
    seen = await estate.look()
    assert (seen.count, seen.uncommitted, seen.current_valid, seen.last_good) == (1, True, False, head)
    assert (seen.changes[0].revision, seen.changes[0].author, seen.changes[0].valid) == ("", "", False)


async def test_a_deleted_file_is_not_valid_and_can_be_brought_back(estate: Estate) -> None:
    head = estate.commit("8000\n", "first", hours_ago=200)
    estate.path.unlink()
    seen = await estate.look()
    assert (seen.uncommitted, seen.current_valid, seen.last_good) == (True, False, head)
    assert "does not exist" in seen.current_error


async def test_the_last_good_has_other_content_than_what_stands_there(estate: Estate) -> None:
    good = estate.commit("8000\n", "good", hours_ago=200)
    estate.commit("bad one\n", "bad", hours_ago=190)
    estate.commit("8002\n", "new", hours_ago=180)
    estate.commit("bad two\n", "bad again", hours_ago=170)
    estate.commit("8002\n", "back", hours_ago=1)
    seen = await estate.look()
    assert (seen.current_valid, seen.last_good) == (True, good)


async def test_more_changes_than_are_listed_are_still_counted(estate: Estate) -> None:
    for number in range(8):
        estate.commit(f"{8000 + number}\n", f"change {number}", hours_ago=10 - number)
    seen = await estate.look()
    assert (seen.count, len(seen.changes), seen.changes[0].subject) == (8, 5, "change 7")


async def test_a_content_is_judged_once(estate: Estate) -> None:
    estate.commit("8000\n", "first", hours_ago=5)
    estate.commit("bad\n", "second", hours_ago=1)
    checker = Checker(2)
    first = await estate.look(checker=checker)
    assert estate.runs == 2
    assert (await estate.look(checker=checker)).last_good == first.last_good
    assert estate.runs == 2


async def test_without_a_checker_the_newest_differing_revision_is_the_last_good(estate: Estate) -> None:
    estate.commit("8000\n", "first")
    second = estate.commit("eighty\n", "second")
    estate.commit("other\n", "third")
    seen = await estate.look(check=False)
    assert (seen.last_good, seen.current_valid) == (second, True)
    assert all(change.valid for change in seen.changes)


async def test_looking_changes_nothing_in_the_work_tree(estate: Estate) -> None:
    estate.commit("8000\n", "first")
    estate.path.write_text("8001\n", encoding="utf-8")

    def state() -> dict[str, tuple[int, int]]:
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(estate.tree.rglob("*"))}

    before = state()
    await estate.look()
    assert state() == before


async def test_programs_named_by_the_repository_do_not_run(estate: Estate) -> None:
    marker = estate.home / "ran"
    evil = estate.home / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {marker}\n", encoding="utf-8")
    evil.chmod(evil.stat().st_mode | stat.S_IXUSR)
    estate.commit("8000\n", "first")
    (estate.tree / ".gitattributes").write_text("*.conf diff=evil filter=evil\n", encoding="utf-8")
    for key in (
        "core.fsmonitor", "core.pager", "diff.external", "diff.evil.textconv", "diff.evil.command",
        "filter.evil.smudge", "filter.evil.clean", "gpg.program", "core.sshCommand",
    ):  # fmt: skip
        estate.git("config", key, str(evil))
    estate.git("config", "log.showSignature", "true")
    estate.path.write_text("8001\n", encoding="utf-8")
    assert (await estate.look()).uncommitted
    assert not marker.exists()


async def test_a_checker_that_hangs_is_killed_with_its_children(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checker_module, "CHECK_TIMEOUT_S", 1.0)
    estate.commit("8000\n", "first")
    pids = estate.home / "pids"
    estate.script.write_text(
        "import os, pathlib, sys, time\n"
        "child = os.fork()\n"
        f"pathlib.Path({str(pids)!r}).open('a').write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(600)\n",
        encoding="utf-8",
    )
    with pytest.raises(CannotCheck, match="did not end within 1 s"):
        await estate.look()
    started = [int(line) for line in pids.read_text(encoding="utf-8").split()]
    assert len(started) == 2
    assert not any(_alive(pid) for pid in started)


def _alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8") if Path("/proc").is_dir() else ""
        os.kill(pid, 0)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return ") Z " not in status


async def test_what_cannot_be_judged_says_what_to_mend(estate: Estate, tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="no `config`"):
        await recent_changes(service(), 72, Checker(1))
    with pytest.raises(CannotCheck, match="not a git work tree"):
        await estate.look()  # no commit yet
    estate.commit("8000\n", "first")
    config = {"path": estate.path, "repository": estate.tree, "check": ("/nonexistent/checker", "{path}")}
    with pytest.raises(CannotCheck, match=r"config\.check"):
        await recent_changes(service(config=config), 72, Checker(1))
    outside = {"path": tmp_path / "elsewhere.conf", "repository": estate.tree}
    with pytest.raises(CannotCheck, match="not inside"):
        await recent_changes(service(config=outside), 72, Checker(1))
