"""How a play is run: values arrive as they were sent, time limits hold, and nothing stays behind."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
import yaml

from mcp_servers.remediation.canonical import digest
from mcp_servers.remediation.play import PlayRequest
from tests.mcp_servers.remediation.office import Office, approve, propose
from tests.mcp_servers.remediation.waiting import effects, lay_out, until

HOSTILE = [
    "{{ lookup('pipe', 'touch /tmp/hacked') }}",
    "{% for x in [1] %}{{ x }}{% endfor %}",
    "!unsafe {{ 1 + 1 }}",
    "0123456",
    "1e5",
    "2026-11-21T00:00:00Z",
    "true",
    "null",
    "",
    '"; touch /tmp/hacked; "',
    "$(touch /tmp/hacked) `id` $HOME ~ %s",
    "\u202egnp.\U0001f600\n\ttwo lines\u2028",
    "{'a': 1}",
    "[1, 2]",
]


ECHO = """
from ansible.module_utils.basic import AnsibleModule

names = ["t%d" % number for number in range({count})]
module = AnsibleModule(argument_spec={{name: {{"type": "raw"}} for name in names}}, supports_check_mode=True)
module.exit_json(changed=False, before={{}}, after={{}}, observed=module.params)
"""


def test_every_text_reaches_the_module_as_it_was_sent_and_is_never_a_template(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(len(HOSTILE))]
    room = lay_out(tmp_path, module=ECHO.format(count=len(HOSTILE)))
    task = {"write_line": {name: f"{{{{ countersign.params.{name} }}}}" for name in names}}
    play = tmp_path / "code" / "plays" / "write_line.yml"
    play.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    sent = dict(zip(names, HOSTILE, strict=True))
    request = PlayRequest(
        play=play, inventory=tmp_path / "inventory.yaml", node="node-1", check=True, values={"params": sent}, limit_s=30
    )
    try:
        assert room.ansible.run(request).observed == sent
    finally:
        room.ansible.close()


def test_a_play_over_its_time_is_ended_with_all_its_processes_and_is_unknown(tmp_path: Path) -> None:
    room = lay_out(tmp_path, limit_s=4)
    try:
        office = Office(room, tmp_path / "key.pem")
        seen = office.rehearse("write_line", "orders", place=str(tmp_path), text="x")
        (tmp_path / "hold-act").touch()
        outcome = office.carry_out(seen, "ada")
        assert (outcome.state, outcome.code) == ("unknown", "timeout")
        until(lambda: not _processes_with(tmp_path, room.journal.locks))
        (tmp_path / "hold-act").unlink()
        assert room.get_operation(outcome.operation_id).state == "unknown"
        assert effects(tmp_path) == 0
    finally:
        room.ansible.close()


def _processes_with(*places: Path) -> list[str]:
    """Processes that hold a file of these places open, but for this one."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if int(link.parts[2]) != os.getpid() and os.readlink(link).startswith(tuple(map(str, places))):
                found.append(str(link))
        except OSError:
            continue
    return found


def test_nothing_of_a_play_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    room = lay_out(tmp_path)
    office = Office(room, tmp_path / "key.pem")
    seen = office.rehearse("write_line", "orders", place=str(tmp_path), text="secret-looking")
    assert office.carry_out(seen, "ada").state == "finished"
    room.ansible.close()
    assert list(scratch.iterdir()) == []
    assert list(room.journal.receipts.iterdir()) == []


def test_a_module_that_breaks_leaves_a_plain_message(tmp_path: Path) -> None:
    room = lay_out(
        tmp_path, module="import nothing_of_that_name\nfrom ansible.module_utils.basic import AnsibleModule\n"
    )
    try:
        proposal = propose(
            {
                "action": "write_line",
                "target": "orders",
                "params": {"place": str(tmp_path), "text": "x"},
                "risk": "low",
                "expect": [
                    {"tool": "service_status", "args": {"service": "orders"}, "field": "state", "equals": "running"}
                ],
                "undo": {"cannot": "It stays."},
                "catalogue": room.sources.catalogue().digest,
                "precondition": {"says": "It has not been written."},
                "before": {"written": False},
                "after": {"written": True},
            }
        )
        outcome = room.execute(digest(proposal), proposal, approve(proposal, "ada"))
        assert (outcome.state, outcome.code) == ("refused", "look_failed")
        assert "nothing_of_that_name" in outcome.reason
    finally:
        room.ansible.close()


def test_the_warm_process_is_replaced_when_it_has_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what is killed cannot tidy up
    room = lay_out(tmp_path)
    try:
        room.rehearse("write_line", "orders", {"place": str(tmp_path), "text": "x"})
        process = room.ansible._process
        assert process is not None
        process.kill()
        process.wait(timeout=5)
        assert room.rehearse("write_line", "orders", {"place": str(tmp_path), "text": "y"}).observed == {"text": "y"}
    finally:
        room.ansible.close()


def test_a_module_changed_on_disk_is_the_one_that_runs(tmp_path: Path) -> None:
    room = lay_out(tmp_path)
    params = {"place": str(tmp_path), "text": "x"}
    try:
        old = room.rehearse("write_line", "orders", params)
        module = tmp_path / "code" / "modules" / "write_line.py"
        module.write_text(module.read_text(encoding="utf-8").replace('"one line"', '"another line"'), encoding="utf-8")
        new = room.rehearse("write_line", "orders", params)
    finally:
        room.ansible.close()
    assert (old.diff, new.diff) == ("one line", "another line")
    assert old.catalogue != new.catalogue


def test_a_disk_too_full_for_the_receipt_does_not_swallow_the_answer(tmp_path: Path) -> None:
    room = lay_out(tmp_path)
    try:
        seen = room.rehearse("write_line", "orders", {"place": str(tmp_path), "text": "x"})
        proposal = propose(seen.model_dump())
        name = digest(proposal)
        room.journal.receipt_path(name).with_suffix(".tmp").symlink_to("/dev/full")
        outcome = room.execute(name, proposal, approve(proposal, "ada"))
    finally:
        room.ansible.close()
    assert outcome.state == "finished"
    assert effects(tmp_path) == 1


def test_a_play_for_which_no_file_can_be_opened_is_a_result_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    room = lay_out(tmp_path)
    monkeypatch.setattr(socket, "socketpair", too_many)
    play = tmp_path / "code" / "plays" / "write_line.yml"
    request = PlayRequest(
        play=play, inventory=tmp_path / "inventory.yaml", node="node-1", check=True, values={}, limit_s=30
    )
    result = room.ansible.run(request)
    assert (result.status, result.message) == ("broken", "The play could not be run: Too many open files.")
