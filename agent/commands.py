"""What the commands do once their arguments are known. Each returns the exit code."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.display import one_line
from agent.core.errors import CountersignError, Refused
from agent.core.lifecycle import Decision, State
from agent.settings import Settings
from agent.terminal import Terminal, card, shown

if TYPE_CHECKING:
    from agent.api.identity.store import Key, Store
    from agent.journal.store import Journal

DONE, NOT_WELL, WAITS = 0, 1, 3
BEGUN = {State.APPROVED, State.EXECUTING, State.EXECUTED}


def ask(settings: Settings, text: str, ticket: str | None, service: str, person: str | None, as_json: bool) -> int:
    """Work on a question or a ticket; stop at the card when a proposal waits."""
    terminal = Terminal(as_json)

    async def run() -> int:
        from agent.app import open_app

        async with open_app(settings, terminal.show) as app:
            incident = await (app.take_ticket(ticket) if ticket else app.take_question(text, service, person or _me()))
            journal = app.context.journal
            stored = journal.current(incident.id)
            if not ticket and stored is None:
                notes = [
                    json.loads(one.data)["text"] for one in journal.entries(incident.id) if one.event == "note_due"
                ]
                terminal.quote(incident.id, notes[-1] if notes else "")
            if stored is not None and stored.state is State.AWAITING:
                terminal.say(f"It waits for a person: countersign approvals approve {stored.digest[7:19]} --as NAME")
                return WAITS
            if stored is not None:
                terminal.ended(str(stored.state))
            return DONE

    return asyncio.run(run())


def list_proposals(settings: Settings, everything: bool, as_json: bool) -> int:
    """List what waits, or all."""
    journal = _journal(settings)
    journal.expire(_now())
    Terminal(as_json).proposals(journal.proposals(state=None if everything else State.AWAITING))
    return DONE


def show_proposal(settings: Settings, digest: str, as_json: bool) -> int:
    """Show one card from the stored proposal."""
    stored, terminal = _journal(settings).proposal(digest), Terminal(as_json)
    if as_json:
        terminal.line(shown(stored))
    else:
        terminal.console.print(card(stored.proposal, stored.digest, stored.card, str(stored.state)))
        if stored.approver:
            terminal.say(
                f"{stored.state} by {stored.approver} at {stored.decided_at}"
                + (f": {stored.reason}" if stored.reason else "")
            )
    return DONE


def decide(
    settings: Settings, digest: str, decision: Decision, person: str | None, reason: str, yes: bool, as_json: bool
) -> int:
    """Send a decision to the approvals process; after a yes, run the fix and show what came of it."""
    from agent.approvals.client import ask as send

    terminal = Terminal(as_json)
    stored = _journal(settings).proposal(digest)
    who = person or _me()
    if decision == "approve" and not yes:
        if as_json or not sys.stdin.isatty():
            raise CountersignError("there is nobody to ask; add --yes when you have read the card")
        terminal.console.print(card(stored.proposal, stored.digest, stored.card, str(stored.state)))
        terminal.console.print(f"Countersign exactly this as {who}? Type `approve`: ", end="")
        if sys.stdin.readline().strip() != "approve":
            terminal.say("Left as it is.")
            return WAITS

    async def run() -> int:
        from agent.app import open_app

        if decision == "approve" and stored.state in BEGUN:
            terminal.say(f"It was approved by {stored.approver} before; going on with it.")
        else:
            await send(settings.socket, stored.digest, decision, who, reason, "cli")
        async with open_app(settings, terminal.show) as app:
            await app.resume(stored.incident)
            after = app.context.journal.proposal(stored.digest)
        if as_json:
            terminal.line(shown(after))
        terminal.ended(str(after.state)) if not as_json else None
        return DONE if after.state in {State.VERIFIED, State.REJECTED} else NOT_WELL

    return asyncio.run(run())


def resume(settings: Settings, incident: str | None, as_json: bool) -> int:
    """Go on with what was begun and broken off: one incident, or all that are not at their end."""
    terminal = Terminal(as_json)

    async def run() -> int:
        from agent.app import open_app

        code = DONE
        async with open_app(settings, terminal.show) as app:
            await app.settle()
            wanted = [app.context.journal.incident(incident)] if incident else app.unfinished()
            if not wanted:
                terminal.say("Nothing was broken off.")
            for one in wanted:
                try:
                    after = await app.resume(one.id)
                except CountersignError as error:
                    terminal.say(f"{one.id}: {error}", "red")
                    code = NOT_WELL
                    continue
                terminal.say(f"{one.id}: {after.state.replace('_', ' ')}")
                code = max(code, WAITS if after.state == "awaiting_approval" else DONE)
        return code

    return asyncio.run(run())


def verify_journal(settings: Settings, anchor: str | None, as_json: bool) -> int:
    """Recompute the chain; with an anchor, also find out whether the tail was cut off."""
    terminal, journal = Terminal(as_json), _journal(settings)
    head, count, broken = journal.verify()
    why = f"entry {broken.seq}: {broken.why}" if broken else ""
    if anchor and not broken:
        number, _, wanted = anchor.partition(":")
        if not number.isdigit() or len(wanted) < 8:
            raise CountersignError("an anchor looks like 41:9f86d081…; it stands in each note as `Journal at`")
        known = {entry.seq: entry.hash for entry in journal.entries()} | {0: "0" * 64}
        if not known.get(int(number), "").startswith(wanted):
            why = f"the anchor names entry {number}, and the journal " + (
                "ends before it: its tail is missing" if int(number) > count else "has another one there"
            )
    why = why or "; ".join(journal.disagreements()) or _servers_journal(settings)
    if as_json:
        terminal.line({"ok": not why, "entries": count, "head": f"{count}:{head}", "why": why})
    elif why:
        terminal.say(
            f"The journal does not hold: {why}. Keep the file as it is and tell whoever answers for it.", "red"
        )
    else:
        terminal.say(f"The journal is whole: {count} entries, head {count}:{head}", "green")
    return NOT_WELL if why else DONE


def _servers_journal(settings: Settings) -> str:
    """Return what is wrong with the remediation server's own journal, in its own words; nothing if it is whole."""
    file = settings.state / "remediation.db"
    if not file.exists():
        return ""
    command = [sys.executable, "-m", "mcp_servers.remediation", "--journal", str(file), "--verify"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return f"the remediation server's journal could not be checked: {one_line(done.stderr, 200)}"
    return "" if answer["ok"] else f"the remediation server's journal: {answer['why']}"


def show_journal(settings: Settings, incident: str | None, as_json: bool) -> int:
    """Print the journal's entries in order."""
    terminal = Terminal(as_json)
    entries = _journal(settings).entries(incident)
    if not entries:
        terminal.say("The journal is empty." if incident is None else f"The journal has nothing about {incident}.")
    for one in entries:
        if as_json:
            terminal.line({**vars(one), "data": json.loads(one.data)})
        else:
            terminal.say(
                f"{one.seq:>5}  {one.at}  {one.incident:<9} {one.event:<24} {one.actor:<22} {one_line(one.data, 90)}"
            )
    return DONE


def search_pages(settings: Settings, query: str, limit: int, as_json: bool) -> int:
    """Search the pages and show the best passages."""
    from agent.app import open_pages

    terminal = Terminal(as_json)
    knowledge = open_pages(settings, terminal.show)
    try:
        result = knowledge.search(query, limit)
    finally:
        knowledge.close()
    if as_json:
        for hit in result.hits:
            terminal.line(
                {
                    "page": hit.page,
                    "title": hit.title,
                    "relevant": hit.relevant,
                    "score": round(hit.score, 4),
                    "digest": hit.digest,
                    "path": str(hit.path),
                    "explanation": str(hit.explanation),
                    "passages": [
                        {"heading": one.heading, "digest": one.digest, "text": one.text} for one in hit.passages
                    ],
                }
            )
        return DONE
    if not any(hit.relevant for hit in result.hits):
        terminal.say("No page fits this." + (" The nearest are:" if result.hits else ""), "bold")
    for hit in result.hits:
        terminal.say(
            f"{hit.page}  {hit.title}  {hit.score:.2f}{'' if hit.relevant else '  (does not fit)'}",
            "bold" if hit.relevant else "dim",
        )
        if hit.passages and hit.relevant:
            terminal.say(f"    {one_line(hit.passages[0].heading)}: {one_line(hit.passages[0].text, 220)}", "dim")
    return DONE


def lint_pages(folders: Iterable[Path], as_json: bool) -> int:
    """Check pages against the pinned tools and the catalogue; exit code 1 when something is wrong."""
    terminal = Terminal(as_json)
    problems = page_problems(folders)
    for one in problems:
        if as_json:
            terminal.line({"path": str(one.path), "line": one.line, "level": one.level, "message": one.message})
        else:
            terminal.say(str(one), "red" if one.level == "error" else "yellow")
    errors = sum(one.level == "error" for one in problems)
    terminal.say(f"{errors} errors, {len(problems) - errors} warnings.") if not as_json else None
    return NOT_WELL if errors else DONE


def add_pages(settings: Settings, paths: Sequence[Path], replace: bool) -> int:
    """Check Markdown pages and copy them into the last knowledge folder."""
    from agent.app import open_pages

    terminal, folder = Terminal(), settings.pages[-1]
    files = [file for path in paths for file in (sorted(path.rglob("*.md")) if path.is_dir() else [path])]
    if not files:
        raise CountersignError("there is no Markdown page (*.md) in what you named")
    for file in files:
        if file.suffix != ".md":
            raise CountersignError(f"{file} is not a Markdown page (*.md)")
        if (folder / file.name).exists() and not replace:
            raise CountersignError(f"{folder / file.name} is there already; --replace takes its place")
    bad = [
        one
        for one in page_problems(sorted({file.parent for file in files}))
        if one.level == "error" and one.path in files
    ]
    if bad:
        for one in bad:
            terminal.say(str(one), "red")
        raise CountersignError("nothing was added; mend the errors above and try again")
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)
    knowledge = open_pages(settings, terminal.show)
    try:
        terminal.say(f"{len(files)} added to {folder}; the knowledge base has {len(knowledge.documents)} pages.")
    finally:
        knowledge.close()
    return DONE


def create_key(settings: Settings, person: str, machine: str, scopes: Sequence[str], days: int, as_json: bool) -> int:
    """Make an API key and show it, for the only time."""
    from agent.api.identity import keys

    terminal = Terminal(as_json)
    with _identity(settings) as store:
        text, key = keys.create(store, person, machine, scopes, days)
    if as_json:
        terminal.line({"key": text, **_shown_key(key)})
    else:
        print(text)
        terminal.say(
            f"For {key.holder}, may {', '.join(sorted(key.scopes))}, until {key.expires_at}. It is stored nowhere: "
            f"copy it now. It goes into a header, `Authorization: Bearer csk_…`. "
            f"To end it: countersign keys revoke {key.id}"
        )
    return DONE


def list_keys(settings: Settings, as_json: bool) -> int:
    """List the API keys."""
    terminal = Terminal(as_json)
    with _identity(settings) as store:
        found = store.keys()
    if not found:
        terminal.say("There are no API keys. `countersign keys create` makes one.")
    for one in found:
        if as_json:
            terminal.line(_shown_key(one))
            continue
        ends = f"revoked {one.revoked_at}" if one.revoked_at else f"until {one.expires_at}"
        used = f"last used {one.last_used}" if one.last_used else "never used"
        terminal.say(f"{one.id}  {one.holder:<24} {' '.join(sorted(one.scopes)):<24} {ends}  {used}")
    return DONE


def revoke_key(settings: Settings, number: str, as_json: bool) -> int:
    """Revoke an API key."""
    terminal = Terminal(as_json)
    number = number.removeprefix("csk_").partition("_")[0]
    with _identity(settings) as store:
        key = store.revoke_key(number)
    if as_json:
        terminal.line(_shown_key(key))
    else:
        terminal.say(f"The key {key.id} of {key.holder} is revoked since {key.revoked_at}.")
    return DONE


@contextmanager
def _identity(settings: Settings) -> Iterator[Store]:
    from agent.api.identity.store import Store

    store = Store(settings.state / "identity.db")
    try:
        yield store
    finally:
        store.close()


def _shown_key(key: Key) -> dict[str, Any]:
    return {**vars(key), "scopes": sorted(key.scopes)}


def pin_tools(settings: Settings) -> int:
    """Write down the tool definitions and the catalogue of the three servers as they are now."""
    from agent.gateway import pins
    from agent.gateway.server import definitions, specs

    async def run() -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, Any]]]:
        settings.state.mkdir(parents=True, exist_ok=True)
        tools: dict[str, list[dict[str, Any]]] = {}
        actions: list[dict[str, Any]] = []
        for name in ("tickets", "diagnostics", "remediation"):
            spec = specs(settings.command(name), name, settings.state, {}, settings.remote.get(name))
            tools[name], answer = await definitions(spec, "list_actions" if name == "remediation" else "")
            actions = answer.get("actions", actions)
        return tools, actions

    tools, actions = asyncio.run(run())
    pins.write(tools, actions)
    for name, pinned in tools.items():
        print(f"{name}: {len(pinned)} tools, {pins.set_digest(pinned)}")
    print(f"catalogue: {', '.join(one['id'] for one in actions)}")
    return DONE


def page_problems(folders: Iterable[Path]) -> list[Any]:
    """Return what is wrong with the pages, held against the pinned tools and actions."""
    from agent.gateway.pins import pinned, pinned_actions
    from knowledge.lint import ActionShape, ToolShape, lint

    tools = {one["name"]: ToolShape(one["inputSchema"], one["outputSchema"]) for one in pinned()["diagnostics"]}
    actions = {one["id"]: ActionShape(one["params_schema"]) for one in pinned_actions()}
    return list(lint(list(folders), tools, actions))


def _journal(settings: Settings) -> Journal:
    from agent.journal.store import Journal

    if not settings.journal.exists():
        raise Refused("no_journal", f"there is no journal at {settings.journal} yet; nothing has been asked so far")
    return Journal(settings.journal)


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without an account, as in many containers
        return f"uid-{os.getuid()}"


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
