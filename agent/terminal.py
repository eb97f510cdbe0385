"""What a person sees in a terminal: each check as it runs, each source as it is found, and the card.

Everything that others wrote arrives here inert and is added as plain text, never as markup.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from agent.core.display import inert, one_line
from agent.core.event import Event
from agent.core.lifecycle import State
from agent.core.note import expectation_in_words, undo_in_words
from agent.core.proposal import Proposal

if TYPE_CHECKING:
    from agent.journal.store import StoredProposal

RISK_STYLE = {"low": "green", "medium": "yellow", "high": "red"}
GOOD, BAD, DIM = "green", "red", "dim"
ENDS = {
    "verified": (GOOD, "The fix is verified: looked at from outside, the service answers as it should."),
    "not_verified": (BAD, "The fix ran, and the service still does not answer as it should."),
    "inconclusive": ("yellow", "The fix ran; whether it helped could not be checked."),
    "failed": (BAD, "The fix failed."),
    "stale": (BAD, "The fix was not run: the remediation server refused it."),
    "unknown": (BAD, "It is not known whether the fix ran. It will not be run again by itself; please look."),
    "rejected": ("yellow", "Rejected. Nothing was changed."),
    "expired": ("yellow", "Nobody decided in time. Nothing was changed."),
}


class _Patient:
    """Standard output whose reader may leave (`| head`): what watches the work must not stop it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except BrokenPipeError:
            self._nobody_reads()
            return len(text)

    def flush(self) -> None:
        try:
            self._file.flush()
        except BrokenPipeError:
            self._nobody_reads()

    def _nobody_reads(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._file.fileno())
        os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Terminal:
    """Shows events as they come: as text for a person, or as JSON lines for a program."""

    def __init__(self, as_json: bool = False, file: TextIO | None = None) -> None:
        self.as_json = as_json
        self.console = Console(
            file=cast(TextIO, _Patient(file or sys.stdout)), highlight=False, soft_wrap=False, emoji=False
        )

    def address(self, name: str, url: str, says: str) -> None:
        """Print an address on a line of its own, whole, so that it can be clicked and copied."""
        self.console.print(Text.assemble((f"  {name}: ", "bold"), (says, DIM)))
        self.console.print(Text(f"  {url}", style="cyan"), soft_wrap=True)

    def show(self, event: Event) -> None:
        """Show one event of the path."""
        if self.as_json:
            self.line({"event": event.kind, **event.data})
            return
        drawer = getattr(self, f"_{event.kind}", None)
        if drawer is not None:
            drawer(event.data)

    def line(self, data: Mapping[str, Any]) -> None:
        """Print one JSON object on a line."""
        self.console.file.write(json.dumps(data, ensure_ascii=False, default=str) + "\n")
        self.console.file.flush()

    def say(self, text: str, style: str = "") -> None:
        """Print a plain sentence; in JSON mode as a message."""
        if self.as_json:
            self.line({"event": "message", "says": text})
        else:
            self.console.print(Text(text, style=style))

    def heading(self, text: str) -> None:
        """Begin a new part of the story."""
        if not self.as_json:
            self.console.print()
            self.console.print(Rule(Text(text, style="bold"), align="left", style=DIM))

    def quote(self, title: str, text: str) -> None:
        """Show what somebody wrote, set apart."""
        if not self.as_json:
            self.console.print(
                Panel(
                    Text(inert(text, 4000).strip()), title=Text(one_line(title)), title_align="left", border_style=DIM
                )
            )

    def _row(self, mark: str, style: str, *parts: tuple[str, str] | str) -> None:
        self.console.print(Padding(Text.assemble((f"{mark} ", style), *parts, overflow="fold"), (0, 0, 0, 2)))

    def _step(self, data: Mapping[str, Any]) -> None:
        self.console.print(Text(f"{data['says']} …", style="bold"))

    def _service(self, data: Mapping[str, Any]) -> None:
        needs = ", ".join(data["scope"][1:])
        self._row(
            "•",
            DIM,
            (data["name"], "bold"),
            f" ({data['title']}), owned by {data['owner']}" + (f", depends on {needs}" if needs else ""),
        )

    def _source(self, data: Mapping[str, Any]) -> None:
        self._row(
            "§",
            "cyan",
            (str(data["page"]), "bold"),
            f" {data['title']} ",
            (f"fits {data['score']:.2f}{', executable' if data['executable'] else ''}", DIM),
        )

    def _similar(self, data: Mapping[str, Any]) -> None:
        self._row(
            "≈",
            "cyan",
            (str(data["ticket"]), "bold"),
            f" {data['subject']} ",
            (f"solved {str(data['solved_at'])[:10]}: {data['solution']}", DIM),
        )

    def _check(self, data: Mapping[str, Any]) -> None:
        mark, style = ("✓", GOOD) if data["made"] else ("?", "yellow")
        self._row(
            mark,
            style,
            f"{data['id']:<4}{data['tool']} ",
            (str(data["args"].get("service", "")), "bold"),
            f"  {one_line(data['says'], 160)} ",
            (f"{data['took_ms']} ms", DIM),
        )

    def _diagnosis(self, data: Mapping[str, Any]) -> None:
        self.heading("What it comes to")
        self.console.print(Text(data["says"], style="bold"))
        for number, cause in enumerate(data["causes"], 1):
            confirmed = cause["truth"] == "true"
            self._row(
                f"{number}.",
                GOOD if confirmed else "yellow",
                cause["says"],
                (
                    f"  {'confirmed' if confirmed else 'possible'}; {cause['page']}; "
                    f"{', '.join(cause['evidence']) or 'no evidence'}",
                    DIM,
                ),
            )
            for what in cause["decided_by"]:
                self._row("  would decide:", DIM, one_line(what, 200))
        if data["ruled_out"]:
            self._row("-", DIM, (f"{data['ruled_out']} other causes ruled out by what was measured", DIM))

    def _warning(self, data: Mapping[str, Any]) -> None:
        self._row("!", "yellow", one_line(str(data["says"]), 400))

    def _state(self, data: Mapping[str, Any]) -> None:
        if data["state"] == "executing":
            self.heading("Countersigned: running exactly that")
            self._row("▶", "cyan", data["says"])
        elif data["says"]:
            self._row("•", DIM, one_line(data["says"], 400))

    def _verify(self, data: Mapping[str, Any]) -> None:
        mark, style = ("✓", GOOD) if data["ok"] else ("✗", BAD) if data["known"] else ("?", "yellow")
        self._row(mark, style, f"{data['tool']} ", (data["service"], "bold"), f"  {one_line(data['says'], 160)}")

    def _card(self, data: Mapping[str, Any]) -> None:
        proposal = Proposal.model_validate(data["proposal"])
        self.console.print()
        self.console.print(card(proposal, data["digest"], data["beside"]))

    def ended(self, state: str) -> None:
        """Say how an incident ended."""
        style, text = ENDS.get(state, ("", ""))
        if text:
            self.say(text, f"bold {style}")

    def proposals(self, stored: list[StoredProposal]) -> None:
        """List proposals, or say that none waits."""
        if self.as_json:
            for one in stored:
                self.line(shown(one))
            return
        if not stored:
            self.say("Nothing waits for approval.")
            return
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for column in ("proposal", "incident", "action", "risk", "state", "decided by", "expires"):
            table.add_column(column, no_wrap=column == "proposal")
        for one in stored:
            proposal = one.proposal
            table.add_row(
                one.digest[7:19],
                one.incident,
                f"{proposal.action} on {proposal.target}",
                Text(proposal.risk, style=RISK_STYLE[proposal.risk]),
                str(one.state),
                one.approver or "-",
                until(one.expires_at) if one.state is State.AWAITING else one.expires_at,
            )
        self.console.print(table)


def shown(one: StoredProposal) -> dict[str, Any]:
    """Return a stored proposal as JSON, without its grant."""
    return {
        "digest": one.digest,
        "incident": one.incident,
        "state": str(one.state),
        "approver": one.approver,
        "reason": one.reason,
        "decided_at": one.decided_at,
        "proposal": one.proposal.to_json(),
        "card": one.card,
        "outcome": one.outcome,
    }


def until(expires_at: str) -> str:
    """Say when something expires, in local time and in minutes from now."""
    moment = datetime.strptime(expires_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    minutes = round((moment - datetime.now(UTC)).total_seconds() / 60)
    local = moment.astimezone()
    return f"{local:%H:%M %Z} (in {minutes} min)" if minutes > 0 else f"{local:%Y-%m-%d %H:%M %Z} (expired)"


def card(proposal: Proposal, digest: str, beside: Mapping[str, Any], state: str = "") -> Panel:
    """Draw the card. What will run comes from the frozen proposal alone; prose and evidence stand apart, below."""
    parts: list[Any] = [_exact(proposal, digest), Text("")]
    if beside.get("diff"):
        shown = Text("the rehearsed change, as the remediation server showed it", style=DIM)
        parts += [Rule(shown, align="left", style=DIM), _diff(str(beside["diff"])), Text("")]
    parts += [Rule(Text("why, in the assistant's words", style=DIM), align="left", style=DIM), _why(beside)]
    title = f"Proposed fix for {proposal.incident}" + (f": {state}" if state else "")
    return Panel(
        Group(*parts),
        title=Text(title, style="bold"),
        title_align="left",
        padding=(1, 2),
        border_style=RISK_STYLE[proposal.risk],
    )


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=DIM, no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _exact(proposal: Proposal, digest: str) -> Table:
    """What will run, and nothing else: every line from the bytes that are hashed."""
    grid = _grid()
    grid.add_row("action", Text.assemble((proposal.action, "bold"), " on ", (proposal.target, "bold")))
    for key, value in proposal.params.items():
        grid.add_row(f"  {key}", Text(str(value)))
    grid.add_row("risk", Text(proposal.risk, style=f"bold {RISK_STYLE[proposal.risk]}"))
    grid.add_row("only if", Text(proposal.precondition))
    for name, value in effect_in_words(proposal):
        grid.add_row(name, Text(value))
    grid.add_row("undo", Text(undo_in_words(proposal)))
    for what in expectation_in_words(proposal):
        grid.add_row("checked after", Text(what))
    grid.add_row("expires", Text(until(proposal.expires_at)))
    grid.add_row("fingerprint", Text(digest))
    return grid


def effect_in_words(proposal: Proposal) -> list[tuple[str, str]]:
    """Say what changes, and what must be as it is for that, as rows of name and value."""
    before, after = proposal.effect.before, proposal.effect.after
    changed = [key for key in dict.fromkeys((*before, *after)) if key in after and before.get(key) != after[key]]
    rows = [(f"changes {key}", f"{before.get(key, '-')}  →  {after[key]}") for key in changed]
    return rows + [(f"while {key}", f"is {str(before[key]).lower()}") for key in before if key not in changed]


def _why(beside: Mapping[str, Any]) -> Table:
    grid = _grid()
    grid.add_row("why", Text(f"{beside.get('why', '')} ({beside.get('standing', '')})"))
    grid.add_row("page", Text(f"{beside.get('page', '')} {beside.get('title', '')}"))
    for name, key in (("seen", "evidence"), ("also", "other_causes"), ("not known", "missing")):
        for one in beside.get(key, ()):
            grid.add_row(name, Text(one_line(str(one), 200)))
    grid.add_row("may approve", Text(", ".join(beside.get("may_approve", [])) or "nobody in the inventory"))
    return grid


def _diff(text: str) -> Text:
    drawn = Text()
    for line in text.rstrip("\n").split("\n"):
        style = GOOD if line.startswith("+") else BAD if line.startswith("-") else DIM
        drawn.append(line + "\n", style=style)
    drawn.rstrip()
    return drawn
