"""The services judge their own configuration: the good file passes, a broken one is refused by file, line and key."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from evals.lab.configfile import ConfigError
from evals.lab.estate import Role, load_estate
from evals.lab.faults import ConfigBroken
from evals.lab.launch import make_certificates
from evals.lab.layout import Layout
from evals.lab.settings import application_settings, web_settings
from mcp_servers.inventory import load_inventory

APPLICATION_SLIPS = [
    ("pool_max = 8", 'pool_max = "ten"', "line 16: database.pool_max must be a whole number"),
    ("pool_max = 8", "pool_max = true", "line 16: database.pool_max must be a whole number"),
    ("pool_max = 8", "pool_max = 0", "database.pool_max must lie between 1 and 100"),
    ("pool_max = 8", "pool_max = 1", "database.pool_min (2) is above pool_max (1)"),
    ("pool_max = 8", "pol_max = 8", "line 16: unknown key database.pol_max (is pool_max meant?)"),
    ("pool_max = 8\n", "", "database.pool_max is missing"),
    ("[database]", "[databse]", "unknown section [databse] (is database meant?)"),
    ('level = "info"', 'level = "loud"', "log.level must be one of debug, info, warning, error"),
    ('passfile = "/', 'passfile = "/nowhere/', "database.passfile names a file that is not there"),
    ("[server]", "[server", "not valid TOML"),
]
WEB_SLIPS = [
    ("read_timeout_s = 8", "read_timeout_s = 8.5", "upstream.read_timeout_s must be a whole number"),
    ('certificate = "/', 'certificate = "/nowhere/', "line 6: listen.certificate names a file that is not there"),
    ('url = "http://', 'url = "', "upstream.url must be an http or https URL"),
    ("server.key", "ca.pem", "listen.certificate and listen.key cannot be used together"),
]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The files of an estate, of which nothing runs."""
    layout = Layout(tmp_path_factory.mktemp("estate"), load_estate(), {role: 20000 + n for n, role in enumerate(Role)})
    make_certificates(layout)
    for directory in (layout.etc, layout.secrets):
        directory.mkdir()
    layout.passfile(layout.estate.database.application_user).touch()
    for role, text in layout.configuration().items():
        _file(layout, role).write_text(text, encoding="utf-8")
    layout.inventory.write_text(layout.inventory_text(), encoding="utf-8")
    return layout


def _file(layout: Layout, role: Role) -> Path:
    path = layout.services[role].config
    assert path is not None
    return path


def _check(layout: Layout, role: Role, path: Path) -> subprocess.CompletedProcess[str]:
    config = load_inventory(layout.inventory).service(layout.services[role].name).config
    assert config is not None
    command = [word.replace("{path}", str(path)) for word in config.check]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd="/", check=False)


@pytest.mark.parametrize("role", [Role.FRONT, Role.APPLICATION])
def test_the_checker_named_in_the_inventory_accepts_the_file_as_it_stands(layout: Layout, role: Role) -> None:
    done = _check(layout, role, _file(layout, role))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("role", [Role.FRONT, Role.APPLICATION])
def test_the_checker_refuses_a_broken_file_in_one_line_that_names_the_key(
    layout: Layout, role: Role, tmp_path: Path
) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(layout.configuration()[role].replace("port = ", "prot = "), encoding="utf-8")
    done = _check(layout, role, file)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "prot (is port meant?)" in done.stderr


@pytest.mark.parametrize(("before", "after", "says"), APPLICATION_SLIPS)
def test_the_application_names_what_is_wrong(
    layout: Layout, tmp_path: Path, before: str, after: str, says: str
) -> None:
    file = tmp_path / "app.toml"
    text = layout.configuration()[Role.APPLICATION]
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        application_settings(file)
    assert says in str(refused.value)
    assert str(file) in str(refused.value)


@pytest.mark.parametrize(("before", "after", "_"), ConfigBroken.SLIPS)
def test_every_slip_a_colleague_may_make_is_one_the_application_refuses(
    layout: Layout, tmp_path: Path, before: str, after: str, _: str
) -> None:
    file = tmp_path / "app.toml"
    text = layout.configuration()[Role.APPLICATION]
    file.write_text(text, encoding="utf-8")
    assert application_settings(file).port == layout.services[Role.APPLICATION].port
    file.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError):
        application_settings(file)


@pytest.mark.parametrize(("before", "after", "says"), WEB_SLIPS)
def test_the_front_names_what_is_wrong(layout: Layout, tmp_path: Path, before: str, after: str, says: str) -> None:
    file = tmp_path / "web.toml"
    text = layout.configuration()[Role.FRONT]
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        web_settings(file)
    assert says in str(refused.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b""])
def test_a_file_that_is_no_text_or_empty_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "app.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError):
        application_settings(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        web_settings(tmp_path / "none.toml")
