"""The browser's part: built anew when its sources changed, with everyone's licence, and a plain word if it cannot."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import widget_bundle
from widget_bundle import NotBuilt, build, digest, fresh, main, notices, static

HERE = Path(__file__).resolve().parents[2]


def tree(root: Path) -> Path:
    """A small tree with a widget that was built."""
    widget = root / "agent" / "widget"
    for name, text in {"package.json": "{}", "src/embed.ts": "1", "tests/embed.test.ts": "2", ".env": "3"}.items():
        (widget / name).parent.mkdir(parents=True, exist_ok=True)
        (widget / name).write_text(text, encoding="utf-8")
    static(root).mkdir(parents=True)
    (static(root) / widget_bundle.STAMP).write_text(digest(root), encoding="utf-8")
    return widget


def package(widget: Path, name: str, described: Mapping[str, object], licence: str = "") -> None:
    folder = widget / "node_modules" / name
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"version": "1.0.0", **described}), encoding="utf-8")
    if licence:
        (folder / "LICENSE").write_text(licence, encoding="utf-8")


def test_it_is_built_anew_when_a_source_changed_whatever_the_clock_says(tmp_path: Path) -> None:
    widget = tree(tmp_path)
    assert fresh(tmp_path)
    for path in widget.rglob("*"):
        os.utime(path, (4e9, 4e9))
    assert fresh(tmp_path), "a checkout gives every file a new time"
    (widget / "src" / "embed.ts").write_text("other", encoding="utf-8")
    os.utime(widget / "src" / "embed.ts", (0, 0))
    assert not fresh(tmp_path)


def test_a_file_that_came_went_or_moved_is_a_change(tmp_path: Path) -> None:
    widget = tree(tmp_path)
    before = digest(tmp_path)
    (widget / "src" / "more.ts").write_text("", encoding="utf-8")
    added = digest(tmp_path)
    (widget / "src" / "more.ts").rename(widget / "src" / "else.ts")
    moved = digest(tmp_path)
    (widget / "src" / "else.ts").unlink()
    assert len({before, added, moved}) == 3 and digest(tmp_path) == before


def test_tests_and_what_is_downloaded_are_not_part_of_it(tmp_path: Path) -> None:
    widget = tree(tmp_path)
    package(widget, "lit", {"license": "BSD-3-Clause"})
    (widget / "tests" / "embed.test.ts").write_text("other", encoding="utf-8")
    (widget / ".env").write_text("other", encoding="utf-8")
    assert fresh(tmp_path)


def test_a_bundle_that_is_not_there_or_has_no_mark_is_not_fresh(tmp_path: Path) -> None:
    tree(tmp_path)
    (static(tmp_path) / widget_bundle.STAMP).unlink()
    assert not fresh(tmp_path)
    shutil.rmtree(static(tmp_path))
    assert not fresh(tmp_path)


def test_every_package_in_the_bundle_is_named_with_its_whole_licence(tmp_path: Path) -> None:
    widget = tree(tmp_path)
    (widget / "package.json").write_text('{"dependencies": {"lit": "1"}, "devDependencies": {"vite": "1"}}')
    project = {"license": "BSD-3-Clause", "repository": {"url": "https://example.org/lit"}}
    package(widget, "lit", project | {"dependencies": {"@lit/part": "1", "@types/only": "1"}}, "Lit's own words")
    package(widget, "@lit/part", project)
    package(widget, "vite", {"license": "MIT"}, "a tool's words")
    said = notices(widget)
    assert "lit 1.0.0 (BSD-3-Clause)" in said and "@lit/part 1.0.0 (BSD-3-Clause)" in said
    assert said.count("Lit's own words") == 2, "a part of a project carries the project's licence"
    assert "vite" not in said and "@types" not in said


def test_a_package_without_a_licence_is_not_shipped(tmp_path: Path) -> None:
    widget = tree(tmp_path)
    (widget / "package.json").write_text('{"dependencies": {"orphan": "1"}}', encoding="utf-8")
    package(widget, "orphan", {"license": "MIT"})
    with pytest.raises(NotBuilt, match="orphan carries no licence text"):
        notices(widget)


def test_without_sources_it_says_what_still_works(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match=r"no browser pages; everything but the browser pages works"):
        build(tmp_path)


def test_an_npm_that_fails_is_quoted(tmp_path: Path) -> None:
    widget = tree(tmp_path)
    (widget / "package.json").write_text('{"scripts": {"build": "node -e \\"console.log(9); process.exit(3)\\""}}')
    (widget / "package-lock.json").write_text("{}", encoding="utf-8")
    (widget / "node_modules").mkdir()
    (widget / "node_modules" / ".package-lock.json").write_text("{}", encoding="utf-8")
    with pytest.raises(NotBuilt, match=r"`npm run build` failed in agent/widget; .*It said:\n(.|\n)*9"):
        build(tmp_path)


def test_what_is_there_already_is_not_built_again(capsys: pytest.CaptureFixture[str]) -> None:
    if not fresh():
        pytest.skip("the browser pages have not been built here: make widget")
    assert main([]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.nightly
def test_where_the_registry_cannot_be_reached_it_says_so_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget = tree(tmp_path)
    wanted = {"name": "w", "version": "0.0.0", "dependencies": {"lit": "3.3.3"}}
    lock = {"": wanted, "node_modules/lit": {"version": "3.3.3", "resolved": "http://127.0.0.1:1/lit-3.3.3.tgz"}}
    (widget / "package.json").write_text(json.dumps(wanted), encoding="utf-8")
    (widget / "package-lock.json").write_text(
        json.dumps({"name": "w", "version": "0.0.0", "lockfileVersion": 3, "packages": lock}), encoding="utf-8"
    )
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(NotBuilt) as refusal:
        build(tmp_path)
    said = str(refusal.value)
    assert said.startswith("the npm registry cannot be reached (ECONNREFUSED)") and "\n" not in said
    assert "the command line, the demo in the terminal" in said and "`make widget`" in said
    assert HERE not in widget.parents
