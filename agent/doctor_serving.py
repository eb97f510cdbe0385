"""The doctor's look at the HTTP interface: pages, port, address, sign-in, secrets, servers that listen elsewhere."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from agent.doctor import Finding, Level
from agent.initialise.answers import is_loopback
from agent.initialise.questions import discovery
from agent.settings import Identity, Settings

BUNDLE = Path(__file__).resolve().parent / "api" / "static"
PAGES = ("embed.js", "widget.js", "frame.js", "approval.js", "console.js")
SECONDS = 3.0
WELL = "the discovery document is there"


def examine_serving(settings: Settings) -> Iterator[Finding]:
    """Look at everything that `countersign serve` needs."""
    yield _bundle()
    if not settings.lab:  # the demo takes a free port for itself
        yield _port(settings)
    yield _public_url(settings)
    yield from _identity(settings.serving.identity, settings.serving.origin)
    for host in settings.serving.hosts:
        if host.key is not None:
            yield _secret(f"widget {host.name}", host.key, 32)
    for name, (url, token) in settings.remote.items():
        yield _secret(f"token {name}", token, 32)
        parts = urlsplit(url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            yield Finding(
                f"address {name}", "warning", f"{url} is not encrypted", "fine on a private network of containers"
            )
    yield from _people(settings)


def _bundle() -> Finding:
    missing = [name for name in PAGES if not (BUNDLE / name).is_file()]
    if missing:
        return Finding(
            "pages to browse",
            "warning",
            "the widget, the console and the approval page have not been built",
            "`make widget` builds them; the packages of a release carry them",
        )
    return Finding("pages to browse", "ok", f"built, in {BUNDLE}")


def _port(settings: Settings) -> Finding:
    serving = settings.serving
    at = f"{serving.address}:{serving.port}"
    family = socket.AF_INET6 if ":" in serving.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((serving.address, serving.port))
        except OSError as error:
            if _ours(serving.address, serving.port):
                return Finding("port", "ok", f"{at}: it is serving")
            return Finding(
                "port", "trouble", f"cannot listen on {at} ({error.strerror})", "set another `port` in [server]"
            )
    return Finding("port", "ok", f"{at} is free: `countersign serve` listens there")


def _ours(address: str, port: int) -> bool:
    import httpx

    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - where one listens to all, ask here
    try:
        with httpx.Client(timeout=SECONDS, trust_env=False) as client:
            answer = client.get(f"http://{f'[{host}]' if ':' in host else host}:{port}/healthz")
            return answer.status_code == 200 and answer.json().get("status") == "ok"
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _public_url(settings: Settings) -> Finding:
    origin = settings.serving.origin
    parts = urlsplit(origin)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return Finding("public_url", "ok", origin)
    return Finding(
        "public_url",
        "trouble",
        f"browsers keep no session for {origin}",
        "put a proxy with TLS in front, and set its https address as `public_url` in [server] (docs/install.md)",
    )


def _identity(identity: Identity | None, origin: str) -> Iterator[Finding]:
    if identity is None:
        yield Finding(
            "sign-in",
            "ok",
            "no identity provider: the command line, API keys and widget tokens work, the pages' sign-in does not",
        )
        return
    says = discovery(identity.issuer, SECONDS)
    level: Level = "ok" if WELL in says else "trouble"
    yield Finding("sign-in", level, says, "" if level == "ok" else "see `issuer` in [identity]")
    yield Finding("redirect URI", "ok", f"{origin}/sign-in/callback has to be registered at {identity.issuer}")
    if identity.client_secret is not None:
        yield _secret("client secret", identity.client_secret, 1)
    if not identity.roles:
        yield Finding(
            "roles",
            "trouble",
            "no group has a role, so nobody can sign in",
            'say `"group" = "role"` in [identity.roles]',
        )


def _secret(what: str, path: Path, least: int) -> Finding:
    from agent.api.identity.secret_file import read_secret
    from agent.core.errors import CountersignError

    try:
        read_secret(path, least)
    except CountersignError as error:
        return Finding(what, "trouble", str(error))
    return Finding(what, "ok", f"{path} is there, and readable by its owner alone")


def _people(settings: Settings) -> Iterator[Finding]:
    """Look at the file beside the public key: who may decide through which operating-system user."""
    file = settings.public_key.parent / "people.json"
    if not file.exists():
        return
    try:
        people = json.loads(file.read_text(encoding="utf-8"))
        fronts = [user for user, may in people.items() if may == "*"]
    except (OSError, ValueError, AttributeError) as error:
        yield Finding("people", "trouble", f"{file} cannot be read: {error}", "see docs/configuration.md")
        return
    mode = file.stat().st_mode
    if mode & 0o022:
        yield Finding("people", "trouble", f"{file} can be written by others", f"chmod 600 {file}")
    elif settings.serving.identity is not None and not fronts:
        yield Finding(
            "people",
            "trouble",
            f"nobody who signs in can decide: {file} names no user as a front end",
            'give the user that runs `countersign serve` a "*" there',
        )
    else:
        yield Finding("people", "ok", f"{file}: {len(people)} users may decide, {len(fronts)} of them as a front end")
