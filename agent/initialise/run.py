"""`countersign init` from the first question to the doctor.

What it says is not wrapped: paths, addresses and commands are there to be copied.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from agent import settings as rules
from agent.initialise import files
from agent.initialise.answers import Answers, Layout
from agent.initialise.questions import Asking, Given, ask


def run(directory: Path, layout: Layout, given: Given, yes: bool, force: bool) -> int:
    """Ask, write, look at the result, and say what comes next; return the exit code."""
    if not force:
        files.refuse_to_overwrite(directory, layout)
    answers = ask(Asking(given, yes), directory, layout, click.echo)
    directory.mkdir(parents=True, exist_ok=True)
    answers = replace(answers, directory=directory.resolve())
    click.echo("\nWritten:")
    for line in files.write(answers):
        click.echo(f"  {line}")
    if layout == "compose":
        _say_how_to_compose(answers)
        return 0
    from agent.doctor import examine

    click.echo("\nThe doctor looks at it:")
    examine(rules.load(answers.directory / rules.NAME), as_json=False)
    here = answers.directory == Path.cwd().resolve()
    click.echo(f"\nNext: countersign serve{'' if here else f' --config {answers.directory / rules.NAME}'}")
    return 0


def _say_how_to_compose(answers: Answers) -> None:
    click.echo("\nNext, where compose.yaml stands (docs/install.md says what the containers can reach):")
    user = answers.directory.stat()
    settings = {"DIR": answers.directory, "PORT": answers.port, "UID": user.st_uid, "GID": user.st_gid}
    click.echo(f"  export {' '.join(f'COUNTERSIGN_{name}={value}' for name, value in settings.items())}")
    click.echo("  docker compose up --build --detach --wait && docker compose exec api countersign doctor")
