"""The pages that come with the product: sound, and true to a world in which one thing is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml

import knowledge
import mcp_servers.remediation
from knowledge.conditions import Truth
from knowledge.documents import read_documents
from knowledge.lint import ActionShape, ToolShape, lint
from knowledge.references import resolve
from mcp_servers.diagnostics.server import Diagnostics

RUNBOOKS = Path(knowledge.__file__).parent / "runbooks"
PLAYS = Path(mcp_servers.remediation.__file__).parent / "plays"
DOCUMENTS, PROBLEMS = read_documents([RUNBOOKS])
NO_BLOCKER = {"pid": 0, "backend_start": "", "application": "", "user": "", "state": "", "transaction_age_s": 0,
              "waiting_behind": 0, "query": ""}  # fmt: skip
HEALTHY: dict[str, dict[str, Any]] = {
    "http": {"ok": True, "status": 200, "error": "", "latency_ms": 20, "expect_status": 200},
    "tcp": {"open": True, "error": ""},
    "tls": {"valid": True, "error": "", "days_left": 80, "not_after": "2027-02-01", "issuer": "us"},
    "unit": {"state": "running", "last_log": "ready", "exit_code": 0},
    "changes": {"count": 0, "changes": [], "uncommitted": False, "current_valid": True, "last_good": "abc1234"},
    "locks": {"sessions": 5, "active": 1, "waiting": 0, "max_connections": 100, "blockers": [], "blocker": NO_BLOCKER},
    "disk": {"fullest_percent": 40},
}
DOWN: dict[str, dict[str, Any]] = {
    "http": {"ok": False, "status": 0, "error": "refused"},
    "tcp": {"open": False, "error": "refused"},
}


def world(**changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: seen | changes.get(name, {}) for name, seen in HEALTHY.items()}


def matching(seen: dict[str, dict[str, Any]]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Causes that hold, as page/cause: (action, target, arguments)."""
    found = {}
    for document in DOCUMENTS:
        for cause in document.executable.causes if document.executable else ():
            if cause.condition.evaluate(seen).truth is Truth.TRUE:
                fix = cause.fix
                args = {
                    key: resolve(value, service="this", observations=seen, nearest=lambda kind: f"a-{kind}")
                    for key, value in (fix.args.items() if fix else ())
                }
                found[f"{document.id}/{cause.id}"] = (fix.action if fix else "", fix.target if fix else "", args)
    return found


def test_the_pages_are_sound_against_the_real_tools_and_actions() -> None:
    tools = {}
    for name in (
        "check_http",
        "check_tcp",
        "check_tls",
        "service_status",
        "recent_changes",
        "postgres_activity",
        "check_disk",
    ):
        result = get_type_hints(getattr(Diagnostics, name))["return"]
        takes = {"type": "object", "properties": {"service": {"type": "string"}}, "required": ["service"]}
        tools[name] = ToolShape(takes, result.model_json_schema(mode="serialization"))
    actions = {
        path.name.removesuffix(".action.yaml"): ActionShape(yaml.safe_load(path.read_text(encoding="utf-8"))["params"])
        for path in PLAYS.glob("*.action.yaml")
    }
    errors = [str(problem) for problem in lint([RUNBOOKS], tools, actions) if problem.level == "error"]
    assert errors == []
    assert PROBLEMS == []


def test_there_are_pages_with_and_without_something_to_run() -> None:
    executable = [document for document in DOCUMENTS if document.executable]
    assert len(DOCUMENTS) >= 9
    assert 5 <= len(executable) < len(DOCUMENTS)
    assert any(document.reviewed is None for document in DOCUMENTS)  # no front matter at all


def test_a_healthy_service_matches_no_cause() -> None:
    assert matching(HEALTHY) == {}
    assert matching(world(changes={"count": 3, "uncommitted": True})) == {}


def test_nothing_seen_matches_no_cause() -> None:
    assert matching({}) == {}


STOPPED: dict[str, dict[str, Any]] = {"unit": {"state": "stopped"}}
BROKEN: dict[str, dict[str, Any]] = {
    "unit": {"state": "failed", "last_log": "unknown directive in line 4"},
    "changes": {"count": 1, "current_valid": False, "last_good": "abc1234"},
}
BLOCKER = NO_BLOCKER | {"pid": 41, "backend_start": "2026-11-20T23:00:00Z", "state": "idle in transaction",
                        "transaction_age_s": 30, "waiting_behind": 2}  # fmt: skip


def test_a_stopped_service_is_to_be_restarted() -> None:
    assert matching(world(**DOWN, **STOPPED)) == {"RB-101/not-running": ("restart_service", "$service", {})}


def test_a_stopped_database_without_a_web_address_is_to_be_restarted() -> None:
    seen = world(**DOWN, **STOPPED)
    del seen["http"], seen["tls"]
    assert matching(seen) == {"RB-101/not-running": ("restart_service", "$service", {})}


def test_a_front_that_runs_before_a_stopped_application_is_left_alone() -> None:
    assert matching(world(http={"ok": False, "status": 502})) == {}


def test_a_configuration_that_broke_the_service_is_to_be_restored() -> None:
    found = matching(world(**DOWN, **BROKEN))
    restore = ("restore_config", "$service", {"revision": "abc1234"})
    assert found == {"RB-101/configuration-change": restore, "RB-102/configuration-change": restore}


def test_without_a_good_version_nothing_is_restored() -> None:
    seen = world(**DOWN, **BROKEN)
    seen["changes"]["last_good"] = ""
    assert matching(seen) == {"RB-102/configuration-without-a-good-version": ("", "", {})}


@pytest.mark.parametrize("front", [{}, {"ok": False, "status": 504}])
def test_a_sleeping_session_that_blocks_others_is_to_be_ended(front: dict[str, Any]) -> None:
    found = matching(world(http=front, locks={"waiting": 2, "blocker": BLOCKER}))
    args = {"pid": 41, "backend_start": "2026-11-20T23:00:00Z"}
    assert found == {"RB-103/idle-session-blocks": ("end_blocking_session", "$nearest.postgres", args)}


def test_a_session_that_works_or_blocks_nobody_is_left_alone() -> None:
    working = BLOCKER | {"state": "active", "transaction_age_s": 90}
    assert [fix[0] for fix in matching(world(locks={"waiting": 2, "blocker": working})).values()] == [""]
    assert matching(world(locks={"waiting": 0, "blocker": BLOCKER | {"waiting_behind": 0}})) == {}


def test_a_service_whose_port_is_taken_is_not_restarted() -> None:
    seen = world(**DOWN, unit={"state": "failed", "last_log": "bind: Address already in use"})
    assert matching(seen) == {"RB-102/port-in-use": ("", "", {})}


def test_an_expired_certificate_has_steps_and_no_fix() -> None:
    found = matching(
        world(http={"ok": False, "error": "tls"}, tls={"valid": False, "error": "expired", "days_left": -3})
    )
    assert found == {"RB-101/certificate": ("", "", {}), "RB-105/expired": ("", "", {})}
