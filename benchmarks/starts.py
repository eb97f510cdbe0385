"""How soon a server answers after its process was started, next to the least server there is."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from agent.settings import Settings
from benchmarks.figures import Figures, computed, summary
from benchmarks.incident import program, say
from benchmarks.served import POLL_SECONDS, answers, free_port, started, wait_for

WAIT_SECONDS = 60.0


def starts(directory: Path, settings: Settings, runs: int) -> Figures:
    """Time from the start of the process to the first 200 of `/healthz`, after one run that is not counted.

    Beside the time on the wall stands what the process itself computed until then: that hardly depends on what else
    runs on the machine.
    """
    took: dict[str, list[tuple[float, float]]] = {"serve": [], "demo": [], "floor": []}
    for number in range(runs + 1):
        began = monotonic()
        with started(settings) as server:
            wait_for(server, "/healthz")
            took["serve"].append((monotonic() - began, computed(server.process.pid)))
        took["demo"].append(_demo_start(directory / f"demo-{number}"))
        began = monotonic()
        with floor_server() as (process, _):
            took["floor"].append((monotonic() - began, computed(process.pid)))
        say(f"healthz {number}/{runs}: " + ", ".join(f"{name} {one[-1][0]:.3f} s" for name, one in took.items()))
    found: Figures = {}
    for name, values in took.items():
        found[f"{name}_healthz_s"] = summary([wall for wall, _ in values[1:]])
        found[f"{name}_healthz_computed_s"] = summary([cpu for _, cpu in values[1:]])
    return found


def _demo_start(directory: Path) -> tuple[float, float]:
    port = free_port()
    command = [*program(), "demo", "--port", str(port), "--dir", str(directory)]
    began = monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        _until(port, process)
        took = monotonic() - began, computed(process.pid)
        process.send_signal(signal.SIGTERM)
    return took


@contextmanager
def floor_server() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the least server there is; yields its process and its origin once it answers."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.floor", str(port)], stdin=subprocess.DEVNULL)
    try:
        _until(port, process)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _until(port: int, process: subprocess.Popen[Any]) -> None:
    deadline = monotonic() + WAIT_SECONDS
    while not answers(port, "/healthz"):
        if process.poll() is not None or monotonic() > deadline:
            raise RuntimeError("a server did not answer /healthz")
        sleep(POLL_SECONDS)
