"""The browser of the browser tests: found, or installed where that can be done without asking.

`python -m tests.browser.chromium` (called by `make test`) says what it found or does. It never fails: where there is no
Chromium and none can be had, the browser tests are skipped, and pytest's summary says why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

VARIABLE = "COUNTERSIGN_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ANSWER_SECONDS = 30
INSTALL_SECONDS = 600
PACKAGES = "apt-get install -y --no-install-recommends chromium"
WHY_NOT = (
    f"there is no Chromium that starts: name one in {VARIABLE}, install one ({PACKAGES}), "
    "or run `.venv/bin/playwright install chromium` and what it says it needs"
)


@cache
def find() -> Path | None:
    """Return a Chromium that starts, or None: the one that is named, one of the system's, Playwright's own."""
    return next((one for one in _candidates() if _starts(one)), None)


def install() -> Path | None:
    """Install Chromium with apt where we are root and have it, else with Playwright; return it if it then starts."""
    find.cache_clear()
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _say(f"Installing Chromium: {PACKAGES} (about 100 MB) ...")
        if not _done(PACKAGES.split()):
            _say("Its list of packages may be old: apt-get update, and again ...")
            _done(["apt-get", "update"])
            _done(PACKAGES.split())
    if find() is None:
        _say("Downloading Chromium with Playwright (about 170 MB, into its own cache) ...")
        _done([sys.executable, "-m", "playwright", "install", "chromium"])
    find.cache_clear()
    return find()


def _candidates() -> Iterator[Path]:
    if named := os.environ.get(VARIABLE):
        yield Path(named)
        return
    yield from (Path(path) for path in map(shutil.which, NAMES) if path)
    yield from _playwrights()


def _playwrights() -> Iterator[Path]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return
    try:
        with sync_playwright() as playwright:
            path = Path(playwright.chromium.executable_path)
    except (Error, OSError):
        return
    yield path


def _starts(path: Path) -> bool:
    """True when it says its version: some systems have a program of that name that only points at an app store."""
    try:
        done = subprocess.run([str(path), "--version"], capture_output=True, timeout=ANSWER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _done(command: Sequence[str]) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _say(f"  that did not work: {error}")
        return False
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        _say(f"  that did not work: {said[-1].strip() if said else f'exit code {done.returncode}'}")
    return done.returncode == 0


def _say(text: str) -> None:
    print(text, flush=True)


def main(look: Callable[[], Path | None] = find, fetch: Callable[[], Path | None] = install) -> None:
    """Say which Chromium the browser tests will use, after installing one where there is none."""
    if os.environ.get(VARIABLE) and look() is None:
        _say(f"The browser tests will be skipped: {os.environ[VARIABLE]} ({VARIABLE}) does not start.")
        return
    found = look() or fetch()
    _say(f"Browser tests run in {found}." if found else f"The browser tests will be skipped: {WHY_NOT}.")


if __name__ == "__main__":
    main()
