"""The configuration of the two services: what may stand in their files, and what it becomes."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from evals.lab.configfile import ConfigError, Key, Schema, Value, read

_PORT = Key("integer", low=1, high=65535)
_LOG = {"level": Key("choice", choices=("debug", "info", "warning", "error"), default="info")}

APPLICATION: Schema = {
    "server": {"name": Key("text"), "host": Key("text"), "port": _PORT},
    "database": {
        "host": Key("text"),
        "port": _PORT,
        "name": Key("text"),
        "table": Key("text"),
        "user": Key("text"),
        "passfile": Key("file"),
        "pool_min": Key("integer", low=1, high=100, default=1),
        "pool_max": Key("integer", low=1, high=100),
        "connect_timeout_s": Key("integer", low=1, high=60, default=3),
        "statement_timeout_ms": Key("integer", low=100, high=600_000),
        "lock_timeout_ms": Key("integer", low=100, high=600_000),
        "health_timeout_ms": Key("integer", low=100, high=10_000, default=1000),
    },
    "log": _LOG,
}
WEB: Schema = {
    "listen": {"host": Key("text"), "port": _PORT, "certificate": Key("file"), "key": Key("file")},
    "upstream": {
        "url": Key("url"),
        "connect_timeout_s": Key("integer", low=1, high=60, default=2),
        "read_timeout_s": Key("integer", low=1, high=600),
    },
    "limits": {"max_body_kib": Key("integer", low=1, high=102_400, default=1024)},
    "log": _LOG,
}


@dataclass(frozen=True)
class ApplicationSettings:
    """How the application service runs; times in the unit their name ends with."""

    name: str
    host: str
    port: int
    database_host: str
    database_port: int
    database: str
    table: str
    user: str
    passfile: Path
    pool_min: int
    pool_max: int
    connect_timeout_s: int
    statement_timeout_ms: int
    lock_timeout_ms: int
    health_timeout_ms: int
    level: str


@dataclass(frozen=True)
class WebSettings:
    """How the front runs; times in the unit their name ends with."""

    host: str
    port: int
    certificate: Path
    key: Path
    upstream: str
    connect_timeout_s: int
    read_timeout_s: int
    max_body_kib: int
    level: str


def application_settings(path: Path) -> ApplicationSettings:
    """Read the application's file, or raise ConfigError."""
    values = read(path, APPLICATION)
    server, database = values["server"], values["database"]
    settings = ApplicationSettings(
        name=str(server["name"]),
        host=str(server["host"]),
        port=_whole(server["port"]),
        database_host=str(database["host"]),
        database_port=_whole(database["port"]),
        database=str(database["name"]),
        table=str(database["table"]),
        user=str(database["user"]),
        passfile=Path(str(database["passfile"])),
        pool_min=_whole(database["pool_min"]),
        pool_max=_whole(database["pool_max"]),
        connect_timeout_s=_whole(database["connect_timeout_s"]),
        statement_timeout_ms=_whole(database["statement_timeout_ms"]),
        lock_timeout_ms=_whole(database["lock_timeout_ms"]),
        health_timeout_ms=_whole(database["health_timeout_ms"]),
        level=str(values["log"]["level"]),
    )
    if settings.pool_min > settings.pool_max:
        raise ConfigError(f"{path}: database.pool_min ({settings.pool_min}) is above pool_max ({settings.pool_max})")
    return settings


def web_settings(path: Path) -> WebSettings:
    """Read the front's file, or raise ConfigError."""
    values = read(path, WEB)
    listen, upstream = values["listen"], values["upstream"]
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            str(listen["certificate"]), str(listen["key"])
        )
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"{path}: listen.certificate and listen.key cannot be used together: {error}") from error
    return WebSettings(
        host=str(listen["host"]),
        port=_whole(listen["port"]),
        certificate=Path(str(listen["certificate"])),
        key=Path(str(listen["key"])),
        upstream=str(upstream["url"]),
        connect_timeout_s=_whole(upstream["connect_timeout_s"]),
        read_timeout_s=_whole(upstream["read_timeout_s"]),
        max_body_kib=_whole(values["limits"]["max_body_kib"]),
        level=str(values["log"]["level"]),
    )


def _whole(value: Value) -> int:
    return int(value)
