"""Rules for the whole tree that a linter does not know."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent
ROOMS = ("agent", "mcp_servers", "knowledge", "evals", "benchmarks")
FILES = [file for room in ROOMS for file in sorted((HERE / room).rglob("*.py"))]


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def test_the_walk_sees_the_tree() -> None:
    assert len(FILES) > 100


def test_nothing_anywhere_runs_through_a_shell() -> None:
    found = []
    for file in FILES:
        for name, call in calls(ast.parse(file.read_text(encoding="utf-8"))):
            shell = any(
                word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
                for word in call.keywords
            )
            if shell or name in {"os.system", "os.popen", "subprocess.getoutput", "asyncio.create_subprocess_shell"}:
                found.append(f"{file.relative_to(HERE)}:{call.lineno} {name}")
    assert found == []


def test_only_the_approvals_process_can_sign() -> None:
    signers = {
        str(file.relative_to(HERE))
        for file in FILES
        for name, call in calls(ast.parse(file.read_text(encoding="utf-8")))
        if name in {"jwt.encode", "load_pem_private_key", "Ed25519PrivateKey.generate"}
    }
    assert signers == {"agent/approvals/grant.py"}
    importers = {
        str(file.relative_to(HERE)) for file in FILES if "agent.approvals.grant" in file.read_text(encoding="utf-8")
    }
    assert importers <= {"agent/approvals/decide.py", "agent/approvals/__main__.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_and_public_function_and_class_says_what_it_is_for(room: str) -> None:
    silent = []
    for file in FILES:
        if file.relative_to(HERE).parts[0] != room or not file.read_text(encoding="utf-8").strip():
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if not ast.get_docstring(tree) and "/modules/" not in str(file):
            silent.append(str(file.relative_to(HERE)))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if node.name[0] != "_" and not ast.get_docstring(node):
                    silent.append(f"{file.relative_to(HERE)}:{node.lineno} {node.name}")
    assert silent == []
