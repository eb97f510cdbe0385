"""The estate as the servers see it: an Ansible inventory in YAML, read into typed services.

Targets are always named by service; addresses, paths and credentials come from here and never from a caller.
The format is described in docs/inventory.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", max_length=63)]
"""A service's name in the inventory: never a leading dash, never a path, never a URL."""


class InventoryError(ValueError):
    """The inventory cannot be used; the message says where and why."""


class UnknownService(ValueError):
    """A service that is not in the inventory was asked for."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Health(_Strict):
    """How a user of the service would look at it: one GET, and the status it should answer."""

    url: str
    expect_status: int = 200
    ca_file: Path | None = None
    timeout_s: float = Field(default=3.0, gt=0, le=30)


class Listen(_Strict):
    """Where the service accepts connections."""

    host: str
    port: int = Field(ge=1, le=65535)
    tls: bool = False
    server_name: str | None = None
    ca_file: Path | None = None


class Supervisor(_Strict):
    """Who keeps the service running. `socket` is supervisord's XML-RPC Unix socket, `program` its name there."""

    kind: Literal["supervisord"]
    socket: Path
    program: str


class Config(_Strict):
    """The service's configuration file, the git work tree that keeps its history, and the service's own checker.

    `check` is an argument vector (no shell); the word `{path}` in it is replaced by the file to check.
    """

    path: Path
    repository: Path
    check: tuple[str, ...] = ()


class Postgres(_Strict):
    """How to reach a PostgreSQL service. The password, if any, stands in a libpq password file."""

    host: str
    port: int = Field(ge=1, le=65535)
    dbname: str
    user: str
    passfile: Path | None = None


class Service(_Strict):
    """One service of the estate, with everything a check or an action may need to reach it."""

    name: ServiceName
    node: str
    title: str = ""
    kind: str
    aliases: tuple[str, ...] = ()
    owner: str
    approvers: tuple[str, ...] = ()
    responders: tuple[str, ...] = ()
    depends_on: tuple[ServiceName, ...] = ()
    environment: str = ""
    health: Health | None = None
    listen: Listen | None = None
    supervisor: Supervisor | None = None
    logs: tuple[Path, ...] = ()
    config: Config | None = None
    disk: tuple[Path, ...] = ()
    postgres: Postgres | None = None


class Inventory:
    """The services of an estate by name."""

    def __init__(self, services: dict[str, Service], path: Path) -> None:
        self.services = services
        self.path = path

    def service(self, name: str) -> Service:
        """Return the service called `name`, or raise UnknownService with the names there are."""
        try:
            return self.services[name]
        except KeyError:
            known = ", ".join(sorted(self.services))
            raise UnknownService(f"no service {name!r} in the inventory; it has: {known}") from None


def load_inventory(path: Path) -> Inventory:
    """Read an Ansible inventory (YAML) whose hosts carry `countersign_services`.

    Raises InventoryError when the file is missing, is not such an inventory, or names a service twice.
    """
    services: dict[str, Service] = {}
    for node, variables in _hosts(_read(path), path):
        for name, body in _mapping(variables.get("countersign_services"), f"{path}: services of {node!r}").items():
            if name in services:
                raise InventoryError(f"{path}: service {name!r} stands on two hosts")
            services[name] = _service(str(name), node, body, path)
    for service in services.values():
        for needed in service.depends_on:
            if needed not in services:
                raise InventoryError(f"{path}: {service.name!r} depends on {needed!r}, which is not in the inventory")
    if not services:
        raise InventoryError(f"{path}: no host carries `countersign_services`")
    return Inventory(services, path)


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InventoryError(f"cannot read the inventory {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        says = " ".join(str(error).split())
        raise InventoryError(f"the inventory {path} is not valid YAML: {says}") from error


def _service(name: str, node: str, body: Any, path: Path) -> Service:
    fields = _mapping(body, f"{path}: service {name!r}")
    if taken := {"name", "node"} & fields.keys():
        raise InventoryError(f"{path}: service {name!r}: {min(taken)} follows from where it stands; remove it")
    try:
        return Service(name=name, node=node, **fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InventoryError(f"{path}: service {name!r}: {where}: {first['msg']}") from error


def _mapping(value: Any, where: str) -> dict[str, Any]:
    """Return a YAML mapping, an empty one for nothing; anything else is an error that says where it stands."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InventoryError(f"{where}: expected names with values under them")
    return value


def _hosts(document: Any, path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Walk the groups of an Ansible YAML inventory and return each host with the variables written beside it."""
    if not isinstance(document, dict) or not isinstance(document.get("all"), dict):
        raise InventoryError(f"{path}: an Ansible inventory in YAML begins with the group `all`")
    found: dict[str, dict[str, Any]] = {}

    def walk(group: dict[str, Any], name: str) -> None:
        for host, variables in _mapping(group.get("hosts"), f"{path}: hosts of {name!r}").items():
            found.setdefault(host, {}).update(_mapping(variables, f"{path}: host {host!r}"))
        for child, body in _mapping(group.get("children"), f"{path}: children of {name!r}").items():
            walk(_mapping(body, f"{path}: group {child!r}"), child)

    walk(document["all"], "all")
    return list(found.items())
