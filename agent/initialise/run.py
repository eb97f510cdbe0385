"""`countersign init` from the first question to the doctor."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agent import settings as rules
from agent.initialise import files
from agent.initialise.answers import Answers, Layout
from agent.initialise.questions import Asking, Given, ask
from agent.terminal import Terminal


def run(directory: Path, layout: Layout, given: Given, yes: bool, force: bool) -> int:
    """Ask, write, look at the result, and say what comes next; return the exit code."""
    terminal = Terminal()
    if not force:
        files.refuse_to_overwrite(directory, layout)
    answers = ask(Asking(given, yes), directory, layout, terminal.say)
    directory.mkdir(parents=True, exist_ok=True)
    answers = replace(answers, directory=directory.resolve())
    terminal.say("Written:", "bold")
    for line in files.write(answers):
        terminal.say(f"  {line}")
    if layout == "compose":
        _say_how_to_compose(terminal, answers)
        return 0
    from agent.doctor import examine

    terminal.say("The doctor looks at it:", "bold")
    examine(rules.load(answers.directory / rules.NAME), as_json=False)
    here = answers.directory == Path.cwd().resolve()
    terminal.say(f"Next: countersign serve{'' if here else f' --config {answers.directory / rules.NAME}'}", "bold")
    return 0


def _say_how_to_compose(terminal: Terminal, answers: Answers) -> None:
    terminal.say("Next, where compose.yaml stands (docs/install.md says what the containers can reach):", "bold")
    user = answers.directory.stat()
    settings = {"DIR": answers.directory, "PORT": answers.port, "UID": user.st_uid, "GID": user.st_gid}
    terminal.say(f"  export {' '.join(f'COUNTERSIGN_{name}={value}' for name, value in settings.items())}")
    terminal.say("  docker compose up --build --detach --wait && docker compose exec api countersign doctor")
