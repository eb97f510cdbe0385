"""Each action of the catalogue on real services: a rehearsal changes nothing, and says what executing then does."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from evals.lab.estate import Role
from evals.lab.faults import fault
from evals.lab.lab import Lab
from mcp_servers.remediation.executor import CannotRehearse, Rehearsal
from tests.mcp_servers.remediation.office import Office


def world(lab: Lab) -> dict[str, Any]:
    """Everything that an action could change: files with their history, processes, sessions."""
    etc = lab.layout.etc
    files = {str(path.relative_to(etc)): path.read_bytes() for path in sorted(etc.rglob("*")) if path.is_file()}
    states = {role: lab.state(role) for role in Role}
    programs = {role: (state.state, state.pid, state.started) for role, state in states.items()}
    with lab.connect() as connection:
        sessions = connection.execute(
            "select pid, backend_start from pg_stat_activity where usename = %s", [lab.estate.database.reporting_user]
        ).fetchall()
    return {"files": files, "programs": programs, "sessions": sorted(sessions)}


def rehearsed(office: Office, lab: Lab, action: str, target: str, **params: Any) -> Rehearsal:
    """Rehearse twice, and promise that this changed nothing."""
    before = world(lab)
    seen = office.rehearse(action, target, **params)
    again = office.rehearse(action, target, **params)
    assert world(lab) == before
    assert (seen.before, seen.after, seen.undo) == (again.before, again.after, again.undo)
    assert seen.precondition.met
    assert seen.changes
    return seen


def carried_out(office: Office, seen: Rehearsal, approver: str) -> None:
    """Execute, and promise that it did what was rehearsed, and that there is nothing left to do."""
    outcome = office.carry_out(seen, approver)
    assert outcome.reason == ""
    assert (outcome.state, outcome.before, outcome.after) == ("finished", seen.before, seen.after)
    after = office.rehearse(seen.action, seen.target, **seen.params)
    assert not after.changes
    assert (after.before, after.diff) == (after.after, "")


def approver(lab: Lab, role: Role) -> str:
    return lab.estate.services[role].approvers[0]


def git(lab: Lab, *words: str) -> str:
    argv = ["git", "-c", "safe.directory=*", "-C", str(lab.layout.etc), *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def test_a_stopped_service_is_started_as_rehearsed(office: Office, lab: Lab) -> None:
    fault("service-stopped").inject(lab)
    name = lab.application.name
    seen = rehearsed(office, lab, "restart_service", name)
    assert (seen.before, seen.after) == ({"state": "stopped"}, {"state": "running"})
    assert seen.expect[0]["args"] == {"service": name}
    assert "cannot" in seen.undo
    carried_out(office, seen, lab.estate.services[Role.APPLICATION].responders[0])
    lab.wait_healthy()


def test_a_running_service_is_not_touched_without_its_instance(office: Office, lab: Lab) -> None:
    seen = office.rehearse("restart_service", lab.front.name)
    assert (seen.changes, seen.precondition.met) == (False, False)
    outcome = office.carry_out(seen, approver(lab, Role.FRONT))
    assert (outcome.state, outcome.code) == ("refused", "precondition")


def test_the_running_instance_that_was_named_is_restarted_and_only_once(office: Office, lab: Lab) -> None:
    name, old = lab.front.name, lab.state(Role.FRONT)
    instance = str(office.rehearse("restart_service", name).observed["started"])
    seen = rehearsed(office, lab, "restart_service", name, instance=instance)
    assert seen.before == {"state": "running", "instance": instance}
    carried_out(office, seen, approver(lab, Role.FRONT))
    new = lab.state(Role.FRONT)
    assert (new.state, new.pid != old.pid) == ("RUNNING", True)
    outcome = office.carry_out(seen, approver(lab, Role.FRONT))
    assert (outcome.state, outcome.code) == ("refused", "stale")
    assert lab.state(Role.FRONT).pid == new.pid


def test_a_service_that_does_not_start_fails_with_the_end_of_its_log(office: Office, lab: Lab) -> None:
    fault("config-broken").inject(lab)
    seen = rehearsed(office, lab, "restart_service", lab.application.name)
    assert seen.before == {"state": "failed"}
    outcome = office.carry_out(seen, approver(lab, Role.APPLICATION))
    assert (outcome.state, outcome.code, outcome.after) == ("failed", "action_failed", {"state": "failed"})
    assert lab.application.config is not None
    assert lab.application.config.name in outcome.reason


def test_a_configuration_is_restored_committed_and_can_be_given_back(office: Office, lab: Lab) -> None:
    good = git(lab, "rev-parse", "HEAD")
    fault("config-broken").inject(lab)
    config = lab.application.config
    assert config is not None
    broken, mode = config.read_bytes(), config.stat().st_mode
    (lab.layout.etc / "unrelated.txt").write_text("somebody is at work here", encoding="utf-8")

    seen = rehearsed(office, lab, "restore_config", lab.application.name, revision=good)
    assert seen.before["state"] == "failed"
    assert seen.before["config"] != seen.after["config"]
    assert seen.diff.count("\n+") == 2  # the header's and one changed line
    carried_out(office, seen, approver(lab, Role.APPLICATION))

    assert (config.read_bytes(), config.stat().st_mode) == (git_bytes(lab, f"{good}:{config.name}"), mode)
    assert git(lab, "log", "-1", "--format=%an") == "Countersign"
    assert "sha256:" in git(lab, "log", "-1", "--format=%s")
    assert git(lab, "show", "--format=", "--name-only", "HEAD") == config.name
    assert git(lab, "status", "--porcelain") == "?? unrelated.txt"
    (lab.layout.etc / "unrelated.txt").unlink()
    lab.wait_healthy()
    previous = str(seen.undo["params"]["revision"])
    assert git_bytes(lab, previous) == broken


def git_bytes(lab: Lab, name: str) -> bytes:
    argv = ["git", "-c", "safe.directory=*", "-C", str(lab.layout.etc), "cat-file", "blob", name]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def test_an_undo_brings_back_an_edit_that_was_never_committed(office: Office, lab: Lab) -> None:
    config = lab.application.config
    assert config is not None
    committed = config.read_bytes()
    config.write_bytes(committed + b"\n# tuned by hand\n")
    seen = rehearsed(office, lab, "restore_config", lab.application.name, revision=git(lab, "rev-parse", "HEAD"))
    carried_out(office, seen, approver(lab, Role.APPLICATION))
    assert config.read_bytes() == committed
    undo = rehearsed(office, lab, str(seen.undo["action"]), str(seen.undo["target"]), **seen.undo["params"])
    carried_out(office, undo, approver(lab, Role.APPLICATION))
    assert config.read_bytes() == committed + b"\n# tuned by hand\n"
    lab.wait_healthy()


@pytest.mark.parametrize(
    ("revision", "says"),
    [("deadbeef", "no revision deadbeef"), ("broken", "checker does not accept"), ("tree", "no revision")],
)
def test_a_revision_that_cannot_serve_is_refused_in_the_rehearsal(
    revision: str, says: str, office: Office, lab: Lab
) -> None:
    before = world(lab)
    if revision == "broken":
        fault("config-broken").inject(lab)
        revision, before = git(lab, "rev-parse", "HEAD"), world(lab)
    elif revision == "tree":
        revision = git(lab, "rev-parse", "HEAD^{tree}")
    with pytest.raises(CannotRehearse, match=says):
        office.rehearse("restore_config", lab.application.name, revision=revision)
    assert world(lab) == before


def test_a_hook_or_filter_of_the_repository_is_never_run(office: Office, lab: Lab, tmp_path: Path) -> None:
    config, trace = lab.application.config, tmp_path / "ran"
    assert config is not None
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {trace}\ncat\n", encoding="utf-8")
    program.chmod(0o755)
    hooks = lab.layout.etc / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    names = ("pre-commit", "post-commit", "reference-transaction", "post-index-change")
    for name in names:
        (hooks / name).symlink_to(program)
    attributes = lab.layout.etc / ".git" / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("* filter=hostile\n", encoding="utf-8")
    settings = {"filter.hostile.clean": program, "core.fsmonitor": program, "gpg.program": program}
    kept = (lab.layout.etc / ".git" / "config").read_bytes()
    try:
        for setting, value in settings.items():
            git(lab, "config", setting, str(value))
        git(lab, "config", "commit.gpgsign", "true")
        old = git(lab, "log", "--format=%H", "--", config.name).splitlines()[-1]
        # An index older than its entries makes git read the files again when it writes it, through their filters.
        os.utime(lab.layout.etc / ".git" / "index", (1, 1))
        seen = office.rehearse("restore_config", lab.application.name, revision=old)
        assert office.carry_out(seen, approver(lab, Role.APPLICATION)).state == "finished"
        assert not trace.exists()
    finally:
        (lab.layout.etc / ".git" / "config").write_bytes(kept)
        attributes.unlink()
        for name in names:
            (hooks / name).unlink()


def blocker(lab: Lab, waiter: bool = True) -> tuple[dict[str, Any], threading.Thread]:
    """Let the report lock the table and, with `waiter`, somebody wait for it."""
    lab.start_report()
    names = lab.estate.database

    def wait() -> None:
        with suppress(psycopg.Error), lab.connect() as connection:
            connection.execute("set lock_timeout = 0")
            connection.execute(f'select count(*) from "{names.table}"'.encode())

    thread = threading.Thread(target=wait)
    with lab.connect() as connection:
        row = connection.execute(
            "select pid, backend_start from pg_stat_activity where usename = %s", [names.reporting_user]
        ).fetchone()
        assert row is not None
        if waiter:
            thread.start()
            query = "select count(*) from pg_stat_activity where %s = any(pg_blocking_pids(pid))"
            lab.supervision.until(
                lambda: bool(connection.execute(query, [row[0]]).fetchone()[0]),  # type: ignore[index]
                10,
                "somebody to wait",
            )
    return {"pid": row[0], "backend_start": row[1].isoformat()}, thread


def test_a_blocking_session_is_ended_as_rehearsed(office: Office, lab: Lab) -> None:
    who, waiter = blocker(lab)
    seen = rehearsed(office, lab, "end_blocking_session", lab.database.name, **who)
    assert seen.before == {"session": "present", "blocking": True, "protected": False}
    assert seen.after == {"session": "gone"}
    assert seen.observed["user"] == lab.estate.database.reporting_user
    assert str(who["pid"]) in seen.diff
    carried_out(office, seen, approver(lab, Role.DATABASE))
    waiter.join(timeout=10)
    assert not waiter.is_alive()


def test_a_reused_process_number_is_never_hit(office: Office, lab: Lab) -> None:
    who, waiter = blocker(lab)
    other = {**who, "backend_start": "2020-01-01T00:00:00.000000Z"}
    seen = office.rehearse("end_blocking_session", lab.database.name, **other)
    assert (seen.changes, seen.precondition.met, seen.before) == (False, False, {"session": "gone"})
    assert lab.report_holds_lock()
    lab.stop_report()
    waiter.join(timeout=10)


def test_a_superuser_is_protected_even_where_it_blocks(office: Office, lab: Lab) -> None:
    table = lab.estate.database.table
    with lab.connect() as holder:
        row = holder.execute("select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()").fetchone()
        assert row is not None
        who = {"pid": row[0], "backend_start": row[1].isoformat()}
        holder.execute("begin")
        holder.execute(f'lock table "{table}" in access exclusive mode'.encode())
        seen = office.rehearse("end_blocking_session", lab.database.name, **who)
        assert (seen.changes, seen.precondition.met, seen.before["protected"]) == (False, False, True)
        assert seen.observed["protected_because"] == "it belongs to a superuser"
        assert office.carry_out(seen, approver(lab, Role.DATABASE)).state == "refused"
        holder.execute("rollback")


def test_a_session_that_nobody_waits_for_is_left_alone(office: Office, lab: Lab) -> None:
    with lab.connect(lab.estate.database.reporting_user) as idle:
        row = idle.execute("select pid, backend_start from pg_stat_activity where pid = pg_backend_pid()").fetchone()
        assert row is not None
        who = {"pid": row[0], "backend_start": row[1].isoformat()}
        seen = office.rehearse("end_blocking_session", lab.database.name, **who)
        assert (seen.changes, seen.precondition.met, seen.before["blocking"]) == (False, False, False)
        assert idle.execute("select 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("action", "params", "says"),
    [
        ("format_disk", {}, "the catalogue has: end_blocking_session, restart_service, restore_config"),
        ("restart_service", {"force": True}, "Unknown parameter 'force'"),
        ("restore_config", {}, "'revision' is missing"),
        ("restore_config", {"revision": "--upload-pack=x"}, "does not match"),
        ("restore_config", {"revision": "abcdef0\n"}, "does not match"),
        ("end_blocking_session", {"pid": True, "backend_start": "2020-01-01T00:00:00Z"}, "whole number"),
        ("end_blocking_session", {"pid": 1, "backend_start": "2020-01-01T00:00:00Z"}, "says nothing about postgres"),
    ],
)
def test_what_cannot_be_rehearsed_is_said_in_one_sentence(
    action: str, params: dict[str, Any], says: str, office: Office, lab: Lab
) -> None:
    with pytest.raises(CannotRehearse, match=says) as caught:
        office.rehearse(action, lab.application.name, **params)
    assert "\n" not in str(caught.value)
