"""Measure whole incidents on a real lab: `python -m benchmarks.incident [--runs 10] [--json FILE]`.

The assistant runs as the demo puts it together. Which fix is right for which fault is known here and nowhere else.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from rich.console import Console
from rich.table import Table

from agent.app import App, open_app
from agent.approvals.client import ask
from agent.core.errors import CountersignError
from agent.core.event import Event
from agent.core.lifecycle import Decision, State
from agent.settings import Settings
from agent.signing import approvals_process
from agent.stage import configure, seed_desk, write_people
from benchmarks.processes import Memory
from evals.lab.estate import Role
from evals.lab.faults import FAULTS, Fault
from evals.lab.lab import Lab

RIGHT: dict[str, tuple[str, Role]] = {
    "service-stopped": ("restart_service", Role.APPLICATION),
    "config-broken": ("restore_config", Role.APPLICATION),
    "database-locked": ("end_blocking_session", Role.DATABASE),
}
"""The fix that a person who knows what was broken would choose, by fault."""
HELP_RUNS = 10
DEMO_RUNS = 5
DEMO_SECONDS = 120
MIB = 1024 * 1024
FIGURES: dict[str, float] = {
    "diagnosis_s": 1.5,
    "card_s": 3.5,
    "help_s": 0.3,
    "demo_ready_s": 4.0,
    "memory_mib": 700,
}
"""What we want to reach, on two cores; medians, and for memory the peak."""


@dataclass
class Run:
    """One incident: times in seconds from the filed ticket, and whether each step came out as it should."""

    fault: str
    variant: int
    diagnosis_s: float | None = None
    card_s: float | None = None
    fixed_s: float | None = None
    proposed: str = ""
    right: bool = False
    verified: bool = False
    well: bool = False

    @property
    def good(self) -> bool:
        """Right fix proposed, verified by the assistant, and the service well in the eyes of a user."""
        return self.right and self.verified and self.well


@dataclass
class Clock:
    """When the last event of each kind was said."""

    at: dict[str, float] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        self.at[event.kind] = monotonic()

    def since(self, started: float, kind: str) -> float | None:
        """Return the seconds from `started` to the last event of a kind, None when there was none since."""
        heard = self.at.get(kind, 0.0)
        return round(heard - started, 3) if heard >= started else None


@dataclass
class Desk:
    """The open assistant on its lab."""

    app: App
    lab: Lab
    settings: Settings
    clock: Clock


def main() -> None:
    """Parse the command line, measure, and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.incident", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="how often each fault is injected (default 10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there, too")
    parser.add_argument("--only", choices=("incidents", "start"), help="measure one part alone")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs is at least 1")
    try:
        result = measure(arguments.runs, arguments.only or "")
    except CountersignError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    show(result)
    line = json.dumps(result)
    if arguments.json:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


def measure(runs: int, only: str) -> dict[str, Any]:
    """Return everything that was measured, with the machine it was measured on."""
    load = os.getloadavg()[0]
    result: dict[str, Any] = {
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
            "load_before": round(load, 2),
        },
    }
    if only != "incidents":
        result["help_s"] = summary(time_help())
        result["demo_ready_s"] = summary(time_demo())
    if only != "start":
        with short_directory() as directory:
            result |= asyncio.run(incidents(directory, runs))
    return result


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory for as long as the block runs; its name is short, since the path of a socket has to be."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as directory:
        yield Path(directory)


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


def program() -> list[str]:
    """Return the command of the program as a user would start it."""
    installed = Path(sys.executable).with_name("countersign")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "agent.cli"]


def time_help() -> list[float]:
    """Time `countersign --help` from start to end, in seconds, after one run that is not counted."""
    times = []
    for number in range(HELP_RUNS + 1):
        started = monotonic()
        subprocess.run([*program(), "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(monotonic() - started)
        say(f"--help {number}/{HELP_RUNS}: {times[-1]:.2f} s")
    return times[1:]


def time_demo() -> list[float]:
    """Time `countersign demo` from its start to its `Ready` line, in seconds, after one run that is not counted."""
    times = []
    for number in range(DEMO_RUNS + 1):
        with short_directory() as directory:
            times.append(_one_demo(directory))
        say(f"demo ready {number}/{DEMO_RUNS}: {times[-1]:.2f} s")
    return times[1:]


def _one_demo(directory: Path) -> float:
    command = [*program(), "demo", "--script", "--json", "--dir", str(directory)]
    started = monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if str(json.loads(line).get("says", "")).startswith("Ready after"):
                    return monotonic() - started
                if monotonic() - started > DEMO_SECONDS:
                    break
            raise CountersignError("the demo did not become ready; try `countersign demo` by hand")
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()


async def incidents(directory: Path, runs: int) -> dict[str, Any]:
    """Measure every fault `runs` times on one lab, then once more with the memory watched."""
    say("starting the lab ...")
    lab = await asyncio.to_thread(Lab.start, directory / "lab", on_progress=lambda text: say(f"  {text}"))
    try:
        memory = Memory()  # what runs already is the lab
        async with opened(directory, lab) as desk:
            done = [
                await one_incident(desk, fault, variant, f"{variant + 1}/{runs}")
                for variant in range(runs)
                for fault in FAULTS.values()
            ]
            watching = asyncio.create_task(memory.watch())
            for fault in FAULTS.values():
                await one_incident(desk, fault, 0, "memory", memory)
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
    finally:
        await asyncio.to_thread(lab.stop, remove=True)
    return {
        "incidents": {name: _of_fault([one for one in done if one.fault == name]) for name in FAULTS},
        "runs": [asdict(one) for one in done],
        "memory_mib": {
            "at_card": round(sum(memory.at_card.values()) / MIB),
            "peak": round(sum(memory.peak.values()) / MIB),
            "parts_at_card": {name: round(held / MIB) for name, held in sorted(memory.at_card.items())},
            "parts_at_peak": {name: round(held / MIB) for name, held in sorted(memory.peak.items())},
            "measure": "sum of PSS",
        },
    }


@asynccontextmanager
async def opened(directory: Path, lab: Lab) -> AsyncIterator[Desk]:
    """Open the assistant on the lab that runs in `directory`, with an approvals process of its own."""
    settings = configure(directory, fresh=True)
    write_people(settings, lab)
    await asyncio.to_thread(seed_desk, settings, lab)
    clock = Clock()
    async with approvals_process(settings) as signing:
        await signing()
        async with open_app(settings, clock.hear) as app:
            yield Desk(app, lab, settings, clock)


async def one_incident(desk: Desk, fault: Fault, variant: int, label: str, memory: Memory | None = None) -> Run:
    """Break the estate, file the ticket, and follow it to its end; the estate is as new afterwards."""
    run = Run(fault.name, variant)
    await asyncio.to_thread(fault.inject, desk.lab, variant)
    written = fault.ticket(desk.lab.estate, variant)
    ticket = await file_ticket(desk.settings, written.subject, written.body, written.requester, written.service or "")
    started = monotonic()
    incident = await desk.app.take_ticket(ticket)
    run.diagnosis_s = desk.clock.since(started, "diagnosis")
    run.card_s = desk.clock.since(started, "card")
    if memory is not None:
        await asyncio.to_thread(memory.sample_card)
    journal = desk.app.context.journal
    stored = next(iter(journal.proposals(incident.id)), None)
    if stored is not None:
        run.proposed = f"{stored.proposal.action} on {stored.proposal.target}"
        action, role = RIGHT[fault.name]
        run.right = (stored.proposal.action, stored.proposal.target) == (action, desk.lab.service(role).name)
        decided = monotonic()
        decision: Decision = "approve" if run.right else "reject"
        await ask(desk.settings.socket, stored.digest, decision, stored.card["may_approve"][0], "", "benchmark")
        await desk.app.resume(incident.id)
        if run.right:
            run.fixed_s = round(monotonic() - decided, 3)
            run.verified = journal.proposal(stored.digest).state is State.VERIFIED
            run.well = (await asyncio.to_thread(fault.oracle, desk.lab)).ok
    say(
        f"{label} {fault.name}: diagnosis {seconds(run.diagnosis_s)}, card {seconds(run.card_s)}, "
        f"fix {seconds(run.fixed_s)}, {'good' if run.good else f'NOT GOOD ({run.proposed or incident.state})'}"
    )
    await asyncio.to_thread(desk.lab.reset)
    return run


async def file_ticket(settings: Settings, subject: str, body: str, requester: str, service: str) -> str:
    """File a ticket at the desk, as a person would, and return its number."""
    command = [sys.executable, "-m", "mcp_servers.tickets", "--database", str(settings.tickets), "create"]
    command += ["--subject", subject, "--requester", requester, "--body-file", "-"]
    command += ["--service", service] if service else []
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    answer, _ = await process.communicate(body.encode())
    if process.returncode:
        raise CountersignError("the ticket could not be filed")
    return str(json.loads(answer)["ticket"])


def summary(values: Sequence[float | None]) -> dict[str, float | None]:
    """Return median and worst in seconds; what never came counts as for ever, and for ever is None."""
    known = [math.inf if value is None else value for value in values]
    found = {"median": median(known), "worst": max(known)}
    return {name: None if math.isinf(value) else round(value, 3) for name, value in found.items()} | {
        "runs": len(known)
    }


def seconds(value: float | None) -> str:
    """Say a time."""
    return "never" if value is None else f"{value:.2f} s"


def _of_fault(runs: list[Run]) -> dict[str, Any]:
    return {
        "good": sum(one.good for one in runs),
        "right_fix": sum(one.right for one in runs),
        "runs": len(runs),
        "diagnosis_s": summary([one.diagnosis_s for one in runs]),
        "card_s": summary([one.card_s for one in runs]),
        "fixed_s": summary([one.fixed_s for one in runs]),
    }


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    table = Table("measure", "median", "worst", "wanted", "runs", title="Countersign, measured")
    for key, name in (("help_s", "countersign --help"), ("demo_ready_s", "demo: ready for a command")):
        if key in result:
            table.add_row(name, *_row(result[key], FIGURES[key]))
    for fault, one in result.get("incidents", {}).items():
        table.add_row(f"{fault}: right fix, verified, seen well", "", "", "", f"{one['good']} of {one['runs']}")
        table.add_row("  ticket to diagnosis", *_row(one["diagnosis_s"], FIGURES["diagnosis_s"]))
        table.add_row("  ticket to card, rehearsed", *_row(one["card_s"], FIGURES["card_s"]))
        table.add_row("  approval to verified", *_row(one["fixed_s"], None))
    if memory := result.get("memory_mib"):
        table.add_row("memory of all processes, at the card", f"{memory['at_card']} MiB", "", "", "")
        table.add_row("memory of all processes, peak", "", f"{memory['peak']} MiB", f"{FIGURES['memory_mib']} MiB", "")
    machine = result["machine"]
    table.caption = f"{machine['cpus']} processors, Python {machine['python']}, load before {machine['load_before']}"
    Console(width=100).print(table)


def _row(one: dict[str, Any], wanted: float | None) -> tuple[str, str, str, str]:
    return seconds(one["median"]), seconds(one["worst"]), f"{wanted} s" if wanted else "", str(one["runs"])


if __name__ == "__main__":
    main()
