"""Against a supervisord of its own, with programs that really run, end, fail and are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_servers.diagnostics.observation import CannotCheck
from mcp_servers.diagnostics.service_status import ServiceStatus, service_status, state_of
from mcp_servers.supervisord import SupervisorFault, SupervisorUnreachable, acall, call
from tests.mcp_servers.world import answering, eventually, hang, listening, service

PROGRAMS = {
    "steady": ("-c 'import time; print(\"up\", flush=True); time.sleep(600)'", "startsecs=0"),
    "broken": ("-c 'print(\"config: no such key\"); raise SystemExit(2)'", "startsecs=1\nstartretries=0"),
    "left": ("-c 'raise SystemExit(3)'", "startsecs=0"),
    "done": ("-c pass", "startsecs=0"),
    "slow": ("-c 'import time; time.sleep(600)'", "startsecs=300"),
    "never": ("-c pass", "startsecs=0\nautostart=false"),
}


@pytest.fixture(scope="module")
def supervisor() -> Iterator[Path]:
    """Start supervisord; its socket's path must be short (sun_path), so it stands in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="sv-") as directory:
        home = Path(directory)
        parts = [
            f"[supervisord]\nnodaemon=true\nlogfile={home}/supervisord.log\npidfile={home}/pid\nuser={os.geteuid()}\n",
            f"[unix_http_server]\nfile={home}/s.sock\nchmod=0700\n",
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n",
        ]
        for name, (arguments, options) in PROGRAMS.items():
            parts.append(
                f"[program:{name}]\ncommand={sys.executable} -S -E {arguments}\nautorestart=false\n{options}\n"
                f"redirect_stderr=true\nstdout_logfile={home}/{name}.log\n"
            )
        (home / "c.ini").write_text("\n".join(parts), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(home / "c.ini")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield home
        finally:
            process.terminate()
            process.wait(20)


async def status(home: Path, program: str) -> ServiceStatus:
    facets = {"kind": "supervisord", "socket": home / "s.sock", "program": program}
    return await service_status(service(supervisor=facets, logs=(home / f"{program}.log",)))


async def settled(home: Path, program: str, state: str) -> ServiceStatus:
    async def there() -> bool:
        try:
            return (await status(home, program)).state == state
        except CannotCheck:
            return False

    await eventually(there, within_s=20)
    return await status(home, program)


async def test_a_running_program_is_running_with_pid_and_since(supervisor: Path) -> None:
    seen = await settled(supervisor, "steady", "running")
    assert seen.pid > 0 and seen.since.endswith("Z") and seen.supervisor == "supervisord"

    async def logged() -> bool:
        return (await status(supervisor, "steady")).last_log.endswith("up")

    await eventually(logged)


async def test_a_program_that_cannot_start_is_failed_and_its_log_says_why(supervisor: Path) -> None:
    seen = await settled(supervisor, "broken", "failed")
    assert "config: no such key" in seen.last_log and seen.pid == 0


async def test_an_unexpected_exit_is_failed_and_a_clean_one_stopped(supervisor: Path) -> None:
    left = await settled(supervisor, "left", "failed")
    assert left.exit_code == 3 and left.since
    assert (await settled(supervisor, "done", "stopped")).exit_code == 0


async def test_a_program_that_is_not_up_yet_is_starting(supervisor: Path) -> None:
    assert (await settled(supervisor, "slow", "starting")).pid > 0


async def test_a_program_that_was_never_started_is_stopped_since_nobody_knows(supervisor: Path) -> None:
    assert (await settled(supervisor, "never", "stopped")).since == ""


async def test_a_killed_program_is_failed_and_one_stopped_on_purpose_is_stopped(supervisor: Path) -> None:
    running = await settled(supervisor, "steady", "running")
    os.kill(running.pid, signal.SIGKILL)
    assert (await settled(supervisor, "steady", "failed")).exit_code == -1
    await acall(supervisor / "s.sock", "supervisor.startProcess", "steady", timeout=60)
    await settled(supervisor, "steady", "running")
    await acall(supervisor / "s.sock", "supervisor.stopProcess", "steady", timeout=60)
    await settled(supervisor, "steady", "stopped")
    await acall(supervisor / "s.sock", "supervisor.startProcess", "steady", timeout=60)


async def test_a_program_supervisord_does_not_know_cannot_be_checked(supervisor: Path) -> None:
    await settled(supervisor, "steady", "running")
    with pytest.raises(CannotCheck, match=r"knows no program 'other'.*supervisor\.program"):
        await status(supervisor, "other")
    with pytest.raises(SupervisorFault) as fault:
        call(supervisor / "s.sock", "supervisor.getProcessInfo", "other", timeout=5)
    assert fault.value.code == 10


async def test_without_its_supervisor_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="start it"):
        await status(tmp_path, "steady")
    with pytest.raises(CannotCheck, match="no `supervisor`"):
        await service_status(service())


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n<a/>", b"HTTP/1.0 500 No\r\n\r\n"]
)
async def test_what_does_not_answer_like_supervisord_is_unreachable(answer: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="sv-") as directory:
        path = Path(directory) / "s"
        async with listening(answering(answer), unix=path):
            with pytest.raises(SupervisorUnreachable):
                await acall(path, "supervisor.getState", timeout=2)


async def test_a_hanging_supervisor_is_given_up_within_the_time_limit() -> None:
    with tempfile.TemporaryDirectory(prefix="sv-") as directory:
        path = Path(directory) / "s"
        async with listening(hang, unix=path):
            with pytest.raises(SupervisorUnreachable, match=r"within 0\.3 s"):
                await acall(path, "supervisor.getState", timeout=0.3)


@pytest.mark.parametrize(
    ("name", "exit_code", "state"),
    [
        ("BACKOFF", 0, "failed"),
        ("STOPPING", 0, "stopped"),
        ("UNKNOWN", 0, "unknown"),
        ("SOMETHING_NEW", 0, "unknown"),
        ("EXITED", -1, "failed"),
        ("FATAL", 0, "failed"),
    ],
)
def test_every_state_of_supervisord_has_a_word(name: str, exit_code: int, state: str) -> None:
    assert state_of(name, exit_code) == state
