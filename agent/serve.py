"""Serving: the HTTP interface, the worker behind it and the approvals process beside it, as one program.

It answers at once and loads its heavy parts meanwhile. When it ends, it ends in order: streams first, then runs, then
what they work with; what was begun stands in the journal and goes on at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.api.front import Front
from agent.core.errors import CountersignError
from agent.core.event import Event
from agent.core.lifecycle import Decision
from agent.settings import Settings
from agent.signing import already_signing, approvals_process

if TYPE_CHECKING:
    from fastapi import FastAPI

    from agent.api.identity.demo import DemoSignIn
    from agent.api.parts import Lab, Parts
    from agent.app import App

LOG = logging.getLogger("countersign.serve")
BACKLOG = 512
OPEN_POLL_SECONDS = 0.002


def bind(address: str, port: int) -> socket.socket:
    """Return a listening socket. Raises CountersignError when the port is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
    except OSError as error:
        listening.close()
        raise CountersignError(
            f"cannot listen on {address}:{port} ({error.strerror}); is it running already? Another port is set by "
            "`port` in [server], or with --port"
        ) from error
    listening.listen(BACKLOG)
    return listening


@asynccontextmanager
async def listening(front: Front, on: socket.socket) -> AsyncIterator[None]:
    """Answer HTTP on a socket for as long as the block runs."""
    import uvicorn

    class Quiet(uvicorn.Server):
        """uvicorn, without signal handlers of its own: whoever serves decides when it is over."""

        def install_signal_handlers(self) -> None:
            return

        @contextlib.contextmanager
        def capture_signals(self) -> Any:
            yield

    server = Quiet(
        uvicorn.Config(
            front,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=3,
            timeout_keep_alive=30,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[on]))
    try:
        # What is loaded next is loaded behind an open door; uvicorn has nothing that one could wait for.
        while not server.started and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(OPEN_POLL_SECONDS)
        yield
    finally:
        front.closing()
        server.should_exit = True
        await asyncio.wait({task}, timeout=8)
        if not task.done():
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def interface(settings: Settings, front: Front, demo: DemoSignIn | None = None) -> AsyncIterator[FastAPI]:
    """Load the HTTP interface behind the front; it answers what needs no parts, and says that it is starting."""
    make = await asyncio.to_thread(_import_interface)
    app, close = make(settings, demo)
    front.behind = app
    try:
        yield app
    finally:
        close()


def _import_interface() -> Callable[[Settings, DemoSignIn | None], tuple[FastAPI, Callable[[], None]]]:
    from agent.api.app import build_api
    from agent.api.identity.guard import Guard
    from agent.api.identity.store import Store

    def make(settings: Settings, demo: DemoSignIn | None) -> tuple[FastAPI, Callable[[], None]]:
        store = Store(settings.state / "identity.db")
        guard = Guard(store, settings.serving.origin, settings.serving.hosts)
        return build_api(settings.serving, guard, demo), store.close

    return make


@asynccontextmanager
async def working(
    app: FastAPI, front: Front, settings: Settings, assistant: App, lab: Lab | None = None
) -> AsyncIterator[Parts]:
    """Work on incidents, and let the interface reach that, for as long as the block runs."""
    from agent.api.app import hand_over
    from agent.api.follow import Follower
    from agent.api.hub import Hub
    from agent.api.log import Log
    from agent.api.parts import Parts
    from agent.api.runs import Runs
    from agent.approvals.client import ask
    from agent.chat.intents import Recogniser

    async def decide(
        digest: str, decision: Decision, person: str, reason: str, via: str, **seen: str | int
    ) -> dict[str, Any]:
        return await ask(settings.socket, digest, decision, person, reason, via, **seen)

    log, hub = Log(settings.state / "conversations.db"), Hub()
    recogniser = Recogniser(assistant.embedder)
    # The examples' vectors take a second: made now, so that the first question does not wait for them.
    warming = asyncio.create_task(asyncio.to_thread(recogniser.warm))
    runs = Runs(log, hub, assistant, recogniser)
    parts = Parts(assistant, decide, log, hub, runs, lambda: already_signing(settings), lab)
    front.closing = hub.close
    following = asyncio.create_task(Follower(assistant, runs, hub).follow())
    hand_over(app, parts)
    try:
        yield parts
    finally:
        hub.close()
        following.cancel()
        await asyncio.gather(following, warming, return_exceptions=True)
        await runs.close()
        log.close()


def run(settings: Settings, port: int | None) -> int:
    """Serve until a signal comes, on another port where one is given; return the exit code."""
    if port is not None:
        settings = replace(settings, serving=replace(settings.serving, port=port))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    return asyncio.run(serve(settings, lambda text: print(text, file=sys.stderr, flush=True)))


async def serve(settings: Settings, say: Callable[[str], None]) -> int:
    """Serve until a signal comes; return the exit code."""
    serving = settings.serving
    if serving.identity is None and not settings.lab:
        say("Nobody can sign in yet: [identity] is missing in the configuration. API keys and widget tokens work.")
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    front = Front()
    async with AsyncExitStack() as stack:
        on = bind(serving.address, serving.port)
        settings = replace(settings, serving=replace(serving, port=on.getsockname()[1]))  # port 0 is a free one
        await stack.enter_async_context(listening(front, on))
        say(f"Listening on {serving.address}:{on.getsockname()[1]}; loading …")
        starting = asyncio.create_task(_start(stack, settings, front, say))
        waiting = asyncio.create_task(ended.wait())
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        else:
            starting.result()
            say(f"Ready: {settings.serving.origin}")
        await waiting
        say("Ending: what is going on goes on at the next start …")
    return 0


def _import_app() -> Callable[[Settings, Callable[[Event], None]], AbstractAsyncContextManager[App]]:
    from agent.app import open_app

    return open_app


async def _start(stack: AsyncExitStack, settings: Settings, front: Front, say: Callable[[str], None]) -> None:
    def told(event: Event) -> None:
        if event.kind in {"warning", "progress"}:
            say(str(event.data.get("says", "")))

    # Before anything is started that another server's approvals process or memory could suffer from.
    stack.enter_context(alone(settings))
    app = await stack.enter_async_context(interface(settings, front))
    if not await already_signing(settings):
        ready = await stack.enter_async_context(approvals_process(settings, make_key=False))
        await ready()
    open_app = await asyncio.to_thread(_import_app)
    assistant = await stack.enter_async_context(open_app(settings, told))
    await stack.enter_async_context(working(app, front, settings, assistant))


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold this installation's state for one server; the kernel gives it back when the process dies."""
    with (settings.state / "serve.lock").open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CountersignError(
                f"another server works with {settings.state} already; end that one first, or use another state "
                "directory"
            ) from None
        yield
