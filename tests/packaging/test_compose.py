"""compose.yaml and Dockerfile: valid by the schema, closed by default, and nothing named in them that is not there."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from agent import settings
from agent.cli import main
from agent.initialise.render import COMPOSE_AUDIENCE, COMPOSE_PORTS
from tests.mcp_servers.world import write_inventory

HERE = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (HERE / "Dockerfile").read_text(encoding="utf-8")
SECRET = re.compile(r"(?i)(password|secret|token|api_?key)\s*[=:]\s*\S")
MOUNTED = "${COUNTERSIGN_DIR:-./deploy}"


def mounts(service: str) -> dict[str, tuple[str, str]]:
    """Where each mount of a service stands in it: source and mode."""
    found = {}
    for one in SERVICES[service].get("volumes", []):
        source, target, *mode = one.replace(MOUNTED, "DIR").split(":")
        found[target] = (source, mode[0] if mode else "rw")
    return found


def options(service: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in SERVICES[service]["command"] if word.startswith("--"))


def is_mounted(service: str, path: str) -> bool:
    return any(path == target or path.startswith(f"{target}/") for target in mounts(service))


def test_it_is_valid_by_the_compose_specification() -> None:
    schema = json.loads((HERE / "tests" / "vectors" / "compose-spec.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    checked = Draft202012Validator(schema)
    assert [error.message for error in checked.iter_errors(COMPOSE)] == []
    assert list(checked.iter_errors(COMPOSE | {"service": {}})), "the schema would pass whatever it said"


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_rights_it_does_not_need(service: str) -> None:
    one = SERVICES[service]
    assert one["user"] == "${COUNTERSIGN_UID:-1000}:${COUNTERSIGN_GID:-1000}"
    assert one["read_only"] is True and one["cap_drop"] == ["ALL"] and "cap_add" not in one
    assert one["security_opt"] == ["no-new-privileges:true"] and one["init"] is True
    assert one["healthcheck"]["test"][0] == "CMD" and one["restart"] == "unless-stopped"
    assert not {"privileged", "environment", "env_file", "pid", "ipc", "devices"} & one.keys()
    assert not any("docker.sock" in source for source, _ in mounts(service).values())
    for target, (source, mode) in mounts(service).items():
        assert mode == "ro" or source in COMPOSE["volumes"], f"{target} could be written from inside"


def test_only_the_interface_is_published_and_only_on_loopback() -> None:
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert published == {"api": ["127.0.0.1:${COUNTERSIGN_PORT:-8321}:8321"]}
    assert not any(one.get("network_mode") == "host" for one in SERVICES.values())


def test_the_key_that_signs_is_in_one_container_and_that_one_has_no_network() -> None:
    holders = [name for name in SERVICES if any("signing" in source for source, _ in mounts(name).values())]
    assert holders == ["approvals"] and SERVICES["approvals"]["network_mode"] == "none"
    shared = {name for name in SERVICES if "/run/countersign" in mounts(name)}
    assert shared == {"approvals", "api"}


def test_a_server_has_its_own_token_and_no_other() -> None:
    for name, port in COMPOSE_PORTS.items():
        file = options(name)["--token-file"]
        assert mounts(name)[file] == (f"DIR/secrets/{name}-token", "ro")
        assert [one for one in mounts(name) if one.startswith("/run/secrets")] == [file]
        assert options(name)["--http"] == f"{name}:{port}" and SERVICES[name]["hostname"] == name


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "api"])
def test_every_program_and_option_exists(service: str) -> None:
    python, flag, module, *rest = SERVICES[service]["command"]
    assert (python, flag) == ("python", "-m") and importlib.util.find_spec(module) is not None
    told = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(word.split("=")[0] in told for word in rest), told
    for value in options(service).values():
        assert not value.startswith("/") or is_mounted(service, value), value


def test_the_interface_is_started_by_a_command_that_exists() -> None:
    name, command = SERVICES["api"]["command"]
    assert name == "countersign" and command in main.commands


def test_what_init_writes_fits_what_is_mounted(tmp_path: Path) -> None:
    secret = tmp_path / "oidc"
    secret.write_text("s3cret", encoding="utf-8")
    secret.chmod(0o600)
    pages = tmp_path / "own"
    pages.mkdir()
    (pages / "page.md").write_text("# A page\n", encoding="utf-8")
    inventory = write_inventory(tmp_path / "estate.yaml", {"shop": {"approvers": ["dana.meyer"]}})
    arguments = ["init", "--compose", "--yes", "--dir", str(tmp_path / "deploy"), "--inventory", str(inventory)]
    arguments += ["--pages", str(pages), "--issuer", "https://127.0.0.1:1", "--role", "it=approver"]
    arguments += ["--client-secret-file", str(secret), "--embed", "intranet=https://intranet.example.org"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    made = tmp_path / "deploy"
    read = settings.load(made / "config" / settings.NAME)

    def inside(path: Path) -> str:
        text = str(path)
        return text.replace(str((made / "config").resolve()), "/etc/countersign")

    named = [read.inventory, read.public_key, read.state, read.cache, read.socket, *read.pages[1:]]
    assert read.serving.identity is not None and read.serving.identity.client_secret is not None
    named += [read.serving.identity.client_secret, *(host.key for host in read.serving.hosts if host.key)]
    named += [token for _, token in read.remote.values()]
    assert [inside(one) for one in named if not is_mounted("api", inside(one))] == []
    assert read.serving.port == 8321 and read.serving.address == "0.0.0.0"
    assert read.remote.keys() == COMPOSE_PORTS.keys()
    for name, (url, token) in read.remote.items():
        assert url == f"http://{options(name)['--http']}/mcp"
        assert (made / "secrets" / token.name).is_file() and options(name)["--token-file"] == str(token)
    signs = options("approvals")
    assert (signs["--socket"], signs["--journal"]) == (str(read.socket), str(read.journal))
    assert (signs["--inventory"], signs["--public-key"]) == (inside(read.inventory), inside(read.public_key))
    assert read.audience == COMPOSE_AUDIENCE == signs["--audience"] == options("remediation")["--audience"]
    assert (made / "config" / "runbooks" / "own" / "page.md").is_file()
    sources = {source for name in SERVICES for source, _ in mounts(name).values() if source.startswith("DIR/")}
    assert [one for one in sources if not (made / one.removeprefix("DIR/")).exists()] == []
    for file in (made / "signing" / "grant-key.pem", *(made / "secrets").iterdir()):
        assert file.stat().st_mode & 0o077 == 0, file
    [(user, may)] = json.loads((made / "signing" / "people.json").read_text(encoding="utf-8")).items()
    assert may == "*" and int(user) == (made / "signing" / "people.json").stat().st_uid != 0


def test_the_image_is_pinned_runs_as_nobody_special_and_carries_no_secret() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2 and all(re.search(r":[\w.-]*\d", base) and not base.endswith(":latest") for base in bases)
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert re.findall(r"^USER (\S+)", last, re.MULTILINE) == ["${UID}:${GID}"]
    assert {re.findall(rf"^ARG {name}=(\d+)", last, re.MULTILINE)[0] for name in ("UID", "GID")} == {"1000"}
    code = "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))
    assert not SECRET.search(code) and not re.search(r"\b(curl|wget|sudo|ADD)\b|\|\s*(ba)?sh\b|chmod 777", code)
    assert all("--no-install-recommends" in line for line in code.splitlines() if "apt-get install" in line)
    assert "uv sync --frozen" in code and "COPY . ." not in last


def test_the_image_has_the_uv_of_the_makefile_and_the_version_of_the_package() -> None:
    makefile = (HERE / "Makefile").read_text(encoding="utf-8")
    version = re.findall(r"^UV_VERSION := (\S+)", makefile, re.MULTILINE)
    assert re.findall(r"uv==(\S+)", DOCKERFILE) == version
    package = re.findall(r'^version = "(\S+)"', (HERE / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert {one["image"] for one in SERVICES.values()} == {f"countersign:{package[0]}"}


@pytest.mark.parametrize("name", ["deploy", ".venv", ".git", "secrets", "**/*.pem", "**/node_modules"])
def test_what_is_secret_or_large_stays_out_of_the_image(name: str) -> None:
    assert name in (HERE / ".dockerignore").read_text(encoding="utf-8").splitlines()
