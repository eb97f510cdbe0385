"""Settings: one frozen object, read once from `countersign.toml` and passed down. Paths are relative to that file."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.core.errors import CountersignError

NAME = "countersign.toml"
VARIABLE = "COUNTERSIGN_CONFIG"
ROLES = ("viewer", "responder", "approver", "operator", "auditor", "admin")
SERVERS = ("tickets", "diagnostics", "remediation")
PAGES = Path(__file__).resolve().parent.parent / "knowledge" / "runbooks"
BUILT_IN = "built-in"
"""In `folders`: the pages that come with the program, wherever it is installed."""


@dataclass(frozen=True)
class Identity:
    """How people sign in: an OpenID Connect provider, and which of its groups has which role here."""

    issuer: str
    client_id: str
    client_secret: Path | None
    """The file that holds the secret; None for a public client (PKCE alone)."""
    scopes: tuple[str, ...]
    person_claim: str
    """The claim that is the person's name in the inventory, such as `preferred_username`."""
    roles_claim: str
    roles: Mapping[str, str]
    """From a value of that claim to a role of this program."""
    session_hours: int
    """How long a session lives at most."""
    idle_minutes: int = 60
    """How long a session lives without being used."""


@dataclass(frozen=True)
class Host:
    """A page that may show the widget and whose backend mints tokens for its own signed-in users."""

    name: str
    origin: str
    key: Path | None
    """The file that holds the key it signs with; None where it mints nothing and people sign in for themselves."""


@dataclass(frozen=True)
class Serving:
    """Where the HTTP interface listens, and as what the world knows it."""

    address: str = "127.0.0.1"
    port: int = 8321
    public_url: str = ""
    hosts: tuple[Host, ...] = ()
    identity: Identity | None = None

    @property
    def origin(self) -> str:
        """The origin that browsers see, without a slash at its end."""
        return self.public_url.rstrip("/") or f"http://{self.address}:{self.port}"


@dataclass(frozen=True)
class Settings:
    """Where everything is. Nothing here is a secret; secrets stand in files that are named here."""

    file: Path
    inventory: Path
    pages: tuple[Path, ...]
    state: Path
    tickets: Path
    socket: Path
    public_key: Path
    audience: str
    cache: Path
    proposal_minutes: int = 30
    verify_seconds: int = 20
    lab: bool = False
    serving: Serving = field(default_factory=Serving)
    remote: Mapping[str, tuple[str, Path]] = field(default_factory=dict)
    """The MCP servers that listen elsewhere, by name: address and the file of its token. The others are children."""

    @property
    def journal(self) -> Path:
        """The journal's database."""
        return self.state / "journal.db"

    def command(self, server: str) -> tuple[str, ...]:
        """Return the argument vector that starts one of the three MCP servers over stdio."""
        module = (sys.executable, "-m", f"mcp_servers.{server}")
        match server:
            case "tickets":
                return (*module, "--database", str(self.tickets))
            case "diagnostics":
                return (*module, "--inventory", str(self.inventory))
            case "remediation":
                return (
                    *module,
                    "--inventory",
                    str(self.inventory),
                    "--public-key",
                    str(self.public_key),
                    "--journal",
                    str(self.state / "remediation.db"),
                    "--audience",
                    self.audience,
                )
        raise CountersignError(f"there is no server called {server}")


def cache_directory() -> Path:
    """Return where rebuilt things are kept between runs (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "countersign"


def find(explicit: Path | None) -> Path | None:
    """Return the configuration file to use: the one given, the one in COUNTERSIGN_CONFIG, or the one in this folder."""
    if explicit is not None:
        return explicit
    if named := os.environ.get(VARIABLE):
        return Path(named)
    here = Path.cwd() / NAME
    return here if here.exists() else None


def load(path: Path) -> Settings:
    """Read the settings. Raises CountersignError that names the file and the key that is wrong."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CountersignError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CountersignError(f"{path} is not valid TOML: {error}") from error
    base = path.resolve().parent
    reader = _Reader(path, content)

    def where(value: str) -> Path:
        return (base / Path(value).expanduser()).resolve()

    settings = Settings(
        file=path.resolve(),
        inventory=where(reader.text("estate", "inventory")),
        pages=tuple(
            PAGES if one == BUILT_IN else where(one) for one in reader.texts("knowledge", "folders", [BUILT_IN])
        ),
        state=where(reader.text("state", "directory", "state")),
        tickets=where(reader.text("tickets", "database", "desk.db")),
        socket=where(reader.text("approvals", "socket", "approvals.sock")),
        public_key=where(reader.text("approvals", "public_key", "grant-key.pub.pem")),
        audience=reader.text("approvals", "audience"),
        cache=where(reader.text("state", "cache", str(cache_directory()))),
        proposal_minutes=reader.number("approvals", "proposal_minutes", 30, 1, 24 * 60),
        verify_seconds=reader.number("approvals", "verify_seconds", 20, 1, 600),
        lab=bool(reader.take("lab", "running", False)),
        serving=_serving(reader, where),
        remote=_remote(reader, where),
    )
    reader.nothing_left()
    return settings


def _serving(reader: _Reader, where: Callable[[str], Path]) -> Serving:
    hosts = []
    for number in range(len(reader.tables("widget", "hosts"))):
        one = reader.nested("widget", "hosts", number)
        key = one.text("host", "key_file", "") if one.has("host", "key_file") else ""
        hosts.append(Host(one.text("host", "name"), _origin(one, "host", "origin"), where(key) if key else None))
    identity = None
    if reader.has("identity", "issuer"):
        secret = reader.text("identity", "client_secret_file") if reader.has("identity", "client_secret_file") else ""
        identity = Identity(
            issuer=reader.text("identity", "issuer"),
            client_id=reader.text("identity", "client_id"),
            client_secret=where(secret) if secret else None,
            scopes=tuple(reader.texts("identity", "scopes", ["openid", "profile", "email"])),
            person_claim=reader.text("identity", "person_claim", "preferred_username"),
            roles_claim=reader.text("identity", "roles_claim", "groups"),
            roles=reader.mapping("identity", "roles"),
            session_hours=reader.number("identity", "session_hours", 8, 1, 24),
            idle_minutes=reader.number("identity", "idle_minutes", 60, 5, 24 * 60),
        )
        unknown = sorted(set(identity.roles.values()) - set(ROLES))
        if unknown:
            raise reader.wrong(f"[identity.roles] knows no role {', '.join(unknown)}; roles are {', '.join(ROLES)}")
    public = _origin(reader, "server", "public_url") if reader.has("server", "public_url") else ""
    return Serving(
        address=reader.text("server", "address", "127.0.0.1"),
        port=reader.number("server", "port", 8321, 0, 65535),
        public_url=public,
        hosts=tuple(hosts),
        identity=identity,
    )


def _remote(reader: _Reader, where: Callable[[str], Path]) -> dict[str, tuple[str, Path]]:
    found = {}
    for name in SERVERS:
        one = reader.mapping("mcp", name)
        if not one:
            continue
        if one.keys() != {"url", "token_file"} or not all(one.values()):
            raise reader.wrong(f"[mcp.{name}] has a `url` and a `token_file`, and nothing else")
        parts = urlsplit(one["url"])
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise reader.wrong(f"`url` in [mcp.{name}] is an address such as http://{name}:8401/mcp")
        found[name] = (one["url"], where(one["token_file"]))
    return found


def _origin(reader: _Reader, table: str, key: str) -> str:
    """Return an origin (RFC 6454): scheme, host and port, nothing after it."""
    value = reader.text(table, key).rstrip("/")
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise reader.wrong(f"`{key}` is an origin such as https://intranet.example.org, not {value!r}")
    return value


def pages_only() -> Settings:
    """Return settings for what needs no estate: searching and checking the pages that come with the program."""
    state = cache_directory() / "pages"
    nowhere = state / "none"
    return Settings(
        file=nowhere,
        inventory=nowhere,
        pages=(PAGES,),
        state=state,
        tickets=nowhere,
        socket=nowhere,
        public_key=nowhere,
        audience="",
        cache=cache_directory(),
    )


class _Reader:
    """Takes keys out of the document, so that what is left over is a key nobody knows."""

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        self._path = path
        self._left = {name: dict(table) if isinstance(table, Mapping) else table for name, table in content.items()}
        self._nested: list[_Reader] = []

    def take(self, table: str, key: str, default: Any) -> Any:
        section = self._left.get(table, {})
        if not isinstance(section, dict):
            raise CountersignError(f"{self._path}: [{table}] is a table")
        return section.pop(key, default)

    def text(self, table: str, key: str, default: str | None = None) -> str:
        value = self.take(table, key, default)
        if not isinstance(value, str) or not value:
            raise CountersignError(f"{self._path}: `{key}` in [{table}] is missing or not text")
        return value

    def texts(self, table: str, key: str, default: list[str]) -> list[str]:
        value = self.take(table, key, default)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise CountersignError(f"{self._path}: `{key}` in [{table}] is a list of texts")
        return value

    def tables(self, table: str, key: str) -> list[dict[str, Any]]:
        """Return a list of tables without taking it."""
        value = self._left.get(table, {}).get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.wrong(f"[[{table}.{key}]] is a list of tables")
        return value

    def nested(self, table: str, key: str, number: int) -> _Reader:
        """Return a reader for one table of a list, under the name `host`; what it leaves is reported like the rest."""
        content = self.tables(table, key)[number]
        one = _Reader(self._path, {"host": content})
        self._nested.append(one)
        return one

    def has(self, table: str, key: str) -> bool:
        """True when the key is there."""
        section = self._left.get(table, {})
        return isinstance(section, dict) and key in section

    def mapping(self, table: str, key: str) -> dict[str, str]:
        """Return a table of texts."""
        value = self.take(table, key, {})
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise self.wrong(f"[{table}.{key}] maps names to texts")
        return dict(value)

    def wrong(self, says: str) -> CountersignError:
        """Return the error for something that is wrong in this file."""
        return CountersignError(f"{self._path}: {says}")

    def number(self, table: str, key: str, default: int, least: int, most: int) -> int:
        value = self.take(table, key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise CountersignError(f"{self._path}: `{key}` in [{table}] is a whole number from {least} to {most}")
        return value

    def nothing_left(self) -> None:
        if self._nested:
            for one in self._nested:
                one.nothing_left()
            self._left.get("widget", {}).pop("hosts", None)
        unknown = [
            f"[{table}] {', '.join(keys) if isinstance(keys, dict) else ''}".strip()
            for table, keys in self._left.items()
            if keys
        ]
        if unknown:
            raise CountersignError(f"{self._path}: nobody knows {'; '.join(unknown)}; is it misspelt?")
