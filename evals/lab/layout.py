"""Where everything of a lab stands in its directory, and what is written there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from evals.lab.errors import LabError
from evals.lab.estate import Estate, Role
from evals.lab.history import Change
from evals.lab.supervision import Program

HOST = "127.0.0.1"
SUPERUSER = "postgres"
KEEPER, VISITORS, REPORT = "lab-keeper", "lab-visitors", "lab-report"

_SOCKET_LIMIT = 103  # sun_path holds 104 bytes on macOS (108 on Linux), the last of them zero.
_SOCKET_SUFFIX = 11  # supervisord first binds to the path plus a dot and its process id.
_UNUSABLE = frozenset('%;#"\\\n\r\t')


@dataclass(frozen=True)
class Service:
    """A service of the lab: what it is called, where it listens, and where its files stand."""

    role: Role
    name: str
    title: str
    alias: str
    port: int
    log: Path
    var: Path
    config: Path | None


class Layout:
    """The paths of the lab in `directory`, for an estate on given ports."""

    def __init__(self, directory: Path, estate: Estate, ports: Mapping[Role, int]) -> None:
        self.directory = directory
        self.estate = estate
        self.etc = directory / "etc"
        self.log = directory / "log"
        self.var = directory / "var"
        self.tls = directory / "tls"
        self.secrets = directory / "secrets"
        self.socket = socket_path(directory)
        self.supervisord_conf = directory / "supervisord.conf"
        self.inventory = directory / "inventory.yaml"
        self.ca_file = self.tls / "ca.pem"
        self.certificate = self.tls / "server.pem"
        self.key = self.tls / "server.key"
        self.services = {role: self._service(role, ports[role]) for role in Role}

    def _service(self, role: Role, port: int) -> Service:
        names = self.estate.services[role]
        return Service(
            role=role,
            name=names.name,
            title=names.title,
            alias=names.aliases[0],
            port=port,
            log=self.log / f"{names.name}.log",
            var=self.var / names.name,
            config=None if role is Role.DATABASE else self.etc / f"{names.name}.toml",
        )

    @property
    def data(self) -> Path:
        """The database's data directory."""
        return self.services[Role.DATABASE].var / "data"

    def passfile(self, user: str) -> Path:
        """The libpq password file of a database user."""
        return self.secrets / f"{user}.pgpass"

    def passfile_text(self, user: str, password: str) -> str:
        """One line of a libpq password file; valid for every database of this server."""
        return f"{HOST}:{self.services[Role.DATABASE].port}:*:{user}:{password}\n"

    def url(self, role: Role) -> str:
        """The base URL of the front or of the application."""
        return f"{'https' if role is Role.FRONT else 'http'}://{HOST}:{self.services[role].port}"

    def programs(self, postgres: Path, account: str, idle_seconds: float) -> list[Program]:
        """Everything that runs under the lab's supervisord. `account` is who runs the database, "" for ourselves."""
        front, application, database = (self.services[role] for role in Role)
        names = self.estate.database
        here = str(self.directory)

        def module(name: str, *arguments: str) -> list[str]:
            # -P: the working directory must not be able to bring modules of its own.
            return [sys.executable, "-P", "-m", f"evals.lab.{name}", *arguments]

        # 78: a service that refuses its configuration is not started for ever (systemd's RestartPreventExitStatus).
        service: dict[str, Any] = {"directory": here, "exitcodes": "0,78"}
        keeper = module(
            "keeper",
            *("--lock", str(lock_path(self.directory)), "--socket", str(self.socket)),
            *("--idle-seconds", f"{idle_seconds:g}"),
        )
        visitors = module("visitors", "--host", HOST, "--port", str(front.port), "--ca-file", str(self.ca_file))
        report = module(
            "stuck_session",
            *("--host", HOST, "--port", str(database.port), "--dbname", names.name, "--user", names.reporting_user),
            *("--passfile", str(self.passfile(names.reporting_user)), "--table", names.table),
            *("--application", names.reporting_application),
        )
        return [
            Program(
                database.name,
                [str(postgres / "postgres"), "-D", str(self.data.resolve())],
                "/",
                database.log,
                autorestart="true",
                stopsignal="INT",
                user=account,
            ),
            Program(
                application.name, module("app", "--config", str(application.config)), log=application.log, **service
            ),
            Program(front.name, module("web", "--config", str(front.config)), log=front.log, **service),
            Program(KEEPER, keeper, here, self.log / f"{KEEPER}.log", autostart=True, autorestart="true", startsecs=0),
            Program(VISITORS, visitors, here, self.log / f"{VISITORS}.log", autorestart="true", startsecs=0),
            Program(REPORT, report, here, self.log / f"{REPORT}.log", autorestart="false", startsecs=0),
        ]

    def configuration(
        self, *, pool_max: int = 8, read_timeout_s: int = 8, lock_timeout_ms: int = 3000
    ) -> dict[Role, str]:
        """The text of each service's configuration file."""
        front, application, database = (self.services[role] for role in Role)
        names = self.estate.database
        return {
            Role.FRONT: f"""\
# {front.title}: TLS in front of {application.name}

[listen]
host = "{HOST}"
port = {front.port}
certificate = "{self.certificate}"
key = "{self.key}"

[upstream]
url = "{self.url(Role.APPLICATION)}"
connect_timeout_s = 2
read_timeout_s = {read_timeout_s}

[log]
level = "info"
""",
            Role.APPLICATION: f"""\
# {application.title}

[server]
name = "{application.name}"
host = "{HOST}"
port = {application.port}

[database]
host = "{HOST}"
port = {database.port}
name = "{names.name}"
table = "{names.table}"
user = "{names.application_user}"
passfile = "{self.passfile(names.application_user)}"
pool_min = 2
pool_max = {pool_max}
connect_timeout_s = 3
statement_timeout_ms = 5000
lock_timeout_ms = {lock_timeout_ms}
health_timeout_ms = 1000

[log]
level = "info"
""",
        }

    def changes(self, now: datetime) -> list[Change]:
        """The history of the configuration before the lab starts, oldest first."""
        first, second, third = self.estate.authors[:3]
        front, application = self.services[Role.FRONT].name, self.services[Role.APPLICATION].name

        def change(author: str, days: int, subject: str, **tuned: int) -> Change:
            texts = self.configuration(**tuned)
            files = {f"{front}.toml": texts[Role.FRONT], f"{application}.toml": texts[Role.APPLICATION]}
            at = (now - timedelta(days=days)).replace(hour=9, minute=17 + days % 40)  # In office hours.
            return Change(author, at, subject, files)

        was = {"pool_max": 4, "read_timeout_s": 5, "lock_timeout_ms": 5000}
        return [
            change(first, 96, "Configuration as installed", **was),
            change(
                second, 61, f"{application}: give up on a lock after three seconds", **was | {"lock_timeout_ms": 3000}
            ),
            change(third, 33, f"{front}: wait 8 s for slow pages", pool_max=4),
            change(second, 12, f"{application}: 8 database connections for the new counter"),
        ]

    def inventory_text(self) -> str:
        """The Ansible inventory (YAML) that describes the estate to everything else."""
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "countersign_services": {service.name: self._described(service) for service in self.services.values()},
        }
        document = {"all": {"hosts": {self.estate.node: host}}}
        return f"# {self.estate.organisation}\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)

    def _described(self, service: Service) -> dict[str, Any]:
        names = self.estate.services[service.role]
        below = {Role.FRONT: Role.APPLICATION, Role.APPLICATION: Role.DATABASE}.get(service.role)
        described: dict[str, Any] = {
            "title": names.title,
            "kind": names.kind,
            "aliases": list(names.aliases),
            "owner": names.owner,
            "approvers": list(names.approvers),
            "responders": list(names.responders),
            "depends_on": [self.services[below].name] if below else [],
            "environment": self.estate.environment,
            "listen": {"host": HOST, "port": service.port},
            "supervisor": {"kind": "supervisord", "socket": str(self.socket), "program": service.name},
            "logs": [str(service.log)],
            "disk": [str(service.var.resolve())],
        }
        if service.role is Role.DATABASE:
            user = self.estate.database.monitoring_user
            described["postgres"] = {
                "host": HOST,
                "port": service.port,
                "dbname": self.estate.database.name,
                "user": user,
                "passfile": str(self.passfile(user)),
            }
            return described
        described["health"] = {"url": f"{self.url(service.role)}/health"}
        module = "web" if service.role is Role.FRONT else "app"
        described["config"] = {
            "path": str(service.config),
            "repository": str(self.etc),
            "check": [sys.executable, "-P", "-m", f"evals.lab.{module}", "--check-config", "{path}"],
        }
        if service.role is Role.FRONT:
            described["health"]["ca_file"] = str(self.ca_file)
            server_name = f"{service.name}.{self.estate.domain}"
            described["listen"] |= {"tls": True, "server_name": server_name, "ca_file": str(self.ca_file)}
        return described


def socket_path(directory: Path) -> Path:
    """The path of supervisord's socket."""
    return directory / "supervisor.sock"


def lock_path(directory: Path) -> Path:
    """The file that everyone who uses the lab holds a shared lock on."""
    return directory / "attached.lock"


def usable(directory: Path) -> Path:
    """Return the absolute directory, or raise LabError when its name alone makes it unusable."""
    absolute = directory.expanduser().resolve()
    bad = sorted(_UNUSABLE.intersection(str(absolute)))
    if bad:
        raise LabError(f"the directory {str(absolute)!r} has the character {bad[0]!r} in its name: choose another one")
    too_long = len(str(socket_path(absolute)).encode()) + _SOCKET_SUFFIX - _SOCKET_LIMIT
    if too_long > 0:
        raise LabError(
            f"the directory {absolute} has too long a name for a Unix socket in it: "
            f"choose one at least {too_long} bytes shorter"
        )
    return absolute
