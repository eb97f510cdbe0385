"""The estate as data: what its services, database and people are called."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from evals.lab.errors import LabError

DEFAULT_ESTATE = Path(__file__).with_name("estate.yaml")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
SqlName = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}$")]


class Role(StrEnum):
    """What a service does in the estate; code knows services by role and never by name."""

    FRONT = "front"
    APPLICATION = "application"
    DATABASE = "database"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceNames(_Strict):
    """What one service is called and who answers for it."""

    name: Name
    title: str
    kind: Name
    aliases: tuple[str, ...] = Field(min_length=1)
    owner: str
    approvers: tuple[str, ...]
    responders: tuple[str, ...]


class DatabaseNames(_Strict):
    """What the database, its table and its users are called."""

    name: SqlName
    table: SqlName
    application_user: SqlName
    monitoring_user: SqlName
    reporting_user: SqlName
    reporting_application: Label


class Ports(_Strict):
    """The range that ports are taken from, both ends included."""

    first: int = Field(ge=1024, le=65535)
    last: int = Field(ge=1024, le=65535)

    @model_validator(mode="after")
    def _wide_enough(self) -> Self:
        if self.last - self.first < 9:
            raise ValueError("a range of at least ten ports is needed")
        return self


class Estate(_Strict):
    """An estate of three services, one for each role."""

    organisation: str
    domain: str
    environment: str
    node: Name
    ports: Ports
    services: dict[Role, ServiceNames]
    database: DatabaseNames
    authors: tuple[Name, ...] = Field(min_length=3)
    requesters: tuple[Name, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        missing = [role.value for role in Role if role not in self.services]
        if missing:
            raise ValueError(f"no service for the role {missing[0]}")
        names = [service.name for service in self.services.values()]
        if len(set(names)) < len(names) or any(name.startswith("lab-") for name in names):
            raise ValueError("service names must differ from each other and must not begin with lab-")
        users = {self.database.application_user, self.database.monitoring_user, self.database.reporting_user}
        if len(users) < 3 or "postgres" in users:
            raise ValueError("the three database users must differ from each other and from postgres")
        return self


def load_estate(path: Path = DEFAULT_ESTATE) -> Estate:
    """Read an estate file, or raise LabError with what is wrong and where."""
    try:
        return Estate.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LabError(f"cannot read the estate file {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabError(f"the estate file {path} is not valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "top"
        raise LabError(f"the estate file {path} cannot be used: {where}: {first['msg']}") from error
