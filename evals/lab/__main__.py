"""`python -m evals.lab`: bring the lab up, look at it, break it, mend it, bring it down."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from evals.lab.errors import LabError
from evals.lab.estate import Estate, Role, load_estate
from evals.lab.faults import FAULTS, HEALTHY, fault, ticket
from evals.lab.lab import Lab

_DIR = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    envvar="COUNTERSIGN_LAB_DIR",
    show_envvar=True,
    help="The lab's directory; everything it writes stands there.",
)
_FAULT = click.argument("name", metavar="FAULT", type=click.Choice(list(FAULTS)))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """A small estate of real services on this machine, and ways to break it."""


@cli.command()
@_DIR
@click.option("--estate", type=click.Path(path_type=Path), help="Another estate file (names and ports).")
@click.option(
    "--idle-minutes", type=float, default=10, show_default=True, help="End when nobody uses the lab for so long."
)
def up(directory: Path, estate: Path | None, idle_minutes: float) -> None:
    """Start the estate, and leave it running."""
    lab = Lab.start(directory, estate, idle_minutes=idle_minutes, on_progress=lambda text: click.echo(text, err=True))
    click.echo(f"{lab.front.title}: {lab.layout.url(Role.FRONT)} (authority: {lab.layout.ca_file})")
    click.echo(f"inventory: {lab.inventory}")
    lab.detach()


@cli.command()
@_DIR
@click.option("--remove", is_flag=True, help="Delete the lab's files too.")
@click.option("--force", is_flag=True, help="Also when another process is using the lab.")
def down(directory: Path, remove: bool, force: bool) -> None:
    """Stop every process of the estate."""
    Lab.attach(directory, own=not force).stop(remove=remove)
    click.echo("down")


@cli.command()
@_DIR
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(directory: Path, as_json: bool) -> None:
    """Say what runs. Exit code 1 when the front does not serve."""
    lab = Lab.attach(directory, own=False)
    healthy = lab.healthy()
    services = [
        {"service": service.name, "role": role.value, "port": service.port, "state": lab.state(role).state}
        for role, service in lab.layout.services.items()
    ]
    if as_json:
        click.echo(json.dumps({"serves": healthy, "services": services}))
    else:
        for line in services:
            click.echo(f"{line['service']:<24} {line['role']:<12} {line['port']:>5}  {line['state']}")
        click.echo("serves" if healthy else "does not serve")
    sys.exit(0 if healthy else 1)


@cli.command("break")
@_DIR
@_FAULT
@click.option(
    "--variant", type=click.IntRange(min=0), default=0, help="Which form of the fault, where there are several."
)
def break_(directory: Path, name: str, variant: int) -> None:
    """Break the estate."""
    fault(name).inject(Lab.attach(directory, own=False), variant)
    click.echo(f"broken: {fault(name).summary}")


@cli.command()
@_DIR
@_FAULT
def mend(directory: Path, name: str) -> None:
    """Undo a fault."""
    fault(name).undo(Lab.attach(directory, own=False))
    click.echo("mended")


@cli.command()
@_DIR
@_FAULT
def oracle(directory: Path, name: str) -> None:
    """Look at the estate as its users do. Exit code 1 when they cannot work."""
    seen = fault(name).oracle(Lab.attach(directory, own=False))
    click.echo(f"{'works' if seen.ok else 'does not work'}: {seen.says}")
    sys.exit(0 if seen.ok else 1)


@cli.command()
@_DIR
def reset(directory: Path) -> None:
    """Make the estate what it was when it started."""
    Lab.attach(directory, own=False).reset()
    click.echo("as at the start")


@cli.command()
@click.option("--estate", "estate_file", type=click.Path(path_type=Path), help="Another estate file.")
@click.option("--dir", "directory", type=click.Path(path_type=Path), help="Take the estate of the lab running there.")
def tickets(estate_file: Path | None, directory: Path | None) -> None:
    """Print the ticket texts of every fault, and of none, one JSON object a line."""
    estate: Estate = Lab.attach(directory, own=False).estate if directory else load_estate(*filter(None, [estate_file]))
    for name in (*FAULTS, HEALTHY):
        seen = set()
        variant = 0
        while (text := ticket(name, estate, variant)) not in seen:
            seen.add(text)
            click.echo(json.dumps({"fault": name, "variant": variant, **vars(text)}, ensure_ascii=False))
            variant += 1


def main() -> None:
    """Run the command line; what is wrong with the lab is said in one sentence, with exit code 2."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except LabError as error:
        click.echo(f"lab: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
