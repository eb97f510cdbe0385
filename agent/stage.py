"""The demo's stage: lab, configuration, approvals process and assistant, put up together and taken down whole.

Starting is quick because nothing waits that need not: pages and imports load while the lab starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agent import settings as rules
from agent.core.errors import CountersignError
from agent.signing import approvals_process
from agent.terminal import Terminal
from evals.lab.errors import NoLab
from evals.lab.faults import solved
from evals.lab.lab import Lab

if TYPE_CHECKING:
    from agent.app import App


@asynccontextmanager
async def on_stage(
    directory: Path, estate: Path | None, terminal: Terminal, keep: bool = False, serving: str = ""
) -> AsyncIterator[tuple[Lab, rules.Settings, App]]:
    """Put everything up in `directory` and take it down again. A lab that a killed demo left running is taken up.

    `serving` is what the configuration says of the HTTP interface, where there is one.
    """
    lab = await _left_running(directory / "lab", terminal)
    settings = configure(directory, fresh=lab is None, serving=serving)
    async with approvals_process(settings) as signing:
        from agent.app import open_app, open_pages_and_warm_up

        pages = asyncio.create_task(asyncio.to_thread(open_pages_and_warm_up, settings, terminal.show))
        try:
            lab = lab or await _start(directory / "lab", estate, terminal)
            try:
                write_people(settings, lab)
                await asyncio.to_thread(seed_desk, settings, lab)
                await signing()
                async with open_app(settings, terminal.show, pages) as app:
                    yield lab, settings, app
            finally:
                # Whatever ends the demo, the lab is not left behind; a second Ctrl-C must not interrupt that.
                await asyncio.shield(asyncio.to_thread(lab.detach if keep else lab.stop))
        finally:
            await asyncio.wait({pages})
            if not pages.exception():
                pages.result().close()


async def _left_running(directory: Path, terminal: Terminal) -> Lab | None:
    try:
        lab = await asyncio.to_thread(Lab.attach, directory)
    except NoLab:
        return None
    terminal.say(f"A lab is still running in {directory}; going on with it.")
    return lab


async def _start(directory: Path, estate: Path | None, terminal: Terminal) -> Lab:
    terminal.say("Starting a small estate of real services (TLS front, application, PostgreSQL) on loopback …", "bold")

    def show(text: str) -> None:
        if not terminal.as_json:
            terminal.say(f"  {text}", "dim")

    starting = asyncio.create_task(asyncio.to_thread(Lab.start, directory, estate, on_progress=show))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread cannot be interrupted: wait for the lab it starts, and stop that.
        with contextlib.suppress(Exception):
            lab = await starting
            await asyncio.to_thread(lab.stop)
        raise


def lab_services(lab: Lab) -> list[str]:
    """Return the names of the lab's services."""
    return sorted(service.name for service in lab.layout.services.values())


def configure(directory: Path, fresh: bool, serving: str = "") -> rules.Settings:
    """Write this demo's configuration. A new lab has new keys; what the last one recorded is put aside.

    Only the last: of the demo before that one nothing is kept.
    """
    assistant = directory / "assistant"
    if fresh and assistant.exists():
        before = directory / "assistant-before"
        shutil.rmtree(before, ignore_errors=True)
        assistant.rename(before)
    assistant.mkdir(mode=0o700, exist_ok=True)
    (assistant / "pages").mkdir(exist_ok=True)
    audience = assistant / "audience"
    if not audience.exists():
        audience.write_text(f"countersign-remediation:lab:{os.urandom(8).hex()}", encoding="utf-8")
    file = directory / rules.NAME
    file.write_text(
        f"""# Written by `countersign demo` for its own lab; made anew at each start.
[estate]
inventory = {json.dumps(str(directory / "lab" / "inventory.yaml"))}

[knowledge]
folders = [{json.dumps(str(rules.PAGES))}, "assistant/pages"]

[state]
directory = "assistant/state"

[tickets]
database = "assistant/desk.db"

[approvals]
socket = "assistant/approvals.sock"
public_key = "assistant/grant-key.pub.pem"
audience = {json.dumps(audience.read_text(encoding="utf-8"))}

{serving}
[lab]
running = true
""",
        encoding="utf-8",
    )
    return rules.load(file)


def write_people(settings: rules.Settings, lab: Lab) -> None:
    """Let the user who runs the demo decide as anybody of the lab's company, and as nobody else."""
    services = lab.estate.services.values()
    names = {name for service in services for name in (*service.approvers, *service.responders)}
    people = {str(os.getuid()): sorted(names | set(lab.estate.requesters))}
    (settings.public_key.parent / "people.json").write_text(json.dumps(people), encoding="utf-8")


def seed_desk(settings: rules.Settings, lab: Lab) -> None:
    """Give a new desk the solved tickets of the company's earlier months."""
    if settings.tickets.exists():
        return
    file = settings.tickets.with_name("solved.jsonl")
    file.write_text("".join(json.dumps(one) + "\n" for one in solved(lab.estate)), encoding="utf-8")
    command = [sys.executable, "-m", "mcp_servers.tickets", "--database", str(settings.tickets), "seed"]
    done = subprocess.run([*command, "--file", str(file)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CountersignError(f"the desk could not be set up: {done.stderr.strip()}")
