"""`countersign serve` as a process of its own on a running lab, and the keys with which scripts call it."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from agent.settings import Settings
from agent.signing import approvals_process
from agent.stage import configure, seed_desk, write_people
from evals.lab.lab import Lab

ADDRESS = "127.0.0.1"
READY_SECONDS = 60.0
POLL_SECONDS = 0.005
SERVE = ("-m", "agent.cli", "serve")


@dataclass(frozen=True)
class Server:
    """A server that answers, and what a client of it has to know."""

    settings: Settings
    process: subprocess.Popen[str]
    log: Path

    @property
    def origin(self) -> str:
        """Where it is."""
        return self.settings.serving.origin

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.settings.serving.port

    def said(self) -> str:
        """Return what it printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as one:
        one.bind((ADDRESS, 0))
        return int(one.getsockname()[1])


def prepare(directory: Path, lab: Lab, hosts: Mapping[str, str] | None = None) -> Settings:
    """Write the configuration of a server on the lab that runs in `directory/lab`; `hosts` are pages by name."""
    port = free_port()
    lines = ["[server]", f"port = {port}", f'public_url = "http://{ADDRESS}:{port}"']
    for name, origin in (hosts or {}).items():
        lines += ["", "[[widget.hosts]]", f"name = {json.dumps(name)}", f"origin = {json.dumps(origin)}"]
    settings = configure(directory, fresh=True, serving="\n".join(lines) + "\n")
    write_people(settings, lab)
    seed_desk(settings, lab)
    asyncio.run(_make_key(settings))
    return settings


async def _make_key(settings: Settings) -> None:
    """Have the approvals process make the key pair, as `init` does: the server itself makes none."""
    async with approvals_process(settings) as ready:
        await ready()


@contextmanager
def served(settings: Settings, command: Sequence[str] = SERVE) -> Iterator[Server]:
    """Run the server until the block ends; it is ready when the block begins. Raises RuntimeError when it is not."""
    with started(settings, command) as server:
        wait_for(server, "/readyz")
        yield server


@contextmanager
def started(settings: Settings, command: Sequence[str] = SERVE) -> Iterator[Server]:
    """Run the server until the block ends, without waiting for anything."""
    with tempfile.NamedTemporaryFile("w", prefix="serve-", suffix=".txt", delete=False, encoding="utf-8") as output:
        log = Path(output.name)
        process = subprocess.Popen(
            [sys.executable, *command, "--config", str(settings.file)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=Path(__file__).resolve().parents[1],
        )
    try:
        yield Server(settings, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        log.unlink()


def wait_for(server: Server, path: str) -> None:
    """Wait until an address answers 200."""
    deadline = monotonic() + READY_SECONDS
    while not answers(server.port, path):
        if server.process.poll() is not None or monotonic() > deadline:
            raise RuntimeError(f"the server did not answer {path}:\n{server.said()[-3000:]}")
        sleep(POLL_SECONDS)


def answers(port: int, path: str) -> bool:
    """True when an address answers 200 now."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def key(settings: Settings, person: str, *scopes: str) -> str:
    """Make an API key of a person, as one would at a terminal."""
    command = [sys.executable, "-m", "agent.cli", "keys", "create", "--for", person, "--json"]
    command += [word for scope in scopes for word in ("--scope", scope)]
    done = subprocess.run(
        [*command, "--config", str(settings.file)], capture_output=True, text=True, timeout=60, check=True
    )
    return str(json.loads(done.stdout)["key"])
