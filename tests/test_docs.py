"""What the documents say is so: settings, commands, tools, files, tests and examples are held against the program."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel

from agent import settings
from agent.cli import main
from agent.gateway.pins import pinned, pinned_actions
from knowledge.lint import ActionShape, ToolShape, lint
from mcp_servers.inventory import Service, load_inventory

HERE = Path(__file__).resolve().parents[1]
PAGES = [*HERE.glob("*.md"), *(HERE / "docs").glob("*.md"), HERE / "benchmarks" / "README.md"]
EVERYWHERE = {"--config", "--json", "--help", "--version"}
COMMON_FIELDS = {"service", "observed_at", "took_ms"}


def text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def block(name: str, language: str, begins: str) -> str:
    """Return the fenced block of a document in some language that begins with some words."""
    found = [one for one in re.findall(rf"```{language}\n(.*?)```", text(name), re.DOTALL) if one.startswith(begins)]
    assert len(found) == 1, f"{name} has {len(found)} such blocks"
    return str(found[0])


def rows(name: str) -> Iterator[list[str]]:
    for line in text(name).splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def commands(group: click.Group, above: str = "countersign") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{above} {name}")
        else:
            found[f"{above} {name}"] = command
    return found


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    reads = set()
    for reader in (settings.load, settings._serving):
        for call in ast.walk(ast.parse(inspect.getsource(reader))):
            given = call.args if isinstance(call, ast.Call) else []
            words = [str(one.value) for one in given if isinstance(one, ast.Constant)][:2]
            if len(words) == 2:
                # One table of the list [[widget.hosts]] is read under the name `host`.
                reads.add(("widget.hosts" if words[0] == "host" else words[0], words[1]))
    reads.discard(("widget", "hosts"))
    walked = ast.walk(ast.parse(inspect.getsource(settings._remote)))
    wanted = next(node.elts for node in walked if isinstance(node, ast.Set))
    reads |= {("mcp.SERVER", str(one.value)) for one in wanted if isinstance(one, ast.Constant)}
    said = {
        (row[0].strip("`[]"), row[1].strip("`")) for row in rows("docs/configuration.md") if row[0].startswith("`[")
    }
    assert len(reads) > 8 and said == reads


def test_every_command_and_option_is_documented_and_no_other() -> None:
    said = {row[0].strip("`"): row for row in rows("docs/configuration.md") if row[0].startswith("`countersign ")}
    there = commands(main)
    assert said.keys() == there.keys()
    for name, command in there.items():
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        assert set(re.findall(r"--[a-z-]+", said[name][-1])) == options - EVERYWHERE, name


def test_every_variable_of_the_environment_is_documented() -> None:
    used = {
        name
        for file in (HERE / "agent").rglob("*.py")
        for name in re.findall(r'"((?:COUNTERSIGN|XDG)_[A-Z_]+)"', file.read_text(encoding="utf-8"))
    }
    assert used and used <= {row[0].strip("`") for row in rows("docs/configuration.md")}


def test_every_check_with_its_arguments_and_fields_is_documented() -> None:
    said = {row[0].strip("`"): row for row in rows("docs/runbooks.md")}
    for tool in pinned()["diagnostics"]:
        row = said[tool["name"]]
        arguments = set(tool["inputSchema"]["properties"]) - {"service"}
        assert set(re.findall(r"`(\w+)`", row[1])) == arguments, tool["name"]
        fields = set(tool["outputSchema"]["properties"]) - COMMON_FIELDS
        assert {name for name in fields if not re.search(rf"`{name}\b", row[2])} == set(), tool["name"]


def test_every_action_with_its_parameters_and_risk_is_documented() -> None:
    said = {row[0].strip("`"): row for row in rows("docs/runbooks.md")}
    for action in pinned_actions():
        row = said[action["id"]]
        assert set(re.findall(r"`(\w+)`", row[1])) == set(action["params_schema"]["properties"])
        assert row[2] == action["risk"]


def test_the_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"\bmake ([a-z]+)\b[ `]*(?:#|ARGS|$)", text(str(page)), re.M)
    }
    assert {"demo", "test", "bench"} <= named <= targets
    there = {tuple(name.split()[1:]) for name in commands(main)}
    used = [tuple(words.split()) for words in re.findall(r"\.venv/bin/countersign ([a-z ]+)", text("README.md"))]
    assert len(used) > 5
    assert [words for words in used if words[:1] not in there and words[:2] not in there] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not link.startswith("https://") and not (page.parent / link).exists()]
    assert missing == []


def test_every_file_that_the_architecture_names_exists() -> None:
    named = set(re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.(?:py|md|toml))`", text("ARCHITECTURE.md")))
    assert len(named) > 40
    assert [name for name in sorted(named) if not (HERE / name).exists()] == []


def test_the_arrow_of_imports_is_the_one_that_is_kept() -> None:
    contracts = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["type"] == "layers")
    arrow = " <- ".join(layer.replace("agent.", "") for layer in reversed(layers))
    assert arrow in text("ARCHITECTURE.md")


def test_every_test_that_security_names_exists_and_every_promise_names_one() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", text("SECURITY.md"))
    assert len(named) > 30
    for file, name in named:
        functions = {
            node.name
            for node in ast.walk(ast.parse(text(file)))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in functions, f"{file} has no {name}"
    promises = [row for row in rows("SECURITY.md") if row[0] != "promise" and set(row[0]) != {"-"}]
    assert [row[0] for row in promises if "::test_" not in row[1]] == []


def test_the_inventory_example_loads_and_shows_every_key(tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(block("docs/inventory.md", "yaml", "# inventory.yaml"), encoding="utf-8")
    services = load_inventory(path).services.values()
    shown = {key for service in services for key in _keys(service)}
    assert shown == {key for key in _fields(Service) if key not in {"name", "node"}}
    for key in shown:
        assert f"`{key.split('.')[-1]}" in text("docs/inventory.md"), key


def _keys(model: BaseModel, above: str = "") -> Iterator[str]:
    """The keys that are set in a value and in the values below it, other than to their defaults."""
    for name in model.model_fields_set - {"name", "node"}:
        value: Any = getattr(model, name)
        yield above + name
        if isinstance(value, BaseModel):
            yield from _keys(value, f"{above}{name}.")


def _fields(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield above + name
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _fields(part, f"{above}{name}.")


def test_the_runbook_example_is_sound(tmp_path: Path) -> None:
    page = block("docs/runbooks.md", "markdown", "---")
    (tmp_path / "page.md").write_text(page, encoding="utf-8")
    tools = {one["name"]: ToolShape(one["inputSchema"], one["outputSchema"]) for one in pinned()["diagnostics"]}
    actions = {one["id"]: ActionShape(one["params_schema"]) for one in pinned_actions()}
    reviewed = re.search(r"^reviewed: (\S+)$", page, re.MULTILINE)
    assert reviewed is not None
    day = date.fromisoformat(reviewed[1])
    assert lint([tmp_path], tools, actions, day) == []
    (tmp_path / "page.md").write_text(page.replace("unit.state", "unit.stat"), encoding="utf-8")
    assert lint([tmp_path], tools, actions, day), "the example would pass whatever it said"


def test_the_configuration_example_loads(tmp_path: Path) -> None:
    path = tmp_path / settings.NAME
    path.write_text(block("docs/configuration.md", "toml", "[estate]"), encoding="utf-8")
    read = settings.load(path)
    assert read.inventory == tmp_path.resolve() / "inventory.yaml"
    said = {row[1].strip("`"): row[2].strip("`") for row in rows("docs/configuration.md") if row[0].startswith("`[")}
    assert (said["proposal_minutes"], said["verify_seconds"]) == (str(read.proposal_minutes), str(read.verify_seconds))
    assert (read.state.name, read.tickets.name) == (said["directory"], said["database"])
    assert (read.socket.name, read.public_key.name) == (said["socket"], said["public_key"])


def test_the_picture_is_small_and_loads_nothing_from_elsewhere() -> None:
    picture = text("docs/demo.svg")
    assert len(picture) < 150_000 and "The&#160;fix&#160;is&#160;verified" in picture
    assert "@font-face" not in picture and "href" not in picture and "url(http" not in picture
