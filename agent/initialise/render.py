"""The text of `countersign.toml`: every key there is, with a comment; what has its default stands commented out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from agent.initialise.answers import Answers, Provider
from agent.settings import BUILT_IN, ROLES, SERVERS

COMPOSE_AUDIENCE = "countersign-remediation:compose"
"""The same in every such installation: what sets its grants apart is its key."""
OWN_PAGES = "runbooks"
"""Where one's own pages go when no folder of theirs is named."""
COMPOSE_PORTS = dict(zip(SERVERS, (8401, 8402, 8403), strict=True))


@dataclass(frozen=True)
class Paths:
    """Where things stand, as the configuration says it: from its own folder, or in a container."""

    inventory: str
    pages: tuple[str, ...]
    state: str
    cache: str
    socket: str
    public_key: str
    secrets: str
    """The folder of secrets, with a slash at its end."""
    client_secret: str
    address: str
    audience: str
    remote: bool


def paths(answers: Answers, audience: str) -> Paths:
    """Return the paths of a layout."""
    secret = answers.provider.secret if answers.provider else None
    if answers.layout == "compose":
        return Paths(
            inventory="inventory.yaml",
            pages=(OWN_PAGES,),
            state="/var/lib/countersign/state",
            cache="/var/lib/countersign/cache",
            socket="/run/countersign/approvals.sock",
            public_key="grant-key.pub.pem",
            secrets="/run/secrets/",
            client_secret="/run/secrets/oidc-secret" if secret else "",
            address="0.0.0.0",  # noqa: S104 - in its container; compose.yaml publishes the port on loopback alone
            audience=audience,
            remote=True,
        )

    def near(path: Path) -> str:
        here = answers.directory.resolve()
        return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)

    return Paths(
        inventory=near(answers.inventory),
        pages=tuple(near(one) for one in answers.pages) or (OWN_PAGES,),
        state=str(answers.state),
        cache="",
        socket="approvals.sock",
        public_key="grant-key.pub.pem",
        secrets="secrets/",
        client_secret=near(secret) if secret else "",
        address="127.0.0.1",
        audience=audience,
        remote=False,
    )


def render(answers: Answers, where: Paths) -> str:
    """Return the configuration as text."""
    return "\n".join(
        (
            "# Written by `countersign init`; yours to edit. docs/configuration.md has every key. Paths are relative",
            "# to this file. Nothing in it is a secret: secrets stand in files that it names. `countersign doctor`",
            "# checks it.",
            "",
            "[estate]",
            "# The Ansible inventory with your services: what is looked at, who may approve (docs/inventory.md).",
            f"inventory = {_text(where.inventory)}",
            "",
            "[knowledge]",
            f'# Folders with Markdown pages (docs/runbooks.md). "{BUILT_IN}" are the pages that come with the program;',
            "# `countersign knowledge add` copies into the last folder.",
            f"folders = {_texts((BUILT_IN, *where.pages))}",
            "",
            "[state]",
            "# The journal, conversations, working memory and logs. Back this folder up.",
            f"directory = {_text(where.state)}",
            "# What can be rebuilt: the embedding model's graph, vectors of pages. Without it: ~/.cache/countersign.",
            f"cache = {_text(where.cache)}" if where.cache else '# cache = "/var/cache/countersign"',
            "",
            "[tickets]",
            "# The embedded desk, a file; other ticket systems cannot be connected yet.",
            "# Its own container keeps it: see compose.yaml." if where.remote else 'database = "desk.db"',
            "",
            "[approvals]",
            "# The process that signs. Its private key, grant-key.pem, and people.json (who may decide through",
            f"# which operating-system user), stand {'apart' if where.remote else 'beside the public key'}.",
            f"socket = {_text(where.socket)}",
            f"public_key = {_text(where.public_key)}",
            "# The name of this remediation server: a grant for another one is refused.",
            f"audience = {_text(where.audience)}",
            "# How long a proposal may be approved, and how long the look afterwards is repeated until it is well.",
            "proposal_minutes = 30",
            "verify_seconds = 20",
            "",
            "[server]",
            "# Where it listens. Leave it on loopback, and put a proxy with TLS in front (docs/install.md).",
            f"address = {_text(where.address)}",
            f"port = {answers.port if not where.remote else 8321}",
            "# As what browsers know it; https, unless they run on this machine.",
            *_public(answers, where),
            "",
            *_identity(answers.provider, where),
            *_hosts(answers, where),
            *_servers(where),
            "",
        )
    )


def _public(answers: Answers, where: Paths) -> list[str]:
    if answers.public_url:
        return [f"public_url = {_text(answers.public_url)}"]
    if where.remote:
        return [f"public_url = {_text(f'http://127.0.0.1:{answers.port}')}"]
    return ['# public_url = "https://countersign.example.org"']


def _identity(provider: Provider | None, where: Paths) -> list[str]:
    if provider is None:
        return [
            "# How people sign in to the pages: an OpenID Connect provider. Without it, nobody can.",
            "# [identity]",
            '# issuer = "https://login.example.org/realms/it"',
            '# client_id = "countersign"',
            f'# client_secret_file = "{where.secrets}oidc-secret"    # left out for a public client (PKCE alone)',
            '# person_claim = "preferred_username"    # the name that the inventory uses',
            '# roles_claim = "groups"',
            "# [identity.roles]",
            '# "it-oncall" = "responder"',
            "",
        ]
    return [
        "[identity]",
        "# The OpenID Connect provider. The redirect URI to register there is <public_url>/sign-in/callback.",
        f"issuer = {_text(provider.issuer)}",
        f"client_id = {_text(provider.client_id)}",
        "# The file with the client secret, readable by its owner alone; left out for a public client (PKCE alone).",
        f"client_secret_file = {_text(where.client_secret)}"
        if where.client_secret
        else f'# client_secret_file = "{where.secrets}oidc-secret"',
        'scopes = ["openid", "profile", "email"]',
        "# Which claim is the person's name in the inventory, and which one lists their groups.",
        f"person_claim = {_text(provider.person_claim)}",
        f"roles_claim = {_text(provider.roles_claim)}",
        "# How long a session lives at most, and without being used.",
        "session_hours = 8",
        "idle_minutes = 60",
        "",
        f"# Which group has which role here: {', '.join(ROLES)}.",
        "# Nobody else signs in. Who may approve what still stands in the inventory.",
        "[identity.roles]",
        *(f"{_text(group)} = {_text(role)}" for group, role in provider.roles),
        "",
    ]


def _hosts(answers: Answers, where: Paths) -> list[str]:
    about = [
        "# A page that may show the widget; its backend signs tokens for its own users with the key (docs/install.md).",
    ]
    if not answers.hosts:
        return [
            *about,
            "# [[widget.hosts]]",
            '# name = "intranet"',
            '# origin = "https://intranet.example.org"',
            f'# key_file = "{where.secrets}widget-intranet.key"',
            "",
        ]
    lines = []
    for name, origin in answers.hosts:
        lines += [
            *about,
            "[[widget.hosts]]",
            f"name = {_text(name)}",
            f"origin = {_text(origin)}",
            f"key_file = {_text(f'{where.secrets}widget-{name}.key')}",
            "",
        ]
    return lines


def _servers(where: Paths) -> list[str]:
    about = "# An MCP server that listens elsewhere, over streamable HTTP; without it, one is started as a child."
    if not where.remote:
        return [
            about,
            "# [mcp.diagnostics]",
            '# url = "http://127.0.0.1:8402/mcp"',
            '# token_file = "secrets/diagnostics-token"',
        ]
    lines = []
    for name, port in COMPOSE_PORTS.items():
        lines += [
            about,
            f"[mcp.{name}]",
            f"url = {_text(f'http://{name}:{port}/mcp')}",
            f"token_file = {_text(f'{where.secrets}{name}-token')}",
            "",
        ]
    return lines[:-1]


def _text(value: str) -> str:
    """Return a TOML basic string: JSON's escapes are TOML's, as long as nothing is written as a surrogate pair."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _texts(values: tuple[str, ...]) -> str:
    return f"[{', '.join(_text(one) for one in values)}]"
