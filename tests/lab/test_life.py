"""A lab lives as long as somebody holds it, starts as a whole or not at all, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evals.lab import launch, place, postgres
from evals.lab.errors import LabBusy, LabError, NoLab
from evals.lab.estate import Estate, Role, load_estate
from evals.lab.lab import Lab
from evals.lab.layout import Layout
from evals.lab.postgres import Account
from tests.labs import lab_directory, processes_of, running_lab

UP = [sys.executable, "-m", "evals.lab", "up", "--dir"]
HOLD = """
import signal, sys
from pathlib import Path
from evals.lab.lab import Lab
lab = Lab.start(Path(sys.argv[1]), idle_minutes=0.02)
print("up", flush=True)
signal.pause()
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with lab_directory() as path:
        try:
            yield path
        finally:
            launch.end_processes(path)
            place.remove_files(path)


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Poll until a condition holds; tell whether it did within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_stop_leaves_no_process_and_remove_leaves_no_file() -> None:
    with running_lab() as lab:
        lab.start_report()
        assert len(processes_of(lab.directory)) > 6
        outside = [link.resolve() for link in lab.layout.var.iterdir()]
        lab.stop(remove=True)
        assert processes_of(lab.directory) == []
        assert not lab.directory.exists()
        assert not any(path.exists() for path in outside)


def test_a_lab_whose_owner_was_killed_is_found_again_and_ends_when_nobody_holds_it(directory: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(directory)], stdout=subprocess.PIPE, text=True) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == "up\n"
            with pytest.raises(LabBusy, match=f"in use by process {owner.pid}"):
                Lab.attach(directory)
        finally:
            owner.send_signal(signal.SIGKILL)

    lab = Lab.attach(directory)
    assert lab.healthy()
    # Held for longer than the idle time (1.2 s): it must still be there.
    assert not wait_for(lambda: not lab.supervision.answers(), 2.5)
    assert lab.healthy()
    with pytest.raises(LabBusy):
        Lab.start(directory)
    lab.detach()
    assert wait_for(lambda: processes_of(directory) == [])
    with pytest.raises(NoLab):
        Lab.attach(directory)


def test_when_supervisord_is_killed_the_keeper_ends_what_it_left(directory: Path) -> None:
    lab = Lab.start(directory)
    os.kill(launch.running_pid(directory), signal.SIGKILL)
    assert wait_for(lambda: processes_of(directory) == [])
    lab.stop()


def test_an_interrupted_start_leaves_no_process(directory: Path) -> None:
    starting = subprocess.Popen([*UP, str(directory)], stderr=subprocess.PIPE, text=True)
    assert starting.stderr is not None
    for line in starting.stderr:
        if line.startswith("starting supervisord"):
            break
    starting.send_signal(signal.SIGINT)
    said = starting.stderr.read()
    starting.stderr.close()
    assert starting.wait(20) == 130
    assert "Traceback" not in said
    assert processes_of(directory) == []


def test_a_port_taken_in_between_is_left_to_its_taker(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose = launch.choose_ports
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", 0))
        taker.listen()
        taken = taker.getsockname()[1]
        offers = iter([{Role.DATABASE: taken}, {Role.APPLICATION: taken}, {}])

        def unlucky_twice(estate: Estate) -> dict[Role, int]:
            return choose(estate) | next(offers)

        monkeypatch.setattr(launch, "choose_ports", unlucky_twice)
        said: list[str] = []
        with Lab.start(directory, on_progress=said.append) as lab:
            assert lab.healthy()
            assert taken not in {service.port for service in lab.layout.services.values()}
    assert sum(f"port {taken} was taken" in line for line in said) == 2


def test_a_service_that_does_not_start_fails_the_whole_start(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Layout.configuration

    def slipped(self: Layout, **tuned: int) -> dict[Role, str]:
        return {role: text.replace("pool_min = 2", "pool_min = -2") for role, text in written(self, **tuned).items()}

    monkeypatch.setattr(Layout, "configuration", slipped)
    with pytest.raises(LabError, match=r"permits-api did not start: .*line 15: database.pool_min must lie between"):
        Lab.start(directory)
    assert processes_of(directory) == []


def test_a_full_disk_is_said_in_one_sentence(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(directory / "var"))

    monkeypatch.setattr(postgres, "_copy_tree", full)
    with pytest.raises(LabError, match="the disk is full"):
        Lab.start(directory)
    assert processes_of(directory) == []


def test_a_directory_with_other_files_is_left_alone(directory: Path) -> None:
    (directory / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(LabError, match="holds files that are no lab's"):
        Lab.start(directory)
    assert [path.name for path in directory.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("name", "says"),
    [("x" * 90, "too long a name"), ("50%", "the character '%'"), ("file", "is not a directory")],
)
def test_an_unusable_directory_is_refused_in_one_sentence(directory: Path, name: str, says: str) -> None:
    (directory / "file").touch()
    with pytest.raises(LabError, match=says) as refused:
        Lab.start(directory / name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("minutes", [0, -1, 100_000])
def test_no_lab_lives_for_ever(directory: Path, minutes: float) -> None:
    with pytest.raises(LabError, match="idle minutes"):
        Lab.start(directory, idle_minutes=minutes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "not valid YAML"),
        ("{}", "organisation: Field required"),
        (None, "cannot read"),
    ],
)
def test_an_unusable_estate_file_is_refused_in_one_sentence(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "estate.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(LabError, match=says) as refused:
        load_estate(file)
    assert "\n" not in str(refused.value)


def test_two_services_of_one_name_are_refused() -> None:
    body = load_estate().model_dump(mode="json")
    body["services"]["front"]["name"] = body["services"]["database"]["name"]
    with pytest.raises(ValueError, match="must differ"):
        Estate.model_validate(body)


def test_programs_that_the_databases_account_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "may_enter", lambda *_: False)
    programs = postgres.binaries(tmp_path, Account("nobody", 65534, 65534))
    assert programs.is_relative_to(tmp_path)
    said = subprocess.run([str(programs / "postgres"), "-V"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("postgres (PostgreSQL) 18")
    assert (programs / "postgres").stat().st_mode & 0o777 == 0o755


def test_the_command_line_says_what_is_wrong_without_a_traceback(directory: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evals.lab", "oracle", "service-stopped", "--dir", str(directory)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"lab: there is no lab in {directory}: start one with `up`\n"
