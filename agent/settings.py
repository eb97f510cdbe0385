"""Settings: one frozen object, read once from `countersign.toml` and passed down. Paths are relative to that file."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.errors import CountersignError

NAME = "countersign.toml"
VARIABLE = "COUNTERSIGN_CONFIG"
PAGES = Path(__file__).resolve().parent.parent / "knowledge" / "runbooks"


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
        pages=tuple(where(one) for one in reader.texts("knowledge", "folders", [str(PAGES)])),
        state=where(reader.text("state", "directory", "state")),
        tickets=where(reader.text("tickets", "database", "desk.db")),
        socket=where(reader.text("approvals", "socket", "approvals.sock")),
        public_key=where(reader.text("approvals", "public_key", "grant-key.pub.pem")),
        audience=reader.text("approvals", "audience"),
        cache=where(reader.text("state", "cache", str(cache_directory()))),
        proposal_minutes=reader.number("approvals", "proposal_minutes", 30, 1, 24 * 60),
        verify_seconds=reader.number("approvals", "verify_seconds", 20, 1, 600),
        lab=bool(reader.take("lab", "running", False)),
    )
    reader.nothing_left()
    return settings


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

    def number(self, table: str, key: str, default: int, least: int, most: int) -> int:
        value = self.take(table, key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise CountersignError(f"{self._path}: `{key}` in [{table}] is a whole number from {least} to {most}")
        return value

    def nothing_left(self) -> None:
        unknown = [
            f"[{table}] {', '.join(keys) if isinstance(keys, dict) else ''}".strip()
            for table, keys in self._left.items()
            if keys
        ]
        if unknown:
            raise CountersignError(f"{self._path}: nobody knows {'; '.join(unknown)}; is it misspelt?")
