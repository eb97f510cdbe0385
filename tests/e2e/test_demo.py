"""`countersign demo` as a person or a script meets it: a process that is watched, interrupted, killed and run twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pexpect
import pytest

from agent.journal.store import Journal
from tests.e2e.world import HERE, Demo, none_left
from tests.labs import lab_directory


@pytest.fixture
def place() -> Iterator[Path]:
    with lab_directory() as directory:
        yield directory
        assert none_left(directory) == []


def countersign(*arguments: str, home: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ) | {"COUNTERSIGN_DEMO_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", *arguments],
        capture_output=True, text=True, input=stdin, cwd=HERE, env=environment, timeout=90, check=False,
    )  # fmt: skip


@contextmanager
def journal_of(directory: Path) -> Iterator[Journal]:
    journal = Journal(directory / "assistant" / "state" / "journal.db")
    try:
        yield journal
    finally:
        journal.close()


def operations(directory: Path) -> list[str]:
    """Return the states of the operations in the remediation server's own journal."""
    with closing(sqlite3.connect(directory / "assistant" / "state" / "remediation.db")) as raw:
        return [str(row[0]) for row in raw.execute("SELECT state FROM operations")]


def test_the_story_ends_with_code_0_only_after_a_verified_fix(place: Path) -> None:
    demo = Demo(place, "--approve-as", "dana.meyer", "--json")
    assert demo.wait() == 0, demo.text()
    events = [json.loads(line) for line in demo.text().splitlines()]
    result = events[-1]
    assert result["event"] == "result" and result["state"] == "verified" and result["service_well"] is True
    kinds = [event["event"] for event in events]
    order = [kinds.index(kind) for kind in ("service", "source", "check", "diagnosis", "card", "verify", "result")]
    assert order == sorted(order), "sources come before checks, the card before anything is done"
    assert operations(place) == ["finished"]


def test_without_a_terminal_it_stops_at_the_card_with_code_3_and_changes_nothing(place: Path) -> None:
    demo = Demo(place)
    assert demo.wait() == 3, demo.text()
    assert "Proposed fix for INC-0001" in demo.text() and "nothing was changed" in demo.text()
    assert operations(place) == []


def test_whoever_reported_the_trouble_cannot_approve_a_medium_fix(place: Path) -> None:
    demo = Demo(place, "--fault", "config-broken", "--approve-as", "ines.costa")
    assert demo.wait() == 2, demo.text()
    assert "ines.costa is not an approver" in demo.text() and "Traceback" not in demo.text()
    assert operations(place) == []


def test_killed_at_the_card_and_started_again_the_proposal_is_there_and_runs_once(place: Path) -> None:
    master, slave = os.openpty()
    first = Demo(place, stdin=slave)
    first.says("You decide as")
    first.signal(signal.SIGKILL)
    first.wait()
    os.close(slave)
    os.close(master)
    with journal_of(place) as journal:
        before = journal.proposals()
    assert [one.state for one in before] == ["awaiting"]

    again = Demo(place, "--approve-as", "dana.meyer")
    assert again.wait() == 0, again.text()
    assert "still waits from before" in again.text() and before[0].digest in again.text().replace("\n", "").replace(
        "│", ""
    ).replace(" ", "")
    with journal_of(place) as journal:
        assert [(one.digest, one.state) for one in journal.proposals()] == [(before[0].digest, "verified")]
        assert sum(entry.event == "executing" for entry in journal.entries()) == 1
    assert operations(place) == ["finished"]


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("Starting a small estate", signal.SIGTERM),
        ("the estate is up", signal.SIGINT),
        ("looking at the systems", signal.SIGTERM),
        ("rehearsing", signal.SIGINT),
    ],
)
def test_interrupted_at_any_moment_it_ends_in_order_and_leaves_no_process(
    place: Path, moment: str, number: signal.Signals
) -> None:
    demo = Demo(place)
    demo.says(moment)
    demo.signal(number)
    assert demo.wait() in {130, 3}, demo.text()
    assert "Traceback" not in demo.text() and "never retrieved" not in demo.text()


def test_a_second_demo_runs_beside_the_first_and_one_folder_holds_one(place: Path) -> None:
    home = place / "h"
    home.mkdir(mode=0o711)
    first = Demo(place, "--approve-as", "dana.meyer", home=home)
    first.says("Starting a small estate")
    refused = countersign("demo", "--script", "--dir", str(home / "demo"), home=home)
    assert refused.returncode == 2 and "another demo is running" in refused.stderr
    second = Demo(place, "--approve-as", "dana.meyer", "--fault", "database-locked", home=home)
    assert (first.wait(), second.wait()) == (0, 0), first.text() + second.text()
    assert sorted(one.name for one in home.iterdir()) == ["demo", "demo-2"]


def test_at_a_terminal_a_person_approves_asks_from_elsewhere_and_ends_it(place: Path) -> None:
    home = place / "h"
    home.mkdir(mode=0o711)
    environment = dict(os.environ) | {"COUNTERSIGN_DEMO_HOME": str(home), "TERM": "xterm", "COLUMNS": "100"}
    child = pexpect.spawn(
        sys.executable, ["-m", "agent.cli", "demo"], cwd=str(HERE), env=environment, encoding="utf-8", timeout=60
    )
    try:
        child.expect("You decide as dana.meyer")
        # A second terminal: the card, a refused approver, a healthy answer; and none of it moves the first one.
        listed = countersign("approvals", "list", "--json", home=home)
        digest = json.loads(listed.stdout.splitlines()[0])["digest"]
        assert countersign("approvals", "show", digest[7:19], home=home).returncode == 0
        stranger = countersign("approvals", "approve", digest, "--as", "mallory", "--yes", home=home)
        assert stranger.returncode == 2 and "may not decide as mallory" in stranger.stderr
        asked = countersign("ask", "The coffee machine leaks", "--json", home=home)
        assert asked.returncode == 0 and "no_service" in asked.stdout, asked.stdout + asked.stderr
        child.sendline("a")
        child.expect("The fix is verified")
        child.expect("What next")
        assert countersign("audit", "verify", home=home).returncode == 0
        healthy = countersign("doctor", "--json", home=home)
        assert healthy.returncode == 0, healthy.stdout
        child.sendline("q")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def test_a_decision_from_another_terminal_is_noticed_and_acted_on_once(place: Path) -> None:
    home = place / "h"
    home.mkdir(mode=0o711)
    environment = dict(os.environ) | {"COUNTERSIGN_DEMO_HOME": str(home), "TERM": "dumb", "COLUMNS": "100"}
    child = pexpect.spawn(
        sys.executable, ["-m", "agent.cli", "demo"], cwd=str(HERE), env=environment, encoding="utf-8", timeout=60
    )
    try:
        child.expect("You decide as dana.meyer")
        listed = countersign("approvals", "list", "--json", home=home)
        digest = json.loads(listed.stdout.splitlines()[0])["digest"]
        done = countersign("approvals", "approve", digest, "--as", "sam.okafor", "--yes", home=home)
        assert done.returncode == 0 and "verified" in done.stdout, done.stdout + done.stderr
        child.expect("Decided elsewhere")
        child.expect("What next")
        assert operations(home / "demo") == ["finished"]
        child.sendline("q")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)


@pytest.fixture
def small(place: Path) -> Iterator[Path]:
    """A small file system of its own, which a test may fill."""
    directory = place / "d"
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=711", "none", str(directory)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield directory
    finally:
        none_left(place)
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """Fill the file system to its last byte and return the file that does it."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


def test_on_a_full_disk_nothing_is_approved_or_run_and_with_room_it_goes_on(small: Path) -> None:
    environment = dict(os.environ) | {"TERM": "dumb", "COLUMNS": "100"}
    arguments = ["-m", "agent.cli", "demo", "--dir", str(small)]
    child = pexpect.spawn(sys.executable, arguments, cwd=str(HERE), env=environment, encoding="utf-8", timeout=60)
    try:
        child.expect("You decide as dana.meyer")
        filler = fill(small)
        child.sendline("a")
        child.expect("(full|not written down)")
        child.expect("You decide as dana.meyer")
        filler.unlink()
        assert operations(small) == []
        child.sendline("a")
        child.expect("The fix is verified")
        child.expect("What next")
        child.sendline("q")
        child.expect(pexpect.EOF)
        assert "Traceback" not in str(child.before)
    finally:
        child.close(force=True)


def test_a_demo_that_starts_on_a_full_disk_says_so_in_a_sentence(small: Path) -> None:
    fill(small)
    demo = Demo(small, "--approve-as", "dana.meyer")
    assert demo.wait() == 2, demo.text()
    assert "Traceback" not in demo.text() and ("space" in demo.text() or "full" in demo.text()), demo.text()


def test_interrupted_while_the_fix_runs_it_is_taken_up_again_and_ran_once(place: Path) -> None:
    demo = Demo(place, "--approve-as", "dana.meyer", "--keep")
    demo.says("running exactly that")
    demo.signal(signal.SIGINT)
    assert demo.wait() == 130, demo.text()
    again = Demo(place, "--approve-as", "dana.meyer")
    assert again.wait() == 0, again.text()
    assert operations(place) == ["finished"]
    with journal_of(place) as journal:
        assert [one.state for one in journal.proposals()] == ["verified"]
        assert sum(entry.event == "executing" for entry in journal.entries()) == 1


def test_a_reader_that_leaves_does_not_stop_the_work(place: Path) -> None:
    command = [sys.executable, "-m", "agent.cli", "demo", "--script", "--dir", str(place), "--approve-as", "dana.meyer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HERE) as demo:
        assert demo.stdout is not None and demo.stderr is not None
        demo.stdout.readline()
        demo.stdout.close()
        said = demo.stderr.read().decode()
        assert demo.wait(90) == 0, said
    assert "Traceback" not in said
    assert operations(place) == ["finished"]


def test_an_unknown_fault_or_estate_is_a_plain_error(place: Path) -> None:
    assert "choose one of" in countersign("demo", "--fault", "nonsense", home=place).stderr
    (place / "estate.yaml").write_text("services: {front: 1}", encoding="utf-8")
    bad = countersign("demo", "--script", "--estate", str(place / "estate.yaml"), home=place)
    assert bad.returncode == 2 and "Traceback" not in bad.stderr and bad.stderr.count("\n") <= 3, bad.stderr


def test_outside_a_demo_no_command_takes_an_approver_or_reads_the_signing_key(place: Path) -> None:
    for command in (["ask"], ["approvals", "approve"], ["doctor"]):
        shown = countersign(*command, "--help", home=place).stdout
        assert "--approve-as" not in shown and "--key" not in shown
    nothing = countersign("approvals", "list", home=place)
    assert nothing.returncode == 2 and "no demo is running" in nothing.stderr
