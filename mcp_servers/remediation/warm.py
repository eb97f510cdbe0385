"""A warm Ansible: imports it once, then forks for each play it is sent (started by `play.py`, and by nobody else).

Started anew, `ansible-playbook` spends most of its time on its own imports (about 1.3 s of 2 s here). A fork has them
already, and shares the memory. What runs in the fork is the command line of ansible-playbook itself.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing.util
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from mcp_servers.remediation.play import PlayRequest, PlayResult

MAX_TEXT = 4000
MAX_HELD = 8


def vars_file(values: dict[str, Any]) -> str:
    """Return a JSON variables file with `values` under `countersign`, in which no text is a template.

    Not YAML with `!unsafe`: Ansible's reader gives such a text the type it looks like, and "0123456" arrives as 42798.
    """
    return json.dumps({"countersign": _unsafe(values)})


def _unsafe(value: Any) -> Any:
    """Mark every text as one that Ansible never evaluates (its own encoding of unsafe text in JSON)."""
    if isinstance(value, dict):
        return {str(key): _unsafe(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_unsafe(inner) for inner in value]
    return {"__ansible_unsafe": value} if isinstance(value, str) else value


def ansible_settings(code: Path, home: Path) -> dict[str, str]:
    """Return the settings under which plays run: only our own modules and callback, nothing kept between plays."""
    return {
        "HOME": str(home),
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_LIBRARY": str(code / "modules"),
        "ANSIBLE_MODULE_UTILS": str(code / "module_utils"),
        "ANSIBLE_CALLBACK_PLUGINS": str(code / "callback"),
        "ANSIBLE_STDOUT_CALLBACK": "countersign_result",
        "ANSIBLE_COLLECTIONS_PATH": str(home / "collections"),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        "ANSIBLE_INVENTORY_ENABLED": "yaml",
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_FORKS": "1",
        "ANSIBLE_GATHERING": "explicit",
        "ANSIBLE_HOST_KEY_CHECKING": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "ANSIBLE_NOCOLOR": "true",
    }


def main() -> None:
    """Warm up, then fork for each play until the server has gone; then wait for the plays that still run."""
    control = socket.socket(fileno=int(sys.argv[2]))
    code = Path(sys.argv[3])
    os.umask(0o077)
    home = Path(tempfile.mkdtemp(prefix="countersign-ansible-"))
    try:
        (home / "ansible.cfg").touch()
        os.environ.update(ansible_settings(code, home))
        _import_ansible()
        for files in _requests(control):
            if os.fork() == 0:
                control.close()
                _serve(socket.socket(fileno=files[0]), home)
            for file in files:
                os.close(file)
            _reap(os.WNOHANG)
        _reap(0)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _import_ansible() -> None:
    """Import what a play needs, under the settings of the environment: Ansible reads them while it is imported."""
    import ansible.cli.playbook
    import ansible.executor.module_common
    import ansible.executor.playbook_executor
    import ansible.executor.task_executor
    import ansible.plugins.action.normal
    import ansible.plugins.connection.local
    import ansible.plugins.inventory.yaml
    import ansible.plugins.shell.sh
    import ansible.plugins.strategy.linear  # noqa: F401


def _requests(control: socket.socket) -> Iterator[list[int]]:
    """Yield the open files of each request: the connection to answer on, and the locks to hold."""
    while True:
        message, files, _, _ = socket.recv_fds(control, 1, MAX_HELD)
        if not message:
            return
        for file in files:
            os.set_inheritable(file, False)  # a play's own children, such as a kept SSH connection, hold no lock
        if files:
            yield files


def _reap(flags: int) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, flags)[0]:
            pass


def _serve(connection: socket.socket, home: Path) -> NoReturn:
    """Run the one play of this fork, answer, and end without the clean-up that belongs to the parent."""
    try:
        os.setsid()
        request = PlayRequest.model_validate_json(b"".join(iter(lambda: connection.recv(65536), b"")))
        private = Path(tempfile.mkdtemp(dir=home))

        def out_of_time(_number: int, _frame: Any) -> NoReturn:
            _kill_descendants()
            message = f"The play did not end within {request.limit_s} seconds."
            _answer(connection, request, PlayResult(status="timeout", message=message))
            os._exit(1)

        signal.signal(signal.SIGALRM, out_of_time)
        signal.alarm(request.limit_s)
        try:
            result = _play(request, private)
        except Exception as error:  # the caller needs an answer, whatever broke
            result = PlayResult(status="broken", message=f"Ansible could not be run: {error}"[:MAX_TEXT])
        signal.alarm(0)
        for left in (private, multiprocessing.util.get_temp_dir()):  # newer Ansible keeps a socket in the second
            shutil.rmtree(left, ignore_errors=True)
        _answer(connection, request, result)
    finally:
        os._exit(0)


def _play(request: PlayRequest, private: Path) -> PlayResult:
    """Run the play by the command line of ansible-playbook, in this process."""
    from ansible import constants
    from ansible.cli.playbook import PlaybookCLI

    # Ansible caches packed modules there by name alone: shared between plays, it would run the module of an earlier
    # catalogue under the digest of this one.
    constants.DEFAULT_LOCAL_TMP = str(private)
    variables, events, output = (private / name for name in ("vars.json", "events", "output"))
    variables.write_text(vars_file(request.values), encoding="utf-8")
    os.environ["COUNTERSIGN_EVENTS"] = str(events)
    said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    words = ["ansible-playbook", "--diff", "--inventory", str(request.inventory), "--limit", request.node]
    words += ["--extra-vars", f"@{variables}", *(["--check"] if request.check else []), str(request.play)]
    code = PlaybookCLI(words).run()
    lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
    return read_events([json.loads(line) for line in lines], bool(code), output.read_text("utf-8", "replace"))


def read_events(events: Sequence[dict[str, Any]], went_wrong: bool, output: str) -> PlayResult:
    """Join what the tasks of a play said into one result."""
    joined: dict[str, Any] = {"before": {}, "after": {}, "observed": {}, "undo": {}, "diff": "", "changed": False}
    failure = ""
    for event in events:
        said = event["said"]
        if event["kind"] == "failed":
            failure = str(said.get("msg") or "The play failed without a word.")
        for part in ("before", "after", "observed", "undo"):
            joined[part].update(said.get(part) or {})
        joined["changed"] = joined["changed"] or bool(said.get("changed"))
        joined["diff"] += _diff_text(said.get("diff"))
    if failure:
        return PlayResult(status="failed", message=failure[:MAX_TEXT], **joined)
    if went_wrong or not events:
        return PlayResult(status="broken", message=(output.strip() or "Ansible ended without a word.")[-MAX_TEXT:])
    return PlayResult(status="ok", **joined)


def _diff_text(diff: Any) -> str:
    parts = diff if isinstance(diff, list) else [diff]
    return "\n".join(str(part["prepared"]) for part in parts if isinstance(part, dict) and part.get("prepared"))


def _answer(connection: socket.socket, request: PlayRequest, result: PlayResult) -> None:
    """Leave the receipt and answer; neither waits for the other, as the disk may be full or the caller gone."""
    if request.receipt is not None:
        with contextlib.suppress(OSError):
            write_receipt(request.receipt, result)
    with contextlib.suppress(OSError):  # nobody waits any more; the receipt stands
        connection.sendall(result.model_dump_json().encode())


def write_receipt(path: Path, result: PlayResult) -> None:
    """Put the result where a server looks for it, whole or not at all, and on the disk before anything else.

    Raises OSError.
    """
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(result.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def _kill_descendants() -> None:
    """Kill every process below this one: Ansible's workers leave its process group (Linux: read from /proc)."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parents[int(entry.parent.name)] = int(entry.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    doomed = {os.getpid()}
    while found := {child for child, parent in parents.items() if parent in doomed} - doomed:
        doomed |= found
    for process in doomed - {os.getpid()}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)
