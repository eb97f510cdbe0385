"""No baked answers: other names and other ports, and every outcome is the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from evals.lab.estate import load_estate
from evals.lab.faults import FAULTS
from tests.e2e.test_incidents import RIGHT
from tests.e2e.world import HERE, Assistant, assistant
from tests.labs import RENAMED, running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk() -> AsyncIterator[Assistant]:
    with running_lab(RENAMED) as lab:
        async with assistant(lab, lab.directory / "assistant-home") as one:
            yield one


@pytest.mark.parametrize("name", list(FAULTS))
async def test_renaming_every_service_and_port_leaves_the_outcome_equal(desk: Assistant, name: str) -> None:
    fault = FAULTS[name]
    await asyncio.to_thread(fault.inject, desk.lab, 1 if name == "config-broken" else 0)
    try:
        written = fault.ticket(desk.lab.estate)
        incident = await desk.take(written.subject, written.body, written.service or "")
        stored = desk.proposal(incident)
        assert stored is not None, desk.said(incident)
        action, role = RIGHT[name]
        assert (stored.proposal.action, stored.proposal.target) == (action, getattr(desk.lab, role).name)
        await desk.decide(stored, "noor.haddad")
        incident = await desk.app.resume(incident.id)
        assert incident.state == "verified", desk.said(incident)
        assert (await asyncio.to_thread(fault.oracle, desk.lab)).ok
    finally:
        await asyncio.to_thread(fault.undo, desk.lab)


async def test_no_page_check_reasoner_or_action_names_a_fault_an_injector_or_a_service_of_the_lab() -> None:
    estate = load_estate()
    names = {service.name for service in estate.services.values()} | {
        service.title for service in estate.services.values()
    }
    tickets = yaml.safe_load((HERE / "evals" / "lab" / "tickets.yaml").read_text(encoding="utf-8"))
    forbidden = {*FAULTS, *tickets, *names, estate.database.table, estate.database.reporting_application, "evals"}
    forbidden -= {"healthy"}  # a word of every day
    rooms = ["knowledge", "mcp_servers", "agent/reasoning", "agent/nodes", "agent/core", "agent/gateway"]
    files = [
        file
        for room in rooms
        for file in Path(HERE / room).rglob("*")
        if file.suffix in {".py", ".md", ".yml", ".yaml"}
    ]
    assert len(files) > 60
    found = [
        f"{file.relative_to(HERE)}: {word}"
        for file in files
        for word in forbidden
        if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", file.read_text(encoding="utf-8"), re.IGNORECASE)
    ]
    assert found == []
