"""The five services of compose.yaml, started here as the processes they are: they find each other and report healthy.

There is no container engine in it: paths in containers become folders, and names of containers become ports of
loopback. What the engine does (users, networks, read-only roots) stands in test_compose.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.initialise.render import COMPOSE_PORTS
from tests.mcp_servers.world import eventually, free_port, write_inventory
from tests.packaging.test_compose import COMPOSE, SERVICES, mounts


class Installation:
    """What `init --compose` made, with the folders and ports that stand for containers' paths and names."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.ports = {name: free_port() for name in (*COMPOSE_PORTS, "api")}
        inventory = write_inventory(top / "estate.yaml", {"shop": {"disk": [str(top)], "approvers": ["dana.meyer"]}})
        arguments = ["init", "--compose", "--yes", "--dir", str(top / "d"), "--inventory", str(inventory)]
        done = CliRunner().invoke(main, [*arguments, "--decide-as", "dana.meyer"])
        assert done.exit_code == 0, done.output
        for volume in COMPOSE["volumes"]:
            (top / volume).mkdir(mode=0o700)
        config = top / "d" / "config" / "countersign.toml"
        written = self.here("api", config.read_text(encoding="utf-8"))
        written = written.replace('address = "0.0.0.0"', 'address = "127.0.0.1"')
        config.write_text(written.replace("port = 8321", f"port = {self.ports['api']}"), encoding="utf-8")

    def here(self, service: str, text: str) -> str:
        """Return text of a container as it has to be said here; the longest paths first, as mounts lie in mounts."""
        for target, (source, _) in sorted(mounts(service).items(), key=lambda one: -len(one[0])):
            text = text.replace(target, str(self.top / source.replace("DIR", "d")))
        for name, port in COMPOSE_PORTS.items():
            text = text.replace(f"{name}:{port}", f"localhost:{self.ports[name]}")
            text = text.replace(f"('{name}', {port})", f"('localhost', {self.ports[name]})")
        return text.replace("127.0.0.1:8321", f"127.0.0.1:{self.ports['api']}")

    def environment(self) -> Mapping[str, str]:
        config = str(self.top / "d" / "config" / "countersign.toml")
        return os.environ | {
            "COUNTERSIGN_CONFIG": config,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    @asynccontextmanager
    async def process(self, service: str, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
        log = (self.top / f"{service}.log").open("ab")
        words = [self.here(service, word) for word in command]
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log, env=self.environment()
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.communicate(), 20)
            log.close()

    async def healthy(self, service: str) -> bool:
        async with self.process(f"{service}", *SERVICES[service]["healthcheck"]["test"][1:]) as check:
            return await check.wait() == 0


@pytest.mark.nightly
async def test_the_services_find_each_other_and_report_healthy(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    async with AsyncExitStack() as stack:
        order = [name for name in SERVICES if name != "api"]
        for name in (*order, "api"):
            assert set(SERVICES[name].get("depends_on", [])) <= set(order)
            await stack.enter_async_context(one.process(name, *SERVICES[name]["command"]))

        for name in SERVICES:

            async def up(service: str = name) -> bool:
                return await one.healthy(service)

            await eventually(up, within_s=40)

        async def ready() -> bool:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"http://127.0.0.1:{one.ports['api']}/readyz")).status_code == 200

        await eventually(ready, within_s=40)
        async with one.process("api", "countersign", "doctor", "--json") as doctor:
            said, _ = await doctor.communicate()
    found = {line["what"]: line for line in map(json.loads, said.decode().splitlines())}
    assert {name: line["says"] for name, line in found.items() if line["level"] == "trouble"} == {}
    for name in COMPOSE_PORTS:
        assert found[f"mcp {name}"]["level"] == "ok" and found[f"token {name}"]["level"] == "ok"
    assert found["port"]["says"].endswith("it is serving") and found["approvals"]["level"] == "ok"


@pytest.mark.nightly
async def test_a_service_that_is_not_there_is_not_healthy(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    assert [name for name in SERVICES if await one.healthy(name)] == []


@pytest.mark.parametrize("volume", COMPOSE["volumes"])
def test_every_volume_is_used(volume: str) -> None:
    assert any(source == volume for name in SERVICES for source, _ in mounts(name).values())
