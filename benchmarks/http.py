"""Measure the HTTP interface on a real lab: `python -m benchmarks.http [--only PART] [--json FILE]`.

The server is a process of its own, as `countersign serve` starts it; whoever measures is its client, and what a client
needs is counted to the server. Nothing is asserted. What a browser does with a stream would be one more of the PARTS.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agent.core.errors import CountersignError
from agent.settings import Settings
from benchmarks.conversations import PEOPLE, Bench, cards, first_events
from benchmarks.figures import Figures, pressure
from benchmarks.incident import say, short_directory
from benchmarks.many_streams import STREAMS, many_streams
from benchmarks.served import key, prepare, served
from benchmarks.starts import starts
from evals.lab.faults import FAULTS
from evals.lab.lab import Lab

WANTED: dict[str, float] = {
    "serve_healthz_s": 0.5,
    "demo_healthz_s": 0.5,
    "first_event_of_an_answer_s": 0.1,
    "first_event_of_a_question_s": 0.1,
    "card_s": 1.0,
    "one_thread_s": 0.25,
    "own_threads_s": 0.25,
    "pss_mib": 400,
    "rss_mib": 400,
}
"""What we want to reach, on two cores: medians of starts, else the 95th percentile; memory with all streams open."""
SCOPES = ("read", "ask", "decide")

Part = Callable[[Bench, int], Coroutine[Any, Any, Figures]]
PARTS: dict[str, Part] = {"first": first_events, "card": cards, "streams": many_streams}
"""Parts that need a server on a lab, by name. A part that drives a browser against it has its place here."""


def measure(runs: int, only: str) -> Figures:
    """Return everything that was measured, with the machine it was measured on."""
    result: Figures = {
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
            "load_before": round(os.getloadavg()[0], 2),
            "waiting_before": pressure(),
        }
    }
    with short_directory() as directory:
        say("starting the lab ...")
        lab = Lab.start(directory / "lab", on_progress=lambda text: say(f"  {text}"))
        try:
            settings = prepare(directory, lab)
            if only in {"", "start"}:
                result |= starts(directory, settings, runs)
            if only != "start":
                result |= _with_a_server(directory, settings, lab, runs, only)
        finally:
            lab.stop(remove=True)
    return result


def _with_a_server(directory: Path, settings: Settings, lab: Lab, runs: int, only: str) -> Figures:
    notes = directory / "notes.txt"
    keys = [key(settings, person, *SCOPES) for person in PEOPLE]
    result: Figures = {}
    with served(settings, ("-m", "benchmarks.watched", str(notes))) as server:
        FAULTS["service-stopped"].inject(lab)
        bench = Bench(server, lab, keys, notes)
        for name, part in PARTS.items():
            if only in {"", name}:
                say(f"{name} ...")
                result |= asyncio.run(part(bench, runs))
    return result


def show(result: Figures) -> None:
    """Print the table."""
    table = Table("measure", "median", "p95", "worst", "wanted", title="Countersign over HTTP, measured")
    for name, one in result.items():
        if name.endswith("_s") and isinstance(one, dict):
            wanted = f"{WANTED[name] * 1000:.0f} ms" if name in WANTED else ""
            cells = [f"{one[which] * 1000:.1f} ms" for which in ("median", "p95", "worst")]
            table.add_row(name.removesuffix("_s").replace("_", " "), *cells, wanted)
    for which, name in (("pss", "proportional"), ("rss", "resident")):
        if f"{which}_mib" in result:
            held, wanted = f"{result[f'{which}_mib']} MiB", f"{WANTED[f'{which}_mib']:.0f} MiB"
            table.add_row(f"memory with {STREAMS} streams, {name}", held, "", "", wanted)
            table.add_row("  the least server", f"{result[f'floor_{which}_mib']} MiB", "", "", "")
    machine = result["machine"]
    table.caption = (
        f"{machine['cpus']} processors, Python {machine['python']}, load before {machine['load_before']}, "
        f"something waited for a processor {machine['waiting_before']:.0f} % of the time before"
    )
    Console(width=110).print(table)
    for name, floor in RATIOS.items():
        if name in result and floor in result and result[floor]["p95"]:
            print(f"{name} / {floor}, p95: {result[name]['p95'] / result[floor]['p95']:.1f}")


RATIOS = {
    "serve_healthz_s": "floor_healthz_s",
    "demo_healthz_s": "floor_healthz_s",
    "one_thread_s": "floor_one_topic_s",
    "own_threads_s": "floor_own_topics_s",
}
"""What to set against which figure of the least server."""


def main() -> None:
    """Parse the command line, measure, and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="how often each thing is done (default 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there, too")
    parser.add_argument("--only", choices=("start", *PARTS), help="measure one part alone")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs is at least 1")
    try:
        result = measure(arguments.runs, arguments.only or "")
    except (CountersignError, RuntimeError) as error:
        print(f"benchmark: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    show(result)
    line = json.dumps(result)
    if arguments.json:
        arguments.json.write_text(line + "\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
