"""The packages: both carry the bundle and its notices, neither carries what npm downloaded, and one makes the other."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import widget_bundle

HERE = Path(__file__).resolve().parents[2]
UV = shutil.which("uv", path=f"{HERE / '.tools' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
GIT = shutil.which("git")
MADE = (*widget_bundle.PROMISED, widget_bundle.NOTICES, widget_bundle.STAMP)

pytestmark = [
    pytest.mark.skipif(UV is None or GIT is None, reason="uv and git build the packages, and one of them is missing"),
    pytest.mark.timeout(600),
]


def copy_of_the_tree(to: Path) -> Path:
    """What git has or would take: nothing built, nothing downloaded."""
    assert GIT is not None
    listed = subprocess.run(
        [GIT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=HERE, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (HERE / name).is_file() and not name.startswith("tests/"):
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(HERE / name, to / name)
    return to


def uv(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    assert UV is not None
    done = subprocess.run(
        [UV, *arguments, "--python", sys.executable],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        env=dict(os.environ | (env or {})),
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def built(out: Path, suffix: str) -> Path:
    [found] = out.glob(f"*{suffix}")
    return found


def names(archive: Path) -> set[str]:
    """The files in a package; those of an sdist without the folder on top."""
    if archive.suffix == ".whl":
        return set(zipfile.ZipFile(archive).namelist())
    with tarfile.open(archive) as packed:
        return {one.name.partition("/")[2] for one in packed.getmembers() if one.isfile()}


def check(sdist: Path, wheel: Path) -> None:
    for archive in (sdist, wheel):
        assert {f"agent/api/static/{name}" for name in MADE} - names(archive) == set()
        assert [name for name in names(archive) if "node_modules" in name] == []
    assert not any(name.startswith("agent/widget/") for name in names(wheel))
    assert {"hatch_build.py", "widget_bundle.py", "agent/widget/package.json", "uv.lock"} <= names(sdist)
    rooms = {str(Path(name).parent) for name in names(wheel)}
    assert {"knowledge/runbooks", "evals/lab", "mcp_servers/remediation/plays", "agent/gateway"} <= rooms


def test_sdist_and_wheel_carry_a_bundle_that_is_there_and_need_no_node(tmp_path: Path) -> None:
    root = copy_of_the_tree(tmp_path / "tree")
    for name in MADE:
        path = widget_bundle.static(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    (widget_bundle.static(root) / widget_bundle.STAMP).write_text(widget_bundle.digest(root), encoding="utf-8")
    (root / "agent" / "widget" / "node_modules" / "lit").mkdir(parents=True)
    (root / "agent" / "widget" / "node_modules" / "lit" / "lit.js").touch()
    # `hatchling` was fetched when this environment was made, so nothing is downloaded here.
    uv("build", "--offline", "--out-dir", str(tmp_path / "out"), str(root), env={"PATH": "/nonexistent"})
    check(built(tmp_path / "out", ".tar.gz"), built(tmp_path / "out", ".whl"))


@pytest.mark.nightly
def test_from_a_clean_tree_the_packages_are_built_whole_and_twice_the_same(tmp_path: Path) -> None:
    hashes = []
    for number in ("1", "2"):
        root = copy_of_the_tree(tmp_path / number / "tree")
        out = tmp_path / number / "out"
        uv("build", "--out-dir", str(out), str(root), env={"PATH": "/usr/bin:/bin"})
        check(built(out, ".tar.gz"), built(out, ".whl"))
        hashes.append([hashlib.sha256(built(out, kind).read_bytes()).hexdigest() for kind in (".tar.gz", ".whl")])
    assert hashes[0] == hashes[1]
    said = (widget_bundle.static(root) / widget_bundle.NOTICES).read_text(encoding="utf-8")
    assert "lit " in said and "marked " in said and "Redistribution and use in source and binary forms" in said

    # Somebody who has the sdist alone, no Node, and no way to a registry of packages for it.
    alone = tmp_path / "alone"
    dead = {"PATH": "/nonexistent", "npm_config_registry": "http://127.0.0.1:1/", "HOME": str(tmp_path)}
    dead |= {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))}
    sdist = built(tmp_path / "1" / "out", ".tar.gz")
    uv("build", "--offline", "--wheel", "--out-dir", str(alone), str(sdist), env=dead)
    assert built(alone, ".whl").read_bytes() == built(tmp_path / "1" / "out", ".whl").read_bytes()


@pytest.mark.nightly
def test_a_changed_source_is_in_the_next_wheel(tmp_path: Path) -> None:
    root = copy_of_the_tree(tmp_path / "tree")
    uv("build", "--wheel", "--out-dir", str(tmp_path / "before"), str(root))
    catalogue = root / "agent" / "widget" / "src" / "embed.ts"
    catalogue.write_text(catalogue.read_text(encoding="utf-8") + '\nconsole.debug("changed-source");\n')
    uv("build", "--wheel", "--out-dir", str(tmp_path / "after"), str(root))
    with zipfile.ZipFile(built(tmp_path / "after", ".whl")) as wheel:
        assert "changed-source" in wheel.read("agent/api/static/embed.js").decode()
