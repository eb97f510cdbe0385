"""The program as a process of its own, started, ended and killed: `countersign serve` on a lab, and the demo."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from agent.api.identity import keys
from agent.api.identity.guard import COOKIE
from agent.api.identity.store import Store
from agent.approvals.grant import make_key
from agent.settings import Settings, load
from agent.stage import configure, seed_desk, write_people
from evals.lab.lab import Lab
from tests.agent.api.client import Client
from tests.e2e.world import HERE

SCOPES = ("read", "ask", "decide", "stop", "audit", "metrics")


class Process:
    """A process of the program, with what it printed."""

    def __init__(self, *arguments: str) -> None:
        handle, name = tempfile.mkstemp(prefix="served-", suffix=".txt")
        self.output = Path(name)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent.cli", *arguments],
            stdin=subprocess.DEVNULL, stdout=handle, stderr=subprocess.STDOUT, cwd=HERE, start_new_session=True,
        )  # fmt: skip
        os.close(handle)

    def text(self) -> str:
        """Return what it printed so far."""
        return self.output.read_text(encoding="utf-8")

    async def until(self, what: Callable[[], Any], seconds: float = 60) -> Any:
        """Wait until something holds while the process lives, and return it."""
        async with asyncio.timeout(seconds):
            while not (found := what()):
                assert self.process.poll() is None, self.text()
                await asyncio.sleep(0.05)
        return found

    async def end(self, how: signal.Signals) -> int:
        """End it with a signal and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = await asyncio.to_thread(self.process.wait, 30)
        self.output.unlink(missing_ok=True)
        return int(code)


class Place:
    """An installation on a lab: its configuration, keys of its people, and whatever serves it at the moment."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        directory.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.lab = lab
        self.settings = self._configured(directory)
        write_people(self.settings, lab)
        seed_desk(self.settings, lab)
        make_key(self.settings.public_key.parent / "grant-key.pem", self.settings.public_key)
        self.http = httpx.AsyncClient(base_url=self.origin, timeout=30, verify=False)
        self.dana, self.sam = self._key("dana.meyer"), self._key("sam.okafor")

    def _configured(self, directory: Path) -> Settings:
        serving = f"[server]\nport = {self.port}\npublic_url = {json.dumps(self.origin)}\n"
        settings = configure(directory, fresh=True, serving=serving)
        text = settings.file.read_text(encoding="utf-8").replace(str(settings.inventory), str(self.lab.inventory))
        settings.file.write_text(text, encoding="utf-8")
        return load(settings.file)

    def _key(self, person: str) -> Client:
        store = Store(self.settings.state / "identity.db")
        secret, _ = keys.create(store, person, "", SCOPES, 1)
        store.close()
        return Client(self.http, person, {"Authorization": f"Bearer {secret}"})

    @property
    def origin(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def served(
        self, how: signal.Signals = signal.SIGTERM, meanwhile: Callable[[Place], Awaitable[None]] | None = None
    ) -> AsyncIterator[Process]:
        """Serve for as long as the block runs; then end it with a signal. `meanwhile` is done while it still loads."""
        process = Process("serve", "--config", str(self.settings.file))
        try:
            if meanwhile is not None:
                await self._answers(process, "/healthz", 60)
                await meanwhile(self)
            await self._answers(process, "/readyz", 90)
            yield process
            code = await process.end(how)
            assert code == (0 if how is signal.SIGTERM else -how), code
        finally:
            await process.end(signal.SIGKILL)

    async def _answers(self, process: Process, path: str, seconds: float) -> None:
        """Wait until an address says that all is well."""
        async with asyncio.timeout(seconds):
            while True:
                assert process.process.poll() is None, process.text()
                try:
                    if (await self.http.get(path)).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)


async def sign_in(link: str, origin: str, person: str) -> dict[str, str]:
    """Go the way of the printed link as a browser does, and return what a signed-in browser sends."""
    async with httpx.AsyncClient(base_url=origin, verify=False) as http:
        came = await http.get(link)
        assert came.status_code == 303 and "code=" not in came.headers["location"]
        known = {"Cookie": came.headers["set-cookie"].partition(";")[0], "Origin": origin}
        chosen = await http.post("/sign-in/demo", data={"person": person, "next": "/"}, headers=known)
        assert chosen.status_code == 303, chosen.text
        cookie = chosen.headers["set-cookie"]
        assert cookie.startswith(f"{COOKIE}=") and "HttpOnly" in cookie and "Secure" in cookie
        return {"Cookie": cookie.partition(";")[0], "Origin": origin}
