"""The services speak their protocols as real ones do."""

from __future__ import annotations

import ssl
import urllib.request

import psycopg
import pytest

from evals.lab.estate import Role
from evals.lab.lab import Lab
from mcp_servers.inventory import load_inventory


def test_the_inventory_describes_services_that_can_be_reached_as_it_says(lab: Lab) -> None:
    inventory = load_inventory(lab.inventory)
    front, application, database = (inventory.service(lab.service(role).name) for role in Role)
    assert (front.depends_on, application.depends_on) == ((application.name,), (database.name,))
    for service in (front, application):
        assert service.health is not None
        context = ssl.create_default_context(cafile=service.health.ca_file) if service.health.ca_file else None
        with urllib.request.urlopen(service.health.url, timeout=5, context=context) as answer:
            assert answer.status == 200
    assert database.postgres is not None
    reach = database.postgres
    with psycopg.connect(
        host=reach.host, port=reach.port, dbname=reach.dbname, user=reach.user, passfile=str(reach.passfile)
    ) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM pg_stat_activity WHERE query <> ''").fetchone() == (True,)
    for service in inventory.services.values():
        assert all(path.is_file() for path in service.logs)
        assert all(path.is_dir() for path in service.disk)


def test_a_certificate_of_the_front_is_not_trusted_by_everyone(lab: Lab) -> None:
    with pytest.raises(OSError, match="certificate verify failed"):
        urllib.request.urlopen(lab.layout.url(Role.FRONT), timeout=5)


def test_secrets_are_readable_by_their_owner_alone(lab: Lab) -> None:
    private = [lab.layout.key, lab.layout.supervisord_conf, *lab.layout.secrets.iterdir()]
    assert len(private) >= 6
    assert {path.stat().st_mode & 0o077 for path in private} == {0}
    written = "".join(path.read_text(encoding="utf-8") for path in lab.layout.etc.glob("*.toml"))
    password = lab.layout.passfile("postgres").read_text(encoding="utf-8").rsplit(":", 1)[1].strip()
    assert password not in written + lab.inventory.read_text(encoding="utf-8")


def test_the_database_asks_for_a_password(lab: Lab) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host="127.0.0.1", port=lab.database.port, dbname="permits", user="postgres", passfile="/dev/null"
        )


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/permits", None, 200),
        ("GET", "/permits/1", None, 200),
        ("GET", "/permits/999999", None, 404),
        ("GET", "/nothing", None, 404),
        ("DELETE", "/permits", None, 405),
        ("POST", "/permits", {"kind": "fence", "parcel": "1"}, 201),
        ("POST", "/permits", {"kind": "fence"}, 422),
        ("POST", "/permits", {"kind": "", "parcel": "1"}, 422),
        ("POST", "/permits", {"kind": "x" * 2_000_000, "parcel": "1"}, 413),
    ],
)
def test_requests_through_the_front_are_answered(
    lab: Lab, method: str, path: str, body: dict[str, str] | None, status: int
) -> None:
    assert lab.request(method, path, body).status == status


def test_a_stopped_database_is_told_as_such_and_the_service_recovers_by_itself(lab: Lab) -> None:
    lab.supervision.halt(lab.database.name)
    answer = lab.request("GET", "/health")
    assert answer.status == 503
    assert '"error":"database"' in answer.body
    lab.supervision.restart(lab.database.name)
    lab.wait_healthy()
