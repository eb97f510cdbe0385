"""Draw docs/demo.svg from a real run: `python docs/picture.py [--fault NAME]`.

The demo runs as a program and says what happens in JSON; its own Terminal draws that. Left out are the checks that the
diagnosis does not rest on (their number is said), the progress while the lab starts, and the note on the ticket.
"""

from __future__ import annotations

import argparse
import html
import io
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI

from agent.core.event import Event
from agent.terminal import Terminal
from evals.lab.estate import load_estate
from evals.lab.faults import FAULTS

WIDTH = 100
PICTURE = Path(__file__).with_name("demo.svg")
HIDDEN_STEPS = {"propose"}
CHARACTER = 12.2
"""Width of a character in rich's frame, in its units."""
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def main() -> None:
    """Run the demo once and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", default="config-broken", choices=sorted(FAULTS))
    parser.add_argument("--approve-as", default="dana.meyer")
    parser.add_argument("--events", type=Path, help="draw these events (a recorded `demo --json`) instead of a new run")
    arguments = parser.parse_args()
    if arguments.events:
        lines = arguments.events.read_text(encoding="utf-8").splitlines()
    else:
        lines = record(arguments.fault, arguments.approve_as)
    picture = draw([json.loads(line) for line in lines], arguments.fault)
    PICTURE.write_text(picture, encoding="utf-8")
    print(f"{PICTURE}: {len(picture) // 1024} KiB")


def record(fault: str, person: str) -> list[str]:
    """Run the demo and return what it said, a JSON object a line."""
    command = [
        sys.executable,
        "-m",
        "agent.cli",
        "demo",
        "--script",
        "--json",
        "--fault",
        fault,
        "--approve-as",
        person,
    ]
    with tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as directory:
        ran = subprocess.run([*command, "--dir", directory], check=True, capture_output=True, text=True)
    return ran.stdout.splitlines()


def draw(said: list[dict[str, Any]], fault: str) -> str:
    """Return the picture of a run."""
    terminal = Terminal()
    terminal.console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    result = next(one for one in said if one["event"] == "result")
    ticket = FAULTS[fault].ticket(load_estate())
    for one in essential(said):
        match one["event"]:
            case "message" if one["says"].startswith("Seen from outside") and not one["says"].count("handed in, read"):
                terminal.say(one["says"])
                terminal.quote(f"{result['ticket']}, from {ticket.requester}: {ticket.subject}", ticket.body)
                terminal.console.print()
            case "message":
                terminal.say(one["says"], "bold green" if one["says"].startswith("The fix is verified") else "")
            case kind:
                terminal.show(Event(kind, {key: value for key, value in one.items() if key != "event"}))
    svg = terminal.console.export_svg(title="make demo", theme=MONOKAI, code_format=without_foreign_fonts())
    return tidy(re.sub(r"terminal-\d+", "demo", svg))


def essential(said: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what the picture shows."""
    diagnosis = next(one for one in said if one["event"] == "diagnosis")
    cited = set(diagnosis["causes"][0]["evidence"])
    others = sum(one["event"] == "check" and one["id"] not in cited for one in said)
    begun = False
    for one in said:
        match one["event"]:
            case "message":
                # From the moment something breaks; what stands before it is the start of the lab.
                begun = begun or one["says"].startswith("Ready after")
                if begun and not one["says"].startswith(("Ready after", "Journal:")):
                    yield one
            case "check" if one["id"] not in cited:
                continue
            case "step" if one["name"] in HIDDEN_STEPS:
                continue
            case "diagnosis":
                yield {
                    "event": "message",
                    "says": f"  … and {others} more checks, which the diagnosis does not rest on",
                }
                yield one
            case "progress" | "note" | "result":
                continue
            case _:
                yield one


def tidy(svg: str) -> str:
    """Say where a text begins by its place and not by blanks at its ends, which not every viewer keeps."""

    def moved(match: re.Match[str]) -> str:
        text = html.unescape(match["text"]).rstrip()
        kept = text.lstrip()
        if not kept:
            return ""
        begin, length = float(match["x"]) + CHARACTER * (len(text) - len(kept)), CHARACTER * len(kept)
        inside = html.escape(kept, quote=False).replace("\u00a0", "&#160;")
        return f'<text class="{match["look"]}" x="{begin:g}" y="{match["y"]}" textLength="{length:g}">{inside}</text>'

    pattern = (
        r'<text class="(?P<look>[^"]+)" x="(?P<x>[\d.]+)" y="(?P<y>[\d.]+)" textLength[^>]*>(?P<text>[^<]*)</text>'
    )
    svg = re.sub(pattern, moved, svg)
    svg = re.sub(r"<clipPath id=\"demo-line-\d+\">.*?</clipPath>", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def without_foreign_fonts() -> str:
    """Return rich's SVG frame without the fonts it would load from elsewhere: a picture asks nobody for anything."""
    frame = re.sub(r" *@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    # Most of these fonts are 0.602 em wide: at this size their characters have the width that the frame counts with.
    frame = frame.replace("font-size: {char_height}px", "font-size: 20.27px")
    return re.sub(r"font-family: (Fira Code, monospace|arial)", f"font-family: {FONTS}", frame)


if __name__ == "__main__":
    main()
