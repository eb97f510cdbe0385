"""Finding a browser: what is named wins, what does not start does not count, and nothing of it ever fails a build."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import chromium

HERE = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _look_anew() -> Iterator[None]:
    chromium.find.cache_clear()
    yield
    chromium.find.cache_clear()


def program(path: Path, code: int = 0) -> Path:
    path.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_named_browser_wins_and_one_that_does_not_start_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = program(tmp_path / "mine")
    monkeypatch.setenv(chromium.VARIABLE, str(named))
    assert chromium.find() == named
    chromium.find.cache_clear()
    program(named, code=1)
    assert chromium.find() is None, "another one was taken in its place"


def test_a_program_that_only_points_at_an_app_store_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "chromium", code=10)
    good = program(tmp_path / "chromium-browser")
    monkeypatch.delenv(chromium.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chromium.find() == good


def test_where_none_can_be_had_it_says_so_and_ends_well(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PATH"}
    environment |= {"PATH": str(tmp_path), chromium.VARIABLE: str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.browser.chromium"],
        cwd=HERE, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "will be skipped" in done.stdout and "does not start" in done.stdout


def test_an_installation_that_fails_ends_with_why_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    chromium.main(look=lambda: None, fetch=lambda: None)
    assert chromium.WHY_NOT in capsys.readouterr().out
    assert not chromium._done([sys.executable, "-c", "print('no route'); raise SystemExit(100)"])
    assert "no route" in capsys.readouterr().out
