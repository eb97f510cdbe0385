"""The command line. Nothing is decided here: each command gathers its arguments, calls the app and shows the answer.

Exit codes: 0 done, 1 it did not come out well, 2 wrong arguments or configuration, 3 waits for a person, 130 Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

MOST_READ_BYTES = 4 * 1024 * 1024

P = ParamSpec("P")
R = TypeVar("R")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object on a line.")
config = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The configuration to use. Without it: $COUNTERSIGN_CONFIG, ./countersign.toml, a running demo.",
)


def plainly(command: Callable[P, R]) -> Callable[P, R]:
    """Say what went wrong in a sentence, never in a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        from agent.core.errors import CountersignError

        try:
            return command(*args, **kwargs)
        except CountersignError as error:
            click.echo(f"countersign: {error}", err=True)
            sys.exit(2)
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            click.echo(f"countersign: {error.strerror or error}{where}", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("\nStopped. `countersign resume` goes on with what was begun.", err=True)
            sys.exit(130)
        except click.ClickException:
            raise
        except Exception as error:
            if os.environ.get("COUNTERSIGN_DEBUG"):
                raise
            click.echo(
                f"countersign: something went wrong that nobody foresaw ({type(error).__name__}: {error}). "
                "What was begun stands in the journal. COUNTERSIGN_DEBUG=1 shows where; please report it",
                err=True,
            )
            sys.exit(2)

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="countersign-agent", prog_name="countersign")
def main() -> None:
    """An incident assistant that fixes nothing without a person's countersignature.

    Start with `countersign demo`: a small estate of real services, one really broken, from ticket to verified fix.
    """


@main.command()
@click.option("--script", is_flag=True, help="Tell one story and end: 0 only if the fix was verified.")
@click.option("--fault", metavar="NAME", help="What to break; `--fault list` shows the names.")
@click.option("--approve-as", metavar="NAME", help="Decide as this person without asking (only in the demo's own lab).")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the demo keeps everything.",
)
@click.option(
    "--estate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Another estate than the built-in one: other names, people, ports.",
)
@click.option("--variant", type=click.IntRange(0, 99), default=0, help="Which wording of the ticket to use.")
@click.option("--port", type=click.IntRange(0, 65534), default=8321, show_default=True, help="Where the pages are.")
@click.option("--keep", is_flag=True, help="Leave the lab running at the end (it stops by itself when nobody uses it).")
@as_json
@plainly
def demo(
    script: bool,
    fault: str | None,
    approve_as: str | None,
    directory: Path | None,
    estate: Path | None,
    variant: int,
    port: int,
    keep: bool,
    as_json: bool,
) -> None:
    """Break a real service in a lab of its own and watch it being diagnosed, fixed and verified.

    Everything runs on this machine's loopback and in one folder. Without a terminal it needs --approve-as NAME, and
    otherwise stops at the card with exit code 3.
    """
    from agent.demo import Options, run

    sys.exit(run(Options(script, fault, approve_as, directory, estate, variant, keep, as_json, port)))


@main.command()
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where to write; this folder if not given.",
)
@click.option("--inventory", metavar="FILE", help="The Ansible inventory with your services.")
@click.option("--pages", metavar="DIRS", help="Folders with your own runbooks, with commas between them.")
@click.option("--state", metavar="DIR", help="Where the journal and everything else is kept.")
@click.option("--port", metavar="PORT", help="The port to listen on.")
@click.option("--public-url", metavar="URL", help="The address by which browsers reach it.")
@click.option("--issuer", metavar="URL", help="The OpenID Connect provider's issuer, or `none`.")
@click.option("--client-id", metavar="ID", help="Our client id at the provider.")
@click.option("--client-secret-file", metavar="FILE", help="The file with our client secret; empty for none.")
@click.option("--person-claim", metavar="CLAIM", help="The claim with the name that the inventory uses.")
@click.option("--roles-claim", metavar="CLAIM", help="The claim with a person's groups.")
@click.option("--role", metavar="GROUP=ROLE", help="What groups may do here, with commas between them.")
@click.option("--embed", metavar="NAME=ORIGIN", help="Pages that may show the widget, with commas between them.")
@click.option("--decide-as", metavar="NAMES", help="Whom you may decide as at the command line, with commas between.")
@click.option("--compose", is_flag=True, help="Write what compose.yaml mounts, instead of files for this machine.")
@click.option("--yes", is_flag=True, help="Take the default wherever there is one.")
@click.option("--force", is_flag=True, help="Write the configuration anew where there is one; keys are kept.")
@plainly
def init(directory: Path, compose: bool, yes: bool, force: bool, **given: str | None) -> None:
    """From the demo to your own services: asks what it needs to know and writes a commented countersign.toml.

    Every question is also an option, so that it works without a terminal. Makes the signing key and ends with `doctor`.
    """
    from agent.initialise.run import run

    words = {name.replace("_", "-"): value for name, value in given.items()}
    sys.exit(run(directory, "compose" if compose else "here", words, yes, force))


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Another port than [server] says; 0 takes a free one.")
@config
@plainly
def serve(port: int | None, config: Path | None) -> None:
    """Serve the web widget, the console, the API and the worker behind them, until Ctrl-C.

    Starts the approvals process as well, unless one listens already. What was going on when it ends goes on at the
    next start.
    """
    # Not by way of the other commands: what they show things with would be loaded before the first answer.
    from agent.serve import run

    sys.exit(run(settings(config), port))


@main.command()
@click.argument("text", nargs=-1)
@click.option("--ticket", metavar="ID", help="Work on this ticket instead of a text.")
@click.option("--service", default="", metavar="NAME", help="The service it is about, where the text does not name it.")
@click.option("--as", "person", metavar="NAME", help="Who asks, by the name in the inventory. Default: your login.")
@config
@as_json
@plainly
def ask(
    text: tuple[str, ...], ticket: str | None, service: str, person: str | None, config: Path | None, as_json: bool
) -> None:
    """Ask about a problem: diagnoses with read-only checks and proposes a fix, which then waits for approval.

    TEXT may be `-` to read standard input. Exit code 3 when a proposal waits.
    """
    from agent.commands import ask as run

    words = " ".join(text)
    if words == "-":
        words = sys.stdin.buffer.read(MOST_READ_BYTES).decode("utf-8", errors="replace")
    if bool(words.strip()) == bool(ticket):
        raise click.UsageError('say what is wrong (`countersign ask "the portal answers 502"`) or name a --ticket')
    sys.exit(run(settings(config), words, ticket, service, person, as_json))


@main.command()
@click.argument("incident", required=False)
@config
@as_json
@plainly
def resume(incident: str | None, config: Path | None, as_json: bool) -> None:
    """Go on with what was begun and broken off: INCIDENT, or everything that is not at its end."""
    from agent.commands import resume as run

    sys.exit(run(settings(config), incident, as_json))


@main.group()
def knowledge() -> None:
    """Add, check and search the team's own pages."""


@knowledge.command("add")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--replace", is_flag=True, help="Replace a page of the same file name.")
@config
@plainly
def knowledge_add(paths: tuple[Path, ...], replace: bool, config: Path | None) -> None:
    """Copy Markdown pages into the knowledge folder, after checking them."""
    from agent.commands import add_pages

    sys.exit(add_pages(settings(config), paths, replace))


@knowledge.command("lint")
@click.argument("folders", nargs=-1, type=click.Path(exists=True, path_type=Path))
@config
@as_json
@plainly
def knowledge_lint(folders: tuple[Path, ...], config: Path | None, as_json: bool) -> None:
    """Check pages: unknown keys, tools, actions and fields, conditions that cannot be read, hidden characters."""
    from agent.commands import lint_pages

    sys.exit(lint_pages(folders or settings(config, needed=False).pages, as_json))


@knowledge.command("search")
@click.argument("query", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 50), default=5, show_default=True)
@config
@as_json
@plainly
def knowledge_search(query: tuple[str, ...], limit: int, config: Path | None, as_json: bool) -> None:
    """Find the pages that fit a text, with their best passages and why they were found."""
    from agent.commands import search_pages

    sys.exit(search_pages(settings(config, needed=False), " ".join(query), limit, as_json))


@main.group()
def approvals() -> None:
    """See what waits for a person, and decide."""


@approvals.command("list")
@click.option("--all", "everything", is_flag=True, help="Decided ones, too.")
@config
@as_json
@plainly
def approvals_list(everything: bool, config: Path | None, as_json: bool) -> None:
    """List the proposals that wait."""
    from agent.commands import list_proposals

    sys.exit(list_proposals(settings(config), everything, as_json))


@approvals.command("show")
@click.argument("digest")
@config
@as_json
@plainly
def approvals_show(digest: str, config: Path | None, as_json: bool) -> None:
    """Show one card: exactly what would run, its rehearsed effect, why, risk, undo, check afterwards, expiry."""
    from agent.commands import show_proposal

    sys.exit(show_proposal(settings(config), digest, as_json))


person = click.option(
    "--as", "person", metavar="NAME", help="Who decides; the operating-system user must be allowed to."
)
reason = click.option("--reason", default="", help="Why; stands in the record.")


@approvals.command("approve")
@click.argument("digest")
@person
@reason
@click.option("--yes", is_flag=True, help="Do not ask again.")
@config
@as_json
@plainly
def approvals_approve(
    digest: str, person: str | None, reason: str, yes: bool, config: Path | None, as_json: bool
) -> None:
    """Countersign a proposal: it is signed by the approvals process, runs once, and is verified."""
    from agent.commands import decide

    sys.exit(decide(settings(config), digest, "approve", person, reason, yes, as_json))


@approvals.command("reject")
@click.argument("digest")
@person
@reason
@config
@as_json
@plainly
def approvals_reject(digest: str, person: str | None, reason: str, config: Path | None, as_json: bool) -> None:
    """Reject a proposal; nothing is changed."""
    from agent.commands import decide

    sys.exit(decide(settings(config), digest, "reject", person, reason, True, as_json))


@main.group()
def audit() -> None:
    """Check and read the journal."""


@audit.command("verify")
@click.option(
    "--head", metavar="SEQ:HASH", help="An anchor kept elsewhere (it stands in every note): shows truncation."
)
@config
@as_json
@plainly
def audit_verify(head: str | None, config: Path | None, as_json: bool) -> None:
    """Recompute the journal's hash chain; exit code 1 and the first broken entry when it does not hold."""
    from agent.commands import verify_journal

    sys.exit(verify_journal(settings(config), head, as_json))


@audit.command("show")
@click.option("--incident", metavar="ID", help="One incident alone.")
@config
@as_json
@plainly
def audit_show(incident: str | None, config: Path | None, as_json: bool) -> None:
    """Print the journal."""
    from agent.commands import show_journal

    sys.exit(show_journal(settings(config), incident, as_json))


@main.group()
def keys() -> None:
    """API keys: for scripts of a person, and for machines."""


@keys.command("create")
@click.option("--for", "person", default="", metavar="PERSON", help="Whose key it is, by the name in the inventory.")
@click.option("--machine", default="", metavar="NAME", help="The machine whose key it is; such a key decides nothing.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["read", "ask", "decide", "stop", "audit", "metrics"]),
    help="What it may; say it again for more.",
)
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="How long it is good.")
@config
@as_json
@plainly
def keys_create(
    person: str, machine: str, scopes: tuple[str, ...], days: int, config: Path | None, as_json: bool
) -> None:
    """Make an API key and print it: once, it is stored nowhere."""
    from agent.commands import create_key

    sys.exit(create_key(settings(config), person, machine, scopes, days, as_json))


@keys.command("list")
@config
@as_json
@plainly
def keys_list(config: Path | None, as_json: bool) -> None:
    """List the API keys: whose they are, what they may, until when, and when each was last used."""
    from agent.commands import list_keys

    sys.exit(list_keys(settings(config), as_json))


@keys.command("revoke")
@click.argument("number", metavar="ID")
@config
@as_json
@plainly
def keys_revoke(number: str, config: Path | None, as_json: bool) -> None:
    """Revoke an API key by its ID, which stands in `keys list` and in the key itself: csk_ID_…"""
    from agent.commands import revoke_key

    sys.exit(revoke_key(settings(config), number, as_json))


@main.group()
def mcp() -> None:
    """The tools of the MCP servers."""


@mcp.command("pin")
@config
@plainly
def mcp_pin(config: Path | None) -> None:
    """Pin the tool definitions of the three servers as they are now, after you have reviewed them."""
    from agent.commands import pin_tools

    sys.exit(pin_tools(settings(config)))


@main.command()
@config
@as_json
@plainly
def doctor(config: Path | None, as_json: bool) -> None:
    """Say what is configured, reachable and missing, and how to mend it."""
    from agent.doctor import examine

    sys.exit(examine(settings(config, needed=False), as_json))


def settings(explicit: Path | None, needed: bool = True) -> Any:
    """Return the settings to use; where none are needed and none are there, those of the built-in pages alone."""
    from agent import settings as rules
    from agent.core.errors import CountersignError
    from agent.places import running_demo

    found = rules.find(explicit) or running_demo()
    if found is not None:
        return rules.load(found)
    if needed:
        raise CountersignError(
            "there is no countersign.toml here and no demo is running. Start `countersign demo` in "
            "another terminal, or name a configuration with --config FILE"
        )
    return rules.pages_only()


if __name__ == "__main__":
    main()
