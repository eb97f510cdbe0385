"""`countersign demo` at a terminal, beside a second terminal, and before a reader that leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pexpect

from tests.e2e.world import HERE, countersign, operations


def test_at_a_terminal_a_person_approves_asks_from_elsewhere_and_ends_it(place: Path) -> None:
    home = place / "h"
    home.mkdir(mode=0o711)
    environment = dict(os.environ) | {"COUNTERSIGN_DEMO_HOME": str(home), "TERM": "xterm", "COLUMNS": "100"}
    child = pexpect.spawn(
        sys.executable, ["-m", "agent.cli", "demo"], cwd=str(HERE), env=environment, encoding="utf-8", timeout=60
    )
    try:
        child.expect("You decide as dana.meyer")
        # A second terminal: the card, a refused approver, a healthy answer; and none of it moves the first one.
        listed = countersign("approvals", "list", "--json", home=home)
        digest = json.loads(listed.stdout.splitlines()[0])["digest"]
        assert countersign("approvals", "show", digest[7:19], home=home).returncode == 0
        stranger = countersign("approvals", "approve", digest, "--as", "mallory", "--yes", home=home)
        assert stranger.returncode == 2 and "may not decide as mallory" in stranger.stderr
        asked = countersign("ask", "The coffee machine leaks", "--json", home=home)
        assert asked.returncode == 0 and "no_service" in asked.stdout, asked.stdout + asked.stderr
        child.sendline("a")
        child.expect("The fix is verified")
        child.expect("What next")
        assert countersign("audit", "verify", home=home).returncode == 0
        healthy = countersign("doctor", "--json", home=home)
        assert healthy.returncode == 0, healthy.stdout
        child.sendline("q")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def test_a_decision_from_another_terminal_is_noticed_and_acted_on_once(place: Path) -> None:
    home = place / "h"
    home.mkdir(mode=0o711)
    environment = dict(os.environ) | {"COUNTERSIGN_DEMO_HOME": str(home), "TERM": "dumb", "COLUMNS": "100"}
    child = pexpect.spawn(
        sys.executable, ["-m", "agent.cli", "demo"], cwd=str(HERE), env=environment, encoding="utf-8", timeout=60
    )
    try:
        child.expect("You decide as dana.meyer")
        listed = countersign("approvals", "list", "--json", home=home)
        digest = json.loads(listed.stdout.splitlines()[0])["digest"]
        done = countersign("approvals", "approve", digest, "--as", "sam.okafor", "--yes", home=home)
        assert done.returncode == 0 and "verified" in done.stdout, done.stdout + done.stderr
        child.expect("Decided elsewhere")
        child.expect("What next")
        assert operations(home / "demo") == ["finished"]
        child.sendline("q")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)


def test_a_reader_that_leaves_does_not_stop_the_work(place: Path) -> None:
    command = [sys.executable, "-m", "agent.cli", "demo", "--script", "--dir", str(place), "--approve-as", "dana.meyer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HERE) as demo:
        assert demo.stdout is not None and demo.stderr is not None
        demo.stdout.readline()
        demo.stdout.close()
        said = demo.stderr.read().decode()
        assert demo.wait(90) == 0, said
    assert "Traceback" not in said
    assert operations(place) == ["finished"]
