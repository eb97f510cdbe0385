"""A catalogue of one action that waits until it is told to go on, and a real server process that offers it.

`python -m tests.mcp_servers.remediation.waiting DIRECTORY` serves it over stdio, as the product's own program does.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from mcp_servers.remediation.catalogue import HERE
from mcp_servers.remediation.executor import Executor, Sources
from mcp_servers.remediation.journal import Journal
from mcp_servers.remediation.server import build_server
from tests.vectors import grant_world

MODULE = '''
"""Ansible module: append a line to a file, when told to."""
import os, time
from ansible.module_utils.basic import AnsibleModule

def main():
    module = AnsibleModule(argument_spec={"place": {"type": "str"}, "text": {"type": "str"}}, supports_check_mode=True)
    place = module.params["place"]
    kind = "look" if module.check_mode else "act"
    open(os.path.join(place, "began-" + kind), "a").close()
    for _ in range(1000):
        if not os.path.exists(os.path.join(place, "hold-" + kind)):
            break
        time.sleep(0.03)
    effects = os.path.join(place, "effects")
    before = {"written": os.path.exists(effects)}
    if not module.check_mode:
        with open(effects, "a") as file:
            file.write("once\\n")
    module.exit_json(changed=not before["written"], before=before, after={"written": True},
                     observed={"text": module.params["text"]}, diff={"prepared": "one line"})

main()
'''

PLAY: list[dict[str, Any]] = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {"write_line": {"place": "{{ countersign.params.place }}", "text": "{{ countersign.params.text }}"}},
        ],
    }
]

PROMISE: dict[str, Any] = {
    "id": "write_line",
    "title": "Write a line",
    "description": "Appends a line to a file.",
    "risk": "low",
    "params": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "place": {"type": "string", "pattern": "/.*", "maxLength": 300, "description": "where"},
            "text": {"type": "string", "pattern": "(?s).*", "maxLength": 300, "description": "what"},
        },
        "required": ["place", "text"],
    },
    "precondition": {"says": "It has not been written.", "any_of": [{"written": [False]}]},
    "expect": [{"tool": "service_status", "args": {"service": "$target"}, "field": "state", "equals": "running"}],
    "undo": {"cannot": "It stays."},
    "reversible": True,
    "requires": [],
    "limit_s": 30,
}


def lay_out(directory: Path, module: str = MODULE, **promise: Any) -> Executor:
    """Write catalogue, inventory and key into `directory`, and return an executor over them."""
    code = directory / "code"
    for name in ("plays", "modules", "module_utils"):
        (code / name).mkdir(parents=True)
    shutil.copytree(HERE / "callback", code / "callback", ignore=shutil.ignore_patterns("__pycache__"))
    (code / "modules" / "write_line.py").write_text(module, encoding="utf-8")
    (code / "plays" / "write_line.yml").write_text(yaml.safe_dump(PLAY), encoding="utf-8")
    (code / "plays" / "write_line.action.yaml").write_text(yaml.safe_dump(PROMISE | promise), encoding="utf-8")
    (directory / "key.pem").write_text(grant_world.PUBLIC_PEM, encoding="utf-8")
    node = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "countersign_services": {"orders": {"kind": "app", "owner": "shop", "approvers": ["ada"]}},
    }
    inventory = {"all": {"hosts": {"node-1": node}}}
    (directory / "inventory.yaml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    return open_room(directory)


def open_room(directory: Path) -> Executor:
    """Return an executor over what `lay_out` wrote, as a server that was started anew has it."""
    sources = Sources(directory / "inventory.yaml", directory / "key.pem", grant_world.AUDIENCE, directory / "code")
    return Executor(sources, Journal(directory / "journal.db"))


def effects(directory: Path) -> int:
    """How often the action has happened."""
    file = directory / "effects"
    return len(file.read_text(encoding="utf-8").splitlines()) if file.exists() else 0


def until(condition: Callable[[], bool], limit_s: float = 20) -> None:
    """Wait for a condition, for a bounded time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def kill_holders(locks: Path) -> None:
    """Kill every other process that has a lock file of this directory open (Linux)."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        process = int(link.parts[2])
        try:
            held = os.readlink(link).startswith(str(locks))
            if held and process != os.getpid():
                os.kill(process, signal.SIGKILL)
        except OSError:
            continue


if __name__ == "__main__":
    build_server(open_room(Path(sys.argv[1])), {"log_level": "WARNING", "subscriptions": False}).run("stdio")
