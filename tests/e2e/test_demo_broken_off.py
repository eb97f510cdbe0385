"""`countersign demo` killed, interrupted, or out of room: nothing is lost, doubled or left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pexpect
import pytest

from tests.e2e.world import HERE, Demo, journal_of, none_left, operations


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
