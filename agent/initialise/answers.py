"""What `countersign init` wants to know, and the check of each answer: pure but for looking at the files it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from agent.core.errors import CountersignError
from agent.inventory import load_estate
from agent.settings import ROLES

Layout = Literal["here", "compose"]
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Provider:
    """An OpenID Connect provider, as it knows us, and what its groups may do here."""

    issuer: str
    client_id: str
    secret: Path | None
    person_claim: str
    roles_claim: str
    roles: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answers:
    """Everything that is asked, checked."""

    directory: Path
    layout: Layout
    inventory: Path
    pages: tuple[Path, ...]
    state: Path
    port: int
    public_url: str
    """Empty where browsers reach it on this machine alone."""
    provider: Provider | None
    hosts: tuple[tuple[str, str], ...]
    """Name and origin of each page that may show the widget."""
    decide_as: tuple[str, ...]
    """Whom this operating-system user may decide as at the command line; nobody counts where a provider signs in."""


def people(inventory: Path) -> tuple[str, ...]:
    """Return who may approve anything in this inventory, by name."""
    services = load_estate(inventory).services.values()
    return tuple(sorted({name for one in services for name in (*one.approvers, *one.responders)}))


def an_inventory(text: str) -> Path:
    """Return the path of an inventory that both the assistant and Ansible can use, as far as reading it shows."""
    path = Path(text).expanduser()
    if not load_estate(path).services:
        raise CountersignError(f"{path} names no service under `countersign_services`: see docs/inventory.md")
    return path.resolve()


def folders(text: str) -> tuple[Path, ...]:
    """Return folders that exist, given with commas between them."""
    found = tuple(Path(one).expanduser() for one in _parts(text))
    for one in found:
        if not one.is_dir():
            raise CountersignError(f"{one} is not a folder")
    return tuple(one.resolve() for one in found)


def a_port(text: str) -> int:
    """Return a port that somebody who is not root may listen on."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise CountersignError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def an_origin(text: str) -> str:
    """Return an origin (RFC 6454) without a slash at its end: scheme, host and port alone."""
    parts = urlsplit(text.rstrip("/"))
    try:
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.scheme not in {"http", "https"} or parts.path or parts.query or parts.fragment:
        raise CountersignError(f"an origin is an address such as https://intranet.example.org, not {text!r}")
    if parts.username is not None or not text.isprintable():
        raise CountersignError(f"an origin has no user name in it: {text!r}")
    return text.rstrip("/")


def a_public_url(text: str) -> str:
    """Return an origin that browsers keep a session for: https, or this machine itself."""
    origin = an_origin(text)
    if origin.startswith("http:") and not is_loopback(urlsplit(origin).hostname or ""):
        raise CountersignError(
            f"browsers keep no session for {text}: put a proxy with TLS in front and name its https address"
        )
    return origin


def is_loopback(host: str) -> bool:
    """True for this machine itself."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def an_issuer(text: str) -> str:
    """Return an issuer (OpenID Connect Discovery 1.0, 3): https without a query; http on this machine alone."""
    parts = urlsplit(text)
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not parts.hostname or not safe or parts.query or parts.fragment:
        raise CountersignError(f"an issuer is an https address such as https://login.example.org/realm, not {text!r}")
    return text


def a_secret(text: str) -> Path | None:
    """Return the file of a secret that nobody else can read, or None for none."""
    from agent.api.identity.secret_file import read_secret

    if not text:
        return None
    path = Path(text).expanduser().resolve()
    read_secret(path)
    return path


def a_word(text: str) -> str:
    """Return text that is not empty and stands on one line."""
    if not text.strip() or not text.isprintable():
        raise CountersignError("that is empty, or more than one line")
    return text.strip()


def roles(text: str) -> tuple[tuple[str, str], ...]:
    """Return pairs GROUP=ROLE, given with commas between them."""
    found = tuple(_pair(one, "GROUP=ROLE, such as it-oncall=responder") for one in _parts(text))
    unknown = sorted({role for _, role in found} - set(ROLES))
    if unknown:
        raise CountersignError(f"there is no role {', '.join(unknown)}; roles are {', '.join(ROLES)}")
    if not found:
        raise CountersignError("without a group that has a role nobody can sign in: GROUP=ROLE")
    return found


def pages_with_widget(text: str) -> tuple[tuple[str, str], ...]:
    """Return pairs NAME=ORIGIN, given with commas between them."""
    found = tuple(_pair(one, "NAME=ORIGIN, such as intranet=https://intranet.example.org") for one in _parts(text))
    for name, origin in found:
        if not NAME.fullmatch(name):
            raise CountersignError(f"a page's name is lower-case letters, digits, `.`, `_` and `-`, not {name!r}")
        an_origin(origin)
    if len({name for name, _ in found}) < len(found):
        raise CountersignError("two pages have one name")
    return tuple((name, origin.rstrip("/")) for name, origin in found)


def known_people(text: str, inventory: Path) -> tuple[str, ...]:
    """Return people, given with commas between them, each of whom may approve something in the inventory."""
    found, known = _parts(text), people(inventory)
    for one in found:
        if one not in known:
            raise CountersignError(f"{one} approves nothing in the inventory; its approvers are {', '.join(known)}")
    return found


def _parts(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _pair(text: str, shape: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name.strip() or not value.strip() or not text.isprintable():
        raise CountersignError(f"say {shape}, not {text!r}")
    return name.strip(), value.strip()
