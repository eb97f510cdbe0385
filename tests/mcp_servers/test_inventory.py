from __future__ import annotations

from pathlib import Path

import pytest

from mcp_servers.inventory import InventoryError, UnknownService, load_inventory
from tests.mcp_servers.world import write_inventory

HOST = "all: {hosts: {n1: {countersign_services: {%s}}}}"


def test_services_are_found_in_nested_groups_with_the_node_they_stand_on(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(
        "all:\n  children:\n    web:\n      hosts:\n        n1:\n          countersign_services:\n"
        "            shop: {kind: web, owner: web-team, depends_on: [ledger]}\n"
        "    data:\n      hosts:\n        n1:\n        n2:\n          ansible_user: x\n"
        "          countersign_services: {ledger: {kind: postgres, owner: dba}}\n",
        encoding="utf-8",
    )
    found = load_inventory(path)
    assert {name: service.node for name, service in found.services.items()} == {"shop": "n1", "ledger": "n2"}
    assert found.service("shop").depends_on == ("ledger",)


def test_an_unknown_service_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    found = load_inventory(write_inventory(tmp_path / "i.yaml", {"shop": {}, "ledger": {}}))
    with pytest.raises(UnknownService, match="no service 'x' in the inventory; it has: ledger, shop"):
        found.service("x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with the group `all`"),
        ("- a\n", "begins with the group `all`"),
        ("all: [", "not valid YAML"),
        ("all: {hosts: {n1: }}", "no host carries"),
        ("all: {hosts: [n1]}", "hosts of 'all': expected names"),
        ("all: {hosts: {n1: {countersign_services: [a]}}}", "expected names with values"),
        (HOST % "shop: 3", "service 'shop': expected names with values"),
        (HOST % "shop: {kind: web}", "service 'shop': owner: Field required"),
        (HOST % "Shop: {kind: web, owner: x}", "service 'Shop': name: String should match"),
        (HOST % "shop: {kind: web, owner: x, naem: y}", "service 'shop': naem: Extra inputs are not permitted"),
        (HOST % "shop: {kind: web, owner: x, node: y}", "node follows from where it stands"),
        (HOST % "shop: {kind: web, owner: x, depends_on: [y]}", "depends on 'y', which is not in the inventory"),
        (HOST % "1: {kind: web, owner: x}", "expected names with values"),
    ],
)
def test_a_bad_inventory_is_refused_in_one_line_that_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InventoryError) as refused:
        load_inventory(path)
    assert says in str(refused.value) and "\n" not in str(refused.value)


def test_bytes_that_are_no_text_or_a_directory_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    for bad in (path, tmp_path):
        with pytest.raises(InventoryError):
            load_inventory(bad)


def test_a_service_on_two_hosts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    one = "{countersign_services: {shop: {kind: web, owner: x}}}"
    path.write_text(f"all: {{hosts: {{n1: {one}, n2: {one}}}}}", encoding="utf-8")
    with pytest.raises(InventoryError, match="stands on two hosts"):
        load_inventory(path)
