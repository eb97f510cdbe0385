"""The demo: a lab of real services, one of them really broken, and the whole path from ticket to verified fix.

Its pages answer before what the story is told with is loaded, so nothing heavy is imported here.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from agent import places
from agent.company.browser import BrowserSide, open_browser_side
from agent.core.errors import CountersignError
from evals.lab.errors import LabError

DONE = 0


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    script: bool
    fault: str | None
    approve_as: str | None
    directory: Path | None
    estate: Path | None
    variant: int
    keep: bool
    as_json: bool
    port: int = 8321

    @property
    def in_browser(self) -> bool:
        """True where the pages are served as well: everywhere but in a story told by a script."""
        return not self.script and not self.as_json


def run(options: Options) -> int:
    """Run the demo and return its exit code."""
    if options.fault == "list":
        return _list_faults(options)
    try:
        with places.claim(options.directory) as directory:
            return asyncio.run(_stoppable(options, directory))
    except LabError as error:
        raise CountersignError(str(error)) from error


def _list_faults(options: Options) -> int:
    from agent.terminal import Terminal
    from evals.lab.faults import FAULTS

    terminal = Terminal(options.as_json)
    for fault in FAULTS.values():
        terminal.say(f"{fault.name:<18} {fault.summary}")
    return DONE


async def _stoppable(options: Options, directory: Path) -> int:
    """End in order on Ctrl-C, a closed terminal or a polite kill: whatever was started is stopped."""
    task = asyncio.ensure_future(_demo(options, directory))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        from agent.terminal import Terminal

        left = "The lab was left running" if options.keep else "Nothing runs any more"
        Terminal(options.as_json).say(f"\nStopped. {left}; the records are in {directory}.")
        return 130


async def _demo(options: Options, directory: Path) -> int:
    started = monotonic()
    async with AsyncExitStack() as stack:
        door = open_browser_side(directory, options.port) if options.in_browser else None
        browser = await stack.enter_async_context(door) if door else None
        tell = await asyncio.to_thread(_import_story)
        return await tell(options, directory, browser, started)


def _import_story() -> Callable[[Options, Path, BrowserSide | None, float], Awaitable[int]]:
    from agent.demo_story import tell

    return tell
