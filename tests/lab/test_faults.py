"""Each fault breaks the estate for its users, and undoing it gives it back to them, whatever the estate is called."""

from __future__ import annotations

import subprocess

import psycopg
import pytest

from evals.lab.errors import LabError
from evals.lab.estate import DEFAULT_ESTATE, Role, load_estate
from evals.lab.faults import FAULTS, HEALTHY, fault, ticket
from evals.lab.lab import Lab
from tests.labs import RENAMED

STATES = {
    "service-stopped": ({"STOPPED"}, 502),
    "config-broken": ({"FATAL", "EXITED"}, 502),
    "database-locked": ({"RUNNING"}, 503),
}


@pytest.mark.parametrize("world", ["lab", "renamed_lab"])
@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_stops_users_and_undoing_it_lets_them_work_again(
    name: str, world: str, request: pytest.FixtureRequest
) -> None:
    lab: Lab = request.getfixturevalue(world)
    broken = fault(name)
    before = broken.oracle(lab)
    assert before.ok, before.says

    broken.inject(lab)

    during = broken.oracle(lab)
    assert not during.ok, during.says
    states, status = STATES[name]
    assert lab.state(Role.APPLICATION).state in states
    assert lab.request("GET", "/health").status == status

    broken.undo(lab)

    after = broken.oracle(lab)
    assert after.ok, after.says


def test_undo_heals_what_other_hands_broke_as_well(lab: Lab) -> None:
    FAULTS["config-broken"].inject(lab)
    lab.supervision.halt(lab.database.name, lab.front.name)
    FAULTS["service-stopped"].undo(lab)
    assert FAULTS["service-stopped"].oracle(lab).ok


def test_ending_the_blocking_session_with_the_monitoring_role_is_enough(lab: Lab) -> None:
    FAULTS["database-locked"].inject(lab)
    with lab.connect(lab.estate.database.monitoring_user) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND application_name = %s",
            [lab.estate.database.reporting_user, lab.estate.database.reporting_application],
        ).fetchall()
    assert ended == [(True,)]
    lab.wait_healthy()
    assert FAULTS["database-locked"].oracle(lab).ok


def test_users_wait_behind_the_blocking_session(lab: Lab) -> None:
    FAULTS["database-locked"].inject(lab)
    query = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"
    with lab.connect(lab.estate.database.monitoring_user) as connection:

        def several_wait() -> bool:
            row = connection.execute(query).fetchone()
            return row is not None and row[0] >= 2

        lab.supervision.until(several_wait, 5, "several sessions to wait")
    said = lab.application.log.read_text(encoding="utf-8")
    assert "canceling statement due to lock timeout" in said


def test_the_bad_change_stands_in_the_history_as_a_colleague_made_it(lab: Lab) -> None:
    FAULTS["config-broken"].inject(lab)
    done = subprocess.run(
        ["git", "-C", str(lab.layout.etc), "log", "-1", "--format=%an|%ae|%s"],
        capture_output=True,
        text=True,
        check=True,
    )
    author, email, subject = done.stdout.strip().split("|")
    assert (author, email) == ("sam.okafor", "sam.okafor@lindenau.example")
    assert subject.startswith(lab.application.name)


def test_a_reset_leaves_nothing_of_what_happened(lab: Lab) -> None:
    FAULTS["config-broken"].inject(lab)
    lab.reset()
    assert lab.history.revision() == lab.base_revision
    assert "configuration refused" not in lab.application.log.read_text(encoding="utf-8")
    with lab.connect() as connection:
        assert connection.execute("SELECT count(*) FROM permits").fetchone() == (10,)


def test_the_reporting_role_cannot_read_other_tables_or_write(lab: Lab) -> None:
    with lab.connect(lab.estate.database.reporting_user) as connection, pytest.raises(psycopg.Error):
        connection.execute("DELETE FROM permits")


@pytest.mark.parametrize("name", [*FAULTS, HEALTHY])
def test_ticket_texts_carry_the_estates_own_names_and_never_the_faults(name: str) -> None:
    for estate in (load_estate(DEFAULT_ESTATE), RENAMED):
        front = estate.services[Role.FRONT]
        texts = [ticket(name, estate, variant) for variant in range(3)]
        assert len(set(texts)) >= 2
        for text in texts:
            whole = f"{text.subject} {text.body}".lower()
            assert "{" not in whole
            assert not any(word in whole for word in (name, "config", "lock", "stopped", "session", "database"))
            assert text.requester in estate.requesters
            assert text.service in (None, front.name)
    assert any("berth booking" in ticket(name, RENAMED, variant).body for variant in range(3))


def test_an_unknown_fault_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(LabError, match="service-stopped, config-broken, database-locked"):
        fault("gremlins")
