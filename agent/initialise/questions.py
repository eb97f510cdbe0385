"""Asking: in a terminal one question after the other, elsewhere by options alone. Each answer is checked at once."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click

from agent.core.errors import CountersignError
from agent.initialise import answers as check
from agent.initialise.answers import Answers, Layout, Provider

T = TypeVar("T")
Given = Mapping[str, str | None]
"""What the options say, by their names without dashes; None where an option was not given."""


class Asking:
    """Gets one answer after the other: the option, else (with --yes) the default, else the person at the terminal."""

    def __init__(self, given: Given, yes: bool, interactive: bool | None = None) -> None:
        self._given, self._yes = given, yes
        self._interactive = sys.stdin.isatty() if interactive is None else interactive

    def one(self, option: str, question: str, checked: Callable[[str], T], default: str | None = None) -> T:
        """Return a checked answer. Raises CountersignError where there is none, or a wrong one and nobody to ask."""
        given = self._given.get(option)
        if given is None and self._yes and default is not None:
            given = default
        if given is not None:
            try:
                return checked(given)
            except CountersignError as error:
                raise CountersignError(f"--{option}: {error}") from error
        if not self._interactive:
            raise CountersignError(f"there is no terminal to ask at: say --{option}" + (" or --yes" if default else ""))
        while True:
            try:
                return checked(str(click.prompt(question, default=default, show_default=bool(default))).strip())
            except CountersignError as error:
                click.echo(f"  {error}.", err=True)


def ask(asking: Asking, directory: Path, layout: Layout, say: Callable[[str], None]) -> Answers:
    """Ask everything; `say` is told what is not asked because there is no choice yet."""
    say("Ticket system: the embedded desk. Others cannot be connected yet.")
    say("Model: none. It reasons with the runbooks; a model cannot be connected yet.")
    inventory = asking.one(
        "inventory", "Ansible inventory with your services (docs/inventory.md)", check.an_inventory,
        _if_there(directory / "inventory.yaml") or None,
    )  # fmt: skip
    say(f"  its approvers and responders: {', '.join(check.people(inventory)) or 'nobody, so nothing can be approved'}")
    pages = asking.one(
        "pages",
        "Folders with your own runbooks, with commas between them; empty to begin one",
        check.folders, _if_there(directory / "runbooks"),
    )  # fmt: skip
    state = Path("state")
    if layout == "here":
        state = asking.one("state", "Folder for the journal and everything else it keeps", _a_path, "state")
    port = asking.one("port", "Port to listen on, on this machine", check.a_port, "8321")
    local = f"http://127.0.0.1:{port}"
    public = asking.one("public-url", "Address by which browsers reach it", check.a_public_url, local)
    provider = _provider(asking, public, say)
    hosts = asking.one(
        "embed",
        "Pages that may show the widget: NAME=ORIGIN, with commas between them; empty for none",
        check.pages_with_widget, "",
    )  # fmt: skip
    decide_as: tuple[str, ...] = ()
    if provider is None:
        decide_as = asking.one(
            "decide-as",
            "Whom may you decide as at the command line (names of the inventory, with commas between them)",
            lambda text: check.known_people(text, inventory), _me(inventory),
        )  # fmt: skip
    return Answers(
        directory, layout, inventory, pages, state, port, "" if public == local else public, provider, hosts, decide_as
    )


def _provider(asking: Asking, public: str, say: Callable[[str], None]) -> Provider | None:
    issuer = asking.one(
        "issuer", "Identity provider (OpenID Connect): its issuer's address, or none", _issuer_or_none, "none"
    )
    if issuer is None:
        say("  Without one nobody can sign in to the pages; the command line, API keys and widget tokens work.")
        return None
    say(f"  {discovery(issuer)}")
    say(f"  Register this redirect URI there: {public}/sign-in/callback")
    return Provider(
        issuer,
        asking.one("client-id", "Our client id there", check.a_word, "countersign"),
        asking.one("client-secret-file", "File with the client secret; empty for a public client", check.a_secret, ""),
        asking.one("person-claim", "Claim with the name that the inventory uses", check.a_word, "preferred_username"),
        asking.one("roles-claim", "Claim with the groups of a person", check.a_word, "groups"),
        asking.one(
            "role",
            "What its groups may: GROUP=ROLE, with commas between them "
            "(viewer, responder, approver, operator, auditor, admin)",
            check.roles,
        ),
    )


def discovery(issuer: str, seconds: float = 5.0) -> str:
    """Say in a sentence whether the provider's discovery document can be read and is its own."""
    import httpx

    address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        answer = httpx.get(address, timeout=seconds)
        if answer.status_code != 200:
            return f"{address} answers {answer.status_code}: nobody can sign in until that is mended."
        said = answer.json()
        named = said.get("issuer") if isinstance(said, dict) else None
    except (httpx.HTTPError, ValueError) as error:
        return f"{address} cannot be read ({error or type(error).__name__}): nobody can sign in until that is mended."
    if named != issuer:
        return f"{address} is of another issuer ({named!r}): give exactly that address, or nobody can sign in."
    return "the discovery document is there."


def _issuer_or_none(text: str) -> str | None:
    return None if text.strip().lower() in {"", "none"} else check.an_issuer(text.strip())


def _a_path(text: str) -> Path:
    return Path(check.a_word(text)).expanduser()


def _if_there(path: Path) -> str:
    return str(path) if path.exists() else ""


def _me(inventory: Path) -> str:
    try:
        me = getpass.getuser()
    except (KeyError, OSError):  # a user id without an account, as in many containers
        return ""
    return me if me in check.people(inventory) else ""
