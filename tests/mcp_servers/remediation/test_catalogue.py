"""The catalogue: closed, checked at start-up, and another one as soon as a byte of it changes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcp_servers.remediation import lint
from mcp_servers.remediation.catalogue import HERE, CatalogueError, load_catalogue

OWN = [path.stem for path in sorted((HERE / "plays").glob("*.yml"))]
PYTHON = [path for name in ("modules", "module_utils", "callback") for path in sorted((HERE / name).glob("*.py"))]


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the product's own catalogue, to be changed."""
    for name in ("plays", "modules", "module_utils", "callback"):
        shutil.copytree(HERE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def change(path: Path, **fields: Any) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(document | fields), encoding="utf-8")


def test_the_catalogue_holds_the_three_first_actions() -> None:
    assert OWN == ["end_blocking_session", "restart_service", "restore_config"]
    risks = {name: action.risk for name, action in load_catalogue().actions.items()}
    assert risks == {"restart_service": "low", "restore_config": "medium", "end_blocking_session": "medium"}


@pytest.mark.parametrize("name", OWN)
def test_no_play_of_ours_takes_a_command(name: str) -> None:
    modules = {path.stem for path in (HERE / "modules").glob("*.py")}
    assert lint.play_complaints(HERE / "plays" / f"{name}.yml", modules) == []


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.name))
def test_no_module_of_ours_runs_a_shell(path: Path) -> None:
    assert lint.module_complaints(path) == []


def test_a_copy_has_the_same_digest(code: Path) -> None:
    assert load_catalogue(code).digest == load_catalogue().digest


@pytest.mark.parametrize(
    "file",
    [
        "plays/restart_service.yml",
        "modules/restore_config.py",
        "module_utils/countersign_text.py",
        "callback/countersign_result.py",
    ],
)
def test_one_more_byte_is_another_catalogue(file: str, code: Path) -> None:
    with (code / file).open("a", encoding="utf-8") as it:
        it.write("#")
    assert load_catalogue(code).digest != load_catalogue().digest


def test_a_changed_promise_is_another_catalogue(code: Path) -> None:
    change(code / "plays/restart_service.action.yaml", title="Start it")
    assert load_catalogue(code).digest != load_catalogue().digest


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"reversible": False}, "cannot be of low risk"),
        ({"risk": "none"}, "risk"),
        ({"params": {"type": "object", "additionalProperties": True, "properties": {}}}, "additionalProperties"),
        ({"params": {"type": "object", "properties": {}}}, "additionalProperties"),
        ({"surprise": 1}, "surprise"),
        ({"undo": {"action": "format_disk", "params": {}}}, "'format_disk' is not in the catalogue"),
        ({"undo": {"action": "restore_config", "params": {"path": "/"}}}, "has not"),
        ({"undo": {"action": "restore_config", "params": {}}, "reversible": False, "risk": "high"}, "not reversible"),
        ({"id": "another_name"}, r"name it another_name\.action\.yaml"),
        ({"requires": ["root"]}, "requires"),
        ({"expect": []}, "expect"),
        ({"precondition": {"says": "x", "any_of": []}}, "any_of"),
    ],
)
def test_a_promise_that_cannot_hold_stops_the_server(fields: dict[str, Any], says: str, code: Path) -> None:
    change(code / "plays/restart_service.action.yaml", **fields)
    with pytest.raises(CatalogueError, match=says) as caught:
        load_catalogue(code)
    assert "restart_service" in str(caught.value)


@pytest.mark.parametrize(
    "task",
    [
        {"command": "id"},
        {"ansible.builtin.shell": "id"},
        {"raw": "id"},
        {"script": "x.sh"},
        {"action": "command id"},
        {"local_action": "shell id"},
        {"block": [{"command": "id"}]},
        {"restart_service": {}, "check_mode": False},
        {"restart_service": {}, "delegate_to": "elsewhere"},
        {"restart_service": {}, "ignore_errors": True},
        {"copy": {"src": "a", "dest": "b"}},
        {},
    ],
)
def test_a_task_that_could_act_unseen_stops_the_server(task: dict[str, Any], code: Path) -> None:
    play = [{"hosts": "all", "gather_facts": False, "tasks": [task]}]
    (code / "plays/restart_service.yml").write_text(yaml.safe_dump(play), encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"restart_service\.yml"):
        load_catalogue(code)


@pytest.mark.parametrize(
    "line",
    [
        "subprocess.run('id', shell=True)",
        "module.run_command('id', use_unsafe_shell=True)",
        "os.system('id')",
        "eval('1')",
        "AnsibleModule(argument_spec={})",
        "AnsibleModule(argument_spec={}, supports_check_mode=False)",
    ],
)
def test_a_module_that_could_do_anything_stops_the_server(line: str, code: Path) -> None:
    with (code / "modules/restart_service.py").open("a", encoding="utf-8") as it:
        it.write(f"\n{line}\n")
    with pytest.raises(CatalogueError, match=r"restart_service\.py"):
        load_catalogue(code)


def test_a_play_without_a_promise_stops_the_server(code: Path) -> None:
    (code / "plays/extra.yml").write_text("[]", encoding="utf-8")
    with pytest.raises(CatalogueError, match="extra"):
        load_catalogue(code)


def test_a_missing_play_stops_the_server(code: Path) -> None:
    (code / "plays/restart_service.yml").unlink()
    with pytest.raises(CatalogueError, match="no play"):
        load_catalogue(code)


def test_an_empty_catalogue_stops_the_server(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no actions"):
        load_catalogue(tmp_path)
