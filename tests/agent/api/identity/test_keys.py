"""`countersign keys`: made once, printed once, listed without its secret, revoked at once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.api.identity import keys
from agent.api.identity.principal import PERMISSIONS
from agent.api.identity.store import Store
from agent.cli import keys_create, main
from agent.core.errors import CountersignError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "countersign.toml"
    text = '[estate]\ninventory = "inventory.yaml"\n[approvals]\naudience = "countersign-remediation:test"\n'
    file.write_text(text, encoding="utf-8")
    return file


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["keys", *words, "--config", str(config)])


def made(config: Path, *words: str) -> dict[str, Any]:
    result = run(config, "create", *words, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_a_key_is_printed_once_and_opens_what_it_says(config: Path) -> None:
    key = made(config, "--for", "dana.meyer", "--scope", "read", "--scope", "decide", "--days", "7")
    store = Store(config.parent / "state" / "identity.db")
    found = store.key(key["key"])
    store.close()
    assert found is not None
    who = keys.principal(found)
    assert (who.person, who.permissions, who.is_machine) == ("dana.meyer", frozenset({"read", "decide"}), False)
    ends = datetime.fromisoformat(key["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < ends <= timedelta(days=7)
    listed = run(config, "list").output
    assert key["id"] in listed and "dana.meyer" in listed and key["key"].rpartition("_")[2] not in listed


def test_a_key_is_printed_for_people_with_what_to_do(config: Path) -> None:
    result = run(config, "create", "--machine", "grafana", "--scope", "metrics")
    assert result.exit_code == 0 and result.output.startswith("csk_")
    words = " ".join(result.output.split())
    assert "For machine:grafana, may metrics" in words and "keys revoke" in words


def test_a_revoked_key_opens_nothing_from_then_on(config: Path) -> None:
    key = made(config, "--for", "dana.meyer", "--scope", "read")
    whole = run(config, "revoke", key["key"])
    assert whole.exit_code == 0 and "is revoked" in whole.output
    [listed] = [json.loads(line) for line in run(config, "list", "--json").output.splitlines()]
    assert listed["revoked_at"] and "key" not in listed
    unknown = run(config, "revoke", "nobody")
    assert unknown.exit_code == 2 and "no API key nobody" in unknown.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--scope", "read"], "a key belongs to somebody"),
        (["--for", "dana.meyer", "--machine", "x", "--scope", "read"], "a key belongs to somebody"),
        (["--for", "dana meyer", "--scope", "read"], "is no name"),
        (["--machine", "machine:x", "--scope", "read"], "is no name"),
        (["--machine", "grafana", "--scope", "decide"], "a machine decides nothing"),
        (["--for", "dana.meyer"], "Missing option"),
        (["--for", "dana.meyer", "--scope", "rule"], "Invalid value"),
        (["--for", "dana.meyer", "--scope", "read", "--days", "0"], "Invalid value"),
        (["--for", "dana.meyer", "--scope", "read", "--days", "366"], "Invalid value"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(config: Path, words: list[str], says: str) -> None:
    result = run(config, "create", *words)
    assert result.exit_code == 2 and says in result.stderr
    assert "There are no API keys" in run(config, "list").output


def test_the_command_offers_the_scopes_that_there_are(tmp_path: Path) -> None:
    offered = next(one for one in keys_create.params if one.name == "scopes").type
    assert set(getattr(offered, "choices", ())) == PERMISSIONS
    store = Store(tmp_path / "identity.db")
    for scopes, days in ((["rule"], 1), ([], 1), (["read"], 0), (["read"], 366)):
        with pytest.raises(CountersignError):
            keys.create(store, "dana.meyer", "", scopes, days)
    store.close()
