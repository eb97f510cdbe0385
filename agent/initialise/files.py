"""Writing: the configuration, the signing key pair, and the files that it names, each readable by whom it concerns."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent import settings as rules
from agent.core.errors import CountersignError
from agent.initialise.answers import Answers
from agent.initialise.render import COMPOSE_AUDIENCE, OWN_PAGES, paths, render

KEY_SECONDS = 60
CONTAINER_USER = 1000
PRIVATE, READABLE = 0o600, 0o644


@dataclass(frozen=True)
class Places:
    """Where `init` writes on this machine; in the compose layout each folder is for the containers that need it."""

    config: Path
    signing: Path
    secrets: Path


def places(answers: Answers) -> Places:
    """Return where the files of a layout go."""
    top = answers.directory
    if answers.layout == "compose":
        return Places(top / "config", top / "signing", top / "secrets")
    return Places(top, top, top / "secrets")


def refuse_to_overwrite(answers_directory: Path, layout: str) -> None:
    """Raise CountersignError when there is a configuration already."""
    file = (answers_directory / "config" if layout == "compose" else answers_directory) / rules.NAME
    if file.exists():
        raise CountersignError(f"{file} is there already; --force writes it anew (the signing key is kept)")


def write(answers: Answers) -> Iterator[str]:
    """Write everything and say what was written, line by line. Keys that are there already are kept."""
    at = places(answers)
    for folder, mode in ((at.config, 0o755), (at.signing, 0o700), (at.secrets, 0o700)):
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
    audience = COMPOSE_AUDIENCE if answers.layout == "compose" else _audience(at.config / rules.NAME)
    if answers.layout == "compose":
        yield from _copies(answers, at)
    elif not answers.pages:
        (at.config / OWN_PAGES).mkdir(exist_ok=True)
        yield f"{at.config / OWN_PAGES}: for your own runbooks (docs/runbooks.md)"
    _file(at.config / rules.NAME, render(answers, paths(answers, audience)), READABLE)
    rules.load(at.config / rules.NAME)
    yield f"{at.config / rules.NAME}: the configuration, with a comment at every key"
    people = {str(_user(answers)): "*" if answers.provider else list(answers.decide_as)}
    _file(at.signing / "people.json", json.dumps(people) + "\n", PRIVATE)
    who = "whoever signs in" if answers.provider else ", ".join(answers.decide_as) or "nobody: see --decide-as"
    yield f"{at.signing / 'people.json'}: who may decide through which operating-system user ({who})"
    _make_keys(answers, at, audience)
    yield f"{at.signing / 'grant-key.pem'}: the key that signs, readable by you alone; never copy it"
    yield f"{at.config / 'grant-key.pub.pem'}: its public half, for the remediation server"
    tokens = [f"{name}-token" for name in rules.SERVERS] if answers.layout == "compose" else []
    for name in (*tokens, *(f"widget-{name}.key" for name, _ in answers.hosts)):
        if not (at.secrets / name).exists():
            _file(at.secrets / name, secrets.token_urlsafe(48) + "\n", PRIVATE)
        yield f"{at.secrets / name}: {_purpose(name)}"
    if _user(answers) != os.getuid():
        _hand_over(answers.directory, _user(answers))
        yield f"all of it now belongs to user {_user(answers)}, as which the containers run"


def _purpose(name: str) -> str:
    return "the token of this MCP server" if name.endswith("-token") else "give the same to that page's backend"


def _user(answers: Answers) -> int:
    """Return the operating-system user that front end and approvals run as: containers never as root."""
    if answers.layout == "compose" and os.getuid() == 0:
        return int(os.environ.get("SUDO_UID", "")) if os.environ.get("SUDO_UID", "").isdigit() else CONTAINER_USER
    return os.getuid()


def _hand_over(top: Path, user: int) -> None:
    for path in (top, *top.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)


def _copies(answers: Answers, at: Places) -> Iterator[str]:
    """Copy what the containers read into the folder that is mounted in them."""
    shutil.copyfile(answers.inventory, at.config / "inventory.yaml")
    yield f"{at.config / 'inventory.yaml'}: a copy; the containers read this one"
    (at.config / OWN_PAGES).mkdir(exist_ok=True)
    names = [one.name for one in answers.pages]
    if len(set(names)) < len(names):
        raise CountersignError("two folders of pages have one name; give one of them another")
    for one in answers.pages:
        shutil.copytree(one, at.config / OWN_PAGES / one.name, dirs_exist_ok=True)
        yield f"{at.config / OWN_PAGES / one.name}: a copy; the containers read this one"
    if answers.provider and answers.provider.secret:
        _file(at.secrets / "oidc-secret", answers.provider.secret.read_text(encoding="utf-8"), PRIVATE)
        yield f"{at.secrets / 'oidc-secret'}: a copy of the client secret"


def _audience(file: Path) -> str:
    """Return a name for this remediation server that no other installation has; one that is there already is kept."""
    if file.exists():
        return rules.load(file).audience
    return f"countersign-remediation:{secrets.token_hex(8)}"


def _make_keys(answers: Answers, at: Places, audience: str) -> None:
    """Have the approvals process make its key pair: it alone handles that key. It ends when its input closes."""
    with tempfile.TemporaryDirectory(prefix="countersign-init-") as aside:
        command = (
            *(sys.executable, "-m", "agent.approvals", "--journal", f"{aside}/journal.db", "--make-key"),
            *("--key", str(at.signing / "grant-key.pem"), "--public-key", str(at.config / "grant-key.pub.pem")),
            *("--inventory", str(answers.inventory), "--audience", audience),
            *("--people", str(at.signing / "people.json"), "--socket", f"{aside}/s"),
        )
        done = subprocess.run(command, input="", capture_output=True, text=True, timeout=KEY_SECONDS, check=False)
    if done.returncode:
        raise CountersignError(f"the signing key could not be made: {done.stderr.strip()}")


def _file(path: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all, with its mode from the beginning."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
