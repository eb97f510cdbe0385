"""The approvals process: a real one on a real socket. It alone signs, for people whom the kernel vouches for."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml

from agent.approvals.client import ask
from agent.approvals.grant import load_key, make_key
from agent.core.errors import CountersignError, Refused
from agent.core.lifecycle import State
from agent.journal.store import Journal
from agent.nodes.context import stamp
from tests.agent.proposals import proposal

AUDIENCE = "countersign-remediation:test"


class Desk:
    """One approvals process with its journal, and the way to ask it."""

    def __init__(self, directory: Path, process: asyncio.subprocess.Process) -> None:
        self.directory, self.process = directory, process
        self.journal = Journal(directory / "journal.db")
        self.journal.open_incident(stamp(datetime.now(UTC)), "T-1", "", "countersign")

    def propose(self, **changed: Any) -> str:
        now = datetime.now(UTC)
        life = changed.pop("life", timedelta(minutes=30))
        one = proposal(created_at=stamp(now), expires_at=stamp(now + life), nonce=os.urandom(16).hex(), **changed)
        return self.journal.propose(stamp(now), one, {})

    async def decide(self, digest: str, decision: Any, person: str) -> dict[str, Any]:
        return await ask(self.directory / "a.sock", digest, decision, person, "because", "test")

    async def code(self, digest: str, decision: Any, person: str) -> str:
        with pytest.raises(Refused) as refused:
            await self.decide(digest, decision, person)
        return refused.value.code


@asynccontextmanager
async def approvals(directory: Path, people: dict[str, list[str]] | None = None) -> AsyncIterator[Desk]:
    service = {"kind": "app", "owner": "web", "approvers": ["ada", "bo"], "responders": ["cy"]}
    inventory = {"all": {"hosts": {"one": {"countersign_services": {"portal": service}}}}}
    (directory / "inventory.yaml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    known = people if people is not None else {str(os.getuid()): ["ada", "bo", "cy", "rita", "countersign"]}
    (directory / "people.json").write_text(json.dumps(known), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.approvals", "--journal", str(directory / "journal.db")),
        *("--inventory", str(directory / "inventory.yaml"), "--key", str(directory / "key.pem")),
        *("--public-key", str(directory / "key.pub.pem"), "--make-key", "--audience", AUDIENCE),
        *("--people", str(directory / "people.json"), "--socket", str(directory / "a.sock")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield Desk(directory, process)
    finally:
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 10)


async def test_an_approval_becomes_a_grant_for_exactly_this_proposal(tmp_path: Path) -> None:
    async with approvals(tmp_path) as desk:
        digest = desk.propose()
        assert (await desk.decide(digest, "approve", "ada"))["state"] == "approved"
        stored = desk.journal.proposal(digest)
        claims = jwt.decode(
            stored.grant, (tmp_path / "key.pub.pem").read_bytes(), algorithms=["EdDSA"], audience=AUDIENCE
        )
        assert claims["sub"] == stored.approver == "ada"
        assert claims["jti"] == claims["digest"] == digest
        expires = datetime.strptime(stored.expires_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert claims["exp"] <= expires.timestamp()
        assert "grant" not in json.dumps([entry.data for entry in desk.journal.entries()])


async def test_nobody_decides_as_somebody_the_kernel_does_not_vouch_for(tmp_path: Path) -> None:
    async with approvals(tmp_path, {str(os.getuid()): ["cy"], str(os.getuid() + 1): ["ada"]}) as desk:
        digest = desk.propose()
        assert await desk.code(digest, "approve", "ada") == "not_you"
        assert await desk.code(digest, "approve", "") == "not_you"
        assert desk.journal.proposal(digest).state is State.AWAITING
        await desk.decide(digest, "approve", "cy")


async def test_the_table_of_who_may_approve_holds_at_the_decision(tmp_path: Path) -> None:
    async with approvals(tmp_path) as desk:
        digest = desk.propose(risk="medium", requester="ada")
        assert await desk.code(digest, "approve", "ada") == "four_eyes"
        assert await desk.code(digest, "approve", "cy") == "not_entitled"
        assert await desk.code(digest, "approve", "rita") == "not_entitled"
        assert await desk.code(digest, "approve", "countersign") == "not_a_person"
        assert desk.journal.proposal(digest).grant == ""
        await desk.decide(digest, "approve", "bo")


async def test_a_person_who_is_no_approver_any_more_is_out_at_once(tmp_path: Path) -> None:
    async with approvals(tmp_path) as desk:
        digest = desk.propose()
        text = (tmp_path / "inventory.yaml").read_text(encoding="utf-8")
        (tmp_path / "inventory.yaml").write_text(text.replace("- ada", "- eve"), encoding="utf-8")
        assert await desk.code(digest, "approve", "ada") == "not_entitled"


async def test_without_a_readable_inventory_nothing_is_approved(tmp_path: Path) -> None:
    async with approvals(tmp_path) as desk:
        digest = desk.propose()
        (tmp_path / "inventory.yaml").write_text("not: an inventory", encoding="utf-8")
        assert await desk.code(digest, "approve", "ada") == "failed"
        assert desk.journal.proposal(digest).state is State.AWAITING


async def test_an_expired_or_decided_proposal_is_not_approved(tmp_path: Path) -> None:
    async with approvals(tmp_path) as desk:
        late = desk.propose(life=timedelta(seconds=-1))
        assert await desk.code(late, "approve", "ada") == "expired"
        digest = desk.propose()
        await desk.decide(digest, "reject", "cy")
        assert await desk.code(digest, "approve", "ada") == "already_decided"
        assert await desk.code("sha256:" + "f" * 64, "approve", "ada") == "unknown_proposal"


@pytest.mark.parametrize(
    "line",
    [b"\n", b"{}\n", b"[]\n", b"not json\n", b'{"decision": "execute"}\n', b'{"decision":"approve","digest":1}\n'],
)
async def test_a_request_that_is_not_understood_is_refused_and_the_next_one_answered(
    tmp_path: Path, line: bytes
) -> None:
    async with approvals(tmp_path) as desk:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "a.sock"))
        writer.write(line)
        assert json.loads(await asyncio.wait_for(reader.readline(), 10))["ok"] is False
        writer.close()
        await desk.decide(desk.propose(), "approve", "ada")


async def test_a_line_without_end_is_cut_off_and_the_process_lives(tmp_path: Path) -> None:
    async with approvals(tmp_path) as desk:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "a.sock"))
        writer.write(b"x" * 300_000)
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        await desk.decide(desk.propose(), "approve", "ada")


async def test_the_process_ends_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    async with approvals(tmp_path) as desk:
        assert desk.process.stdin is not None
        desk.process.stdin.close()
        assert await asyncio.wait_for(desk.process.wait(), 10) == 0
    with pytest.raises(CountersignError, match="not running"):
        await ask(tmp_path / "a.sock", "x", "approve", "ada", "", "test")


def test_a_signing_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    make_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    load_key(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o644)
    with pytest.raises(CountersignError, match="chmod 600"):
        load_key(tmp_path / "key.pem")


def test_making_a_key_leaves_an_existing_one_alone(tmp_path: Path) -> None:
    make_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    before = (tmp_path / "key.pem").read_bytes()
    make_key(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    assert (tmp_path / "key.pem").read_bytes() == before
