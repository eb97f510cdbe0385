"""The browser's side of a demo: the assistant's pages on one port, the company's page on another."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.api.front import Front
from agent.core.errors import CountersignError
from agent.serve import alone, bind, interface, listening, working
from agent.settings import Settings

if TYPE_CHECKING:
    from agent.app import App
    from agent.company.lab import Desk
    from evals.lab.lab import Lab

LOOPBACK = "127.0.0.1"
HOST_NAME = "company"
LINKS = "links.json"
"""Where a running demo keeps its addresses, for whoever has lost sight of what it printed."""


@dataclass
class BrowserSide:
    """Two open doors, and what will stand behind them once the stage is up."""

    directory: Path
    on: socket.socket
    company_on: socket.socket
    front: Front = field(default_factory=Front)
    company_front: Front = field(default_factory=Front)
    code: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def origin(self) -> str:
        """Where the assistant is."""
        return f"http://{LOOPBACK}:{self.on.getsockname()[1]}"

    @property
    def company(self) -> str:
        """Where the company's page is: another site, as it would be, so that no cookie of the assistant reaches it."""
        return f"http://localhost:{self.company_on.getsockname()[1]}"

    @property
    def sign_in(self) -> str:
        """The link that lets whoever started the demo in."""
        return f"{self.origin}/sign-in/demo?code={self.code}"

    @property
    def serving(self) -> str:
        """What the demo's configuration says of the HTTP interface."""
        return f"""[server]
address = {json.dumps(LOOPBACK)}
port = {self.on.getsockname()[1]}
public_url = {json.dumps(self.origin)}

[[widget.hosts]]
name = {json.dumps(HOST_NAME)}
origin = {json.dumps(self.company)}
key_file = "assistant/company.key"
"""

    @asynccontextmanager
    async def show(self, lab: Lab, settings: Settings, app: App) -> AsyncIterator[Desk]:
        """Put the assistant and the company behind the doors for as long as the block runs."""
        from agent.api.identity.demo import DemoSignIn
        from agent.company.lab import Desk, people_of
        from agent.company.site import company_site

        (host,) = settings.serving.hosts
        assert host.key is not None
        if not host.key.exists():
            _private(host.key, secrets.token_bytes(48))
        async with AsyncExitStack() as stack:
            stack.enter_context(alone(settings))
            api = await stack.enter_async_context(
                interface(settings, self.front, DemoSignIn(self.code, people_of(lab)))
            )
            desk = Desk(lab, settings, app, self.company)
            stack.push_async_callback(desk.close)
            await stack.enter_async_context(working(api, self.front, settings, app, desk))
            self.company_front.behind = company_site(desk, host, self.origin)
            links = self.directory / LINKS
            told = {"origin": self.origin, "sign_in": self.sign_in, "company": self.company}
            _private(links, json.dumps(told).encode())
            try:
                yield desk
            finally:
                links.unlink(missing_ok=True)


@asynccontextmanager
async def open_browser_side(directory: Path, port: int) -> AsyncIterator[BrowserSide]:
    """Open both doors at once; they say that things are starting until there is something behind them."""
    side = BrowserSide(directory, _free(port), _free(port + 1 if port else 0))
    async with listening(side.front, side.on), listening(side.company_front, side.company_on):
        yield side


def _free(port: int) -> socket.socket:
    """Return a listening socket on the usual port, or on a free one where another demo has that."""
    try:
        return bind(LOOPBACK, port)
    except CountersignError:
        return bind(LOOPBACK, 0)


def _private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
