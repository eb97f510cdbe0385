"""What may stand in a play and in a module of the catalogue: nothing that takes a command or skips a rehearsal."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

FORBIDDEN = frozenset({"command", "shell", "raw", "script", "expect", "local_action", "action"})
PLAY_KEYS = frozenset({"name", "hosts", "gather_facts", "tasks"})
TASK_KEYS = frozenset({"name"})
UNSAFE_CALLS = frozenset({"eval", "exec", "system", "popen", "getoutput", "getstatusoutput", "compile", "__import__"})


def play_complaints(path: Path, modules: set[str]) -> list[str]:
    """Return what is wrong with a play, one sentence each; `modules` are the names a task may use.

    A task can say nothing but its name and one module: `check_mode: false` or `delegate_to` would act in a rehearsal
    or elsewhere, and `command` and its kin are skipped in check mode, so a rehearsal of them is empty.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        return [f"not valid YAML: {error}"]
    complaints = [f"{word!r} is forbidden in an action" for word in _words(document) if _bare(word) in FORBIDDEN]
    if complaints:
        return complaints
    if not isinstance(document, list) or len(document) != 1 or not isinstance(document[0], dict):
        return ["an action is exactly one play"]
    play = document[0]
    complaints += [f"{key!r} is not allowed in a play" for key in play if key not in PLAY_KEYS]
    if play.get("hosts") != "all" or play.get("gather_facts") is not False:
        complaints.append("a play says `hosts: all` (the server limits it to one) and `gather_facts: false`")
    tasks = play.get("tasks")
    if not isinstance(tasks, list) or not tasks:
        return [*complaints, "a play has tasks"]
    for task in tasks:
        complaints += _task_complaints(task, modules)
    return complaints


def _task_complaints(task: Any, modules: set[str]) -> Iterator[str]:
    if not isinstance(task, dict):
        yield "a task is a mapping"
        return
    used = [key for key in task if key not in TASK_KEYS]
    if len(used) != 1 or used[0] not in modules:
        yield f"a task has a name and one module of the catalogue ({', '.join(sorted(modules))}), not {used}"


def module_complaints(path: Path) -> list[str]:
    """Return what is wrong with the Python of a module: a shell, code made of text, or no check mode."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    complaints: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        owner = getattr(node.func.value, "id", "") if isinstance(node.func, ast.Attribute) else ""
        if name in UNSAFE_CALLS and owner != "re":
            complaints.append(f"line {node.lineno}: {name}() is forbidden in a module")
        for keyword in node.keywords:
            if keyword.arg in {"shell", "use_unsafe_shell"}:
                complaints.append(f"line {node.lineno}: no module runs a shell")
            if keyword.arg == "supports_check_mode" and not _is_true(keyword.value):
                complaints.append(f"line {node.lineno}: a module supports check mode")
        if name == "AnsibleModule" and not any(keyword.arg == "supports_check_mode" for keyword in node.keywords):
            complaints.append(f"line {node.lineno}: a module supports check mode")
    return complaints


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _bare(word: str) -> str:
    return word.rsplit(".", 1)[-1]


def _words(node: Any) -> Iterator[str]:
    """Every key of every mapping, however deep."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(key, str):
                yield key
            yield from _words(value)
    elif isinstance(node, list):
        for value in node:
            yield from _words(value)
