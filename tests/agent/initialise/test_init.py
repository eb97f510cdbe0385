"""`countersign init`: what it writes is read back whole, wrong answers are told at once, and nothing is overwritten."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pexpect
import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from agent import settings
from agent.api.identity.secret_file import read_secret
from agent.cli import main
from agent.core.errors import CountersignError
from agent.doctor import Finding
from agent.doctor_serving import examine_serving
from agent.initialise import answers as check
from agent.initialise.questions import discovery
from agent.settings import Identity, Serving
from tests.mcp_servers.world import free_port, write_inventory

PROGRAM = str(Path(sys.executable).with_name("countersign"))


@pytest.fixture(autouse=True)
def _without_the_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts three servers, which takes seconds; the test at a real terminal has it."""
    monkeypatch.setattr("agent.doctor.examine", lambda *_, **__: 0)


def inventory(folder: Path) -> Path:
    services: dict[str, dict[str, Any]] = {"shop": {"approvers": ["dana.meyer"], "responders": ["lee.brandt"]}}
    return write_inventory(folder / "inventory.yaml", services)


def init(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["init", "--dir", str(folder), *words])


def secret(path: Path) -> Path:
    path.write_text("s3cret\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_every_answer_is_read_back_from_what_was_written(tmp_path: Path) -> None:
    folder, own = tmp_path / 'with "quotes" and ümlaut', tmp_path / "runbooks elsewhere"
    folder.mkdir()
    own.mkdir()
    done = init(
        folder, "--inventory", str(inventory(tmp_path)), "--pages", str(own), "--state", "kept/here",
        "--port", str(free_port()), "--public-url", "https://countersign.example.org/",
        "--issuer", "https://127.0.0.1:1/realm", "--client-id", 'our "client"', "--person-claim", "upn",
        "--client-secret-file", str(secret(tmp_path / "oidc")), "--roles-claim", "realm_access.roles",
        "--role", "it-oncall=responder, heads=approver",
        "--embed", "intranet=https://intranet.example.org, wiki=http://wiki.example.org:8080",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    read, here = settings.load(folder / settings.NAME), folder.resolve()
    assert read.inventory == (tmp_path / "inventory.yaml").resolve()
    assert read.pages == (settings.PAGES, own.resolve())
    assert (read.state, read.tickets, read.socket) == (here / "kept/here", here / "desk.db", here / "approvals.sock")
    assert read.public_key == here / "grant-key.pub.pem" and read.audience.startswith("countersign-remediation:")
    assert (read.proposal_minutes, read.verify_seconds, read.lab, read.remote) == (30, 20, False, {})
    serving = read.serving
    assert (serving.address, serving.public_url) == ("127.0.0.1", "https://countersign.example.org")
    assert serving.identity == Identity(
        issuer="https://127.0.0.1:1/realm", client_id='our "client"', client_secret=(tmp_path / "oidc").resolve(),
        scopes=("openid", "profile", "email"), person_claim="upn", roles_claim="realm_access.roles",
        roles={"it-oncall": "responder", "heads": "approver"}, session_hours=8, idle_minutes=60,
    )  # fmt: skip
    assert [(one.name, one.origin) for one in serving.hosts] == [
        ("intranet", "https://intranet.example.org"),
        ("wiki", "http://wiki.example.org:8080"),
    ]
    keys = [one.key for one in serving.hosts]
    assert all(key and len(read_secret(key, 32)) >= 32 for key in keys) and keys[0] != keys[1]
    assert "Register this redirect URI there: https://countersign.example.org/sign-in/callback" in done.output


def test_defaults_do_and_every_key_that_is_not_asked_for_stands_there_as_a_comment(tmp_path: Path) -> None:
    inventory(tmp_path)
    done = init(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    read = settings.load(tmp_path / settings.NAME)
    assert read.serving == Serving() and read.pages == (settings.PAGES, tmp_path.resolve() / "runbooks")
    assert (tmp_path / "runbooks").is_dir()
    text = (tmp_path / settings.NAME).read_text(encoding="utf-8")
    opened = "\n".join(line.removeprefix("# ") if _is_a_key(line) else line for line in text.splitlines())
    every = tomllib.loads(opened)
    documented = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in documented.splitlines() if line.startswith("| `[")]
    for table, key in ((row[1].strip(" `[]"), row[2].strip(" `")) for row in rows):
        if table == "lab" or key in {"scopes", "session_hours", "idle_minutes", "public_url"}:
            continue
        place: Any = every
        for part in table.replace("SERVER", "diagnostics").split("."):
            place = place[part]
        assert key in (place[0] if isinstance(place, list) else place), f"[{table}] {key}"


def _is_a_key(line: str) -> bool:
    """True for a key or table that is commented out, as opposed to a sentence."""
    return re.match(r'# (\[|"?[\w-]+"? = )', line) is not None


def test_keys_are_readable_by_their_owner_alone_and_fit_each_other(tmp_path: Path) -> None:
    inventory(tmp_path)
    assert init(tmp_path, "--yes", "--decide-as", "dana.meyer", "--embed", "a=https://a.example").exit_code == 0
    assert mode(tmp_path / "grant-key.pem") == mode(tmp_path / "people.json") == 0o600
    assert mode(tmp_path / "secrets") == 0o700 and mode(tmp_path / "secrets" / "widget-a.key") == 0o600
    assert json.loads((tmp_path / "people.json").read_text()) == {str(os.getuid()): ["dana.meyer"]}
    load_pem_public_key((tmp_path / "grant-key.pub.pem").read_bytes())


def test_where_people_sign_in_the_interface_speaks_for_whoever_did(tmp_path: Path) -> None:
    inventory(tmp_path)
    done = init(tmp_path, "--yes", "--issuer", "https://127.0.0.1:1", "--role", "it=approver")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "people.json").read_text()) == {str(os.getuid()): "*"}


def test_nothing_is_overwritten_without_force_and_keys_never(tmp_path: Path) -> None:
    inventory(tmp_path)
    assert init(tmp_path, "--yes", "--embed", "a=https://a.example").exit_code == 0
    kept = {name: (tmp_path / name).read_bytes() for name in ("grant-key.pem", "secrets/widget-a.key")}
    before = (tmp_path / settings.NAME).read_text(encoding="utf-8")
    audience = settings.load(tmp_path / settings.NAME).audience
    again = init(tmp_path, "--yes", "--port", "9000")
    assert again.exit_code == 2 and "is there already; --force" in again.output
    assert (tmp_path / settings.NAME).read_text(encoding="utf-8") == before
    forced = init(tmp_path, "--yes", "--port", "9000", "--embed", "a=https://a.example", "--force")
    assert forced.exit_code == 0, forced.output
    read = settings.load(tmp_path / settings.NAME)
    assert read.serving.port == 9000 and read.audience == audience
    assert {name: (tmp_path / name).read_bytes() for name in kept} == kept


def test_without_a_terminal_a_missing_answer_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    done = init(tmp_path)
    assert done.exit_code == 2 and "no terminal to ask at: say --inventory" in done.output
    inventory(tmp_path)
    done = init(tmp_path, "--yes", "--issuer", "https://127.0.0.1:1")
    assert done.exit_code == 2 and "say --role" in done.output
    assert not (tmp_path / settings.NAME).exists() and not (tmp_path / "grant-key.pem").exists()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("inventory", "/nowhere.yaml", "cannot be read"),
        ("pages", "/nowhere", "is not a folder"),
        ("port", "0", "from 1 to 65535"),
        ("port", "http", "from 1 to 65535"),
        ("public-url", "http://countersign.example.org", "TLS"),
        ("public-url", "https://example.org/path", "an origin is"),
        ("public-url", "https://example.org:port", "an origin is"),
        ("issuer", "http://login.example.org", "an https address"),
        ("embed", "intranet", "NAME=ORIGIN"),
        ("embed", "In Tranet=https://a.example", "lower-case"),
        ("embed", "a=https://a.example, a=https://b.example", "one name"),
        ("embed", "a=https://user@a.example", "no user name"),
        ("decide-as", "ines.costa", "approves nothing in the inventory; its approvers are dana.meyer, lee.brandt"),
    ],
)
def test_a_wrong_answer_is_told_at_once_with_the_option_it_came_from(
    tmp_path: Path, option: str, value: str, says: str
) -> None:
    inventory(tmp_path)
    done = init(tmp_path, "--yes", f"--{option}", value)
    assert done.exit_code == 2 and f"--{option}: " in done.output and says in done.output, done.output
    assert not (tmp_path / settings.NAME).exists()


def test_a_secret_that_others_can_read_and_a_role_that_is_none_are_refused(tmp_path: Path) -> None:
    open_to_all = secret(tmp_path / "oidc")
    open_to_all.chmod(0o644)
    with pytest.raises(CountersignError, match="chmod 600"):
        check.a_secret(str(open_to_all))
    with pytest.raises(CountersignError, match="no role boss"):
        check.roles("it=boss")
    with pytest.raises(CountersignError, match="nobody can sign in"):
        check.roles(" ")


def test_at_a_terminal_it_asks_and_asks_again_where_the_answer_cannot_be(tmp_path: Path) -> None:
    inventory(tmp_path)
    talk = pexpect.spawn(PROGRAM, ["init"], cwd=str(tmp_path), encoding="utf-8", timeout=60, dimensions=(40, 200))
    talk.expect("the embedded desk. Others cannot be connected yet")
    talk.expect(r"Ansible inventory .*:")
    talk.sendline("missing.yaml")
    talk.expect("cannot be read")
    talk.expect(r"Ansible inventory .*:")
    talk.sendline("")
    talk.expect("dana.meyer, lee.brandt")
    for question, answer in (
        ("own runbooks", ""), ("Folder for the journal", ""), ("Port to listen on", "8500"),
        ("Address by which browsers", ""), ("Identity provider", "none"), ("may show the widget", ""),
        ("decide as at the command line", "lee.brandt"),
    ):  # fmt: skip
        talk.expect(question)
        talk.sendline(answer)
    talk.expect("The doctor looks at it")
    talk.expect("mcp remediation  answers")
    talk.expect("Next: countersign serve")
    talk.expect(pexpect.EOF)
    talk.close()
    assert talk.exitstatus == 0
    assert settings.load(tmp_path / settings.NAME).serving.port == 8500


class Provider(BaseHTTPRequestHandler):
    """Answers with a discovery document that names whatever issuer it was told to name."""

    named: ClassVar[str] = ""

    def do_GET(self) -> None:
        body = json.dumps({"issuer": self.named, "status": "ok"}).encode()
        self.send_response(200 if self.path in {"/.well-known/openid-configuration", "/healthz"} else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_whether_a_provider_can_be_reached_and_is_the_one_is_said_and_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with provider() as issuer:
        monkeypatch.setattr(Provider, "named", issuer)
        assert discovery(issuer) == "the discovery document is there."
        monkeypatch.setattr(Provider, "named", "https://elsewhere.example")
        assert "is of another issuer ('https://elsewhere.example')" in discovery(issuer)
        assert "answers 404" in discovery(f"{issuer}/realm")
    assert "cannot be read" in discovery(issuer)


def findings(read: settings.Settings) -> dict[str, Finding]:
    return {one.what: one for one in examine_serving(read)}


def test_the_doctor_sees_a_taken_port_and_knows_its_own(tmp_path: Path) -> None:
    inventory(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert init(tmp_path, "--yes", "--port", str(taken.getsockname()[1])).exit_code == 0
        seen = findings(settings.load(tmp_path / settings.NAME))["port"]
        assert seen.level == "trouble" and "cannot listen" in seen.says
    with provider() as ours:
        assert init(tmp_path, "--yes", "--force", "--port", ours.rpartition(":")[2]).exit_code == 0
        assert findings(settings.load(tmp_path / settings.NAME))["port"].says.endswith("it is serving")
    assert "is free" in findings(settings.load(tmp_path / settings.NAME))["port"].says


def test_the_doctor_sees_what_keeps_people_from_signing_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory(tmp_path)
    with provider() as issuer:
        monkeypatch.setattr(Provider, "named", issuer)
        words = ["--issuer", issuer, "--role", "it=approver", "--client-secret-file", str(secret(tmp_path / "oidc"))]
        assert init(tmp_path, "--yes", "--embed", "a=https://a.example", *words).exit_code == 0
        file = tmp_path / settings.NAME
        good = findings(settings.load(file))
        assert {what for what, one in good.items() if one.level == "trouble"} == set()
        assert good["redirect URI"].says.startswith("http://127.0.0.1:8321/sign-in/callback has to be registered")

        (tmp_path / "people.json").write_text(f'{{"{os.getuid()}": ["dana.meyer"]}}', encoding="utf-8")
        (tmp_path / "oidc").chmod(0o640)
        (tmp_path / "secrets" / "widget-a.key").write_text("short", encoding="utf-8")
        text = file.read_text(encoding="utf-8").replace('"it" = "approver"', "")
        file.write_text(
            text.replace("# public_url = ", "public_url = ").replace("https://countersign", "http://countersign")
        )
        monkeypatch.setattr(Provider, "named", "https://elsewhere.example")
        bad = findings(settings.load(file))
    assert {what for what, one in bad.items() if one.level == "trouble"} == {
        "people", "client secret", "widget a", "roles", "public_url", "sign-in",
    }  # fmt: skip
    assert "chmod 600" in bad["client secret"].says and "shorter than 32" in bad["widget a"].says
