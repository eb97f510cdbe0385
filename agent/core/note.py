"""The note on the ticket, as text: for an engineer who has ten seconds, with everything behind it for one who has more.

Links carry no power. Text from elsewhere was made inert before it comes here; secrets are masked here once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.core.display import one_line, redact
from agent.core.evidence import Observation, summary
from agent.core.proposal import Proposal
from agent.core.verdict import Diagnosis, Outcome, Truth

MARK = "Countersign"


@dataclass(frozen=True)
class Facts:
    """What an incident came to, ready to be told."""

    incident: str
    service: str
    diagnosis: Diagnosis
    observations: tuple[Observation, ...]
    sources: tuple[Mapping[str, Any], ...]
    similar: tuple[Mapping[str, Any], ...]
    missing: tuple[str, ...]
    head: str
    """Sequence and hash of the journal's last entry: an anchor outside the journal."""
    origin: str = ""
    """Where the approval pages are; empty where nothing is served."""


def suggestion_note(facts: Facts, proposal: Proposal | None, digest: str, beside: Mapping[str, Any]) -> str:
    """Return the first note: what is likely, on what evidence, what is proposed or why nothing is."""
    diagnosis = facts.diagnosis
    lines = [f"[{MARK} {facts.incident}] {diagnosis.says}", ""]
    lines += _causes(diagnosis)
    if proposal is not None:
        lines += ["Proposed fix (nothing has been changed):", *_proposal(proposal, digest, beside, facts.origin), ""]
    lines += _by_hand(diagnosis, facts, proposal)
    lines += _looked_at(facts)
    if facts.sources and any(source["relevant"] for source in facts.sources):
        lines += ["Sources:"]
        lines += [
            f"- {source['page']} {source['title']} (content {source['digest'][:19]})"
            for source in facts.sources
            if source["relevant"]
        ] + [""]
    if facts.similar:
        lines += ["Similar solved tickets:"]
        lines += [
            f"- {one['ticket']} ({str(one['solved_at'])[:10]}): {one_line(str(one['subject']), 90)}; solved by: "
            f"{one_line(str(one['solution']), 120)}{' (verified)' if one['verified'] else ''}"
            for one in facts.similar
        ] + [""]
    lines += _not_known(facts)
    lines += [f"Reasoned with: {diagnosis.reasoner}. Journal at: {facts.head}."]
    return redact("\n".join(lines)).strip() + "\n"


def outcome_note(
    facts: Facts,
    proposal: Proposal,
    digest: str,
    state: str,
    approver: str,
    decided_at: str,
    reason: str,
    outcome: Mapping[str, Any],
) -> str:
    """Return the second note: what was decided by whom, what ran, what was checked, how to undo it."""
    says = {
        "verified": "The fix ran and is verified: the service answers as it should.",
        "not_verified": "The fix ran, and the service still does not answer as it should. A person has to look.",
        "inconclusive": "The fix ran; whether it helped could not be checked. A person has to look.",
        "failed": "The fix was approved and failed. What it says is below; a person has to look.",
        "unknown": "It is not known whether the fix ran. It will not be run again by itself; a person has to look.",
        "stale": "The fix was approved and not run, because the remediation server refused it.",
        "rejected": "The proposed fix was rejected; nothing was changed.",
        "expired": "Nobody decided in time; the proposal expired and nothing was changed.",
        "withdrawn": "The proposal was withdrawn; nothing was changed.",
        "superseded": "A newer proposal took the place of this one; nothing was changed.",
    }.get(state, f"The proposal is {state}.")
    lines = [
        f"[{MARK} {facts.incident}] {says}",
        "",
        "Change record:",
        f"- action: {proposal.action} on {proposal.target}{_params(proposal)} (risk {proposal.risk})",
        f"- proposal: {digest}",
    ]
    if approver:
        lines.append(f"- decided by: {approver} at {decided_at}" + (f", because: {one_line(reason)}" if reason else ""))
    if outcome.get("started_at"):
        lines.append(f"- ran: {outcome['started_at']} to {outcome.get('finished_at', '')}")
    for one in outcome.get("checks", ()):
        mark = "ok" if one["ok"] else "not ok" if one["known"] else "could not be checked"
        lines.append(f"- check afterwards: {one['tool']} {one['service']}: {mark} ({one['says']})")
    if outcome.get("reason"):
        lines.append(f"- said: {one_line(str(outcome['reason']), 400)}")
    if outcome.get("started_at"):
        lines.append(f"- undo: {undo_in_words(proposal)}")
    lines += ["", f"Journal at: {facts.head}."]
    return redact("\n".join(lines)).strip() + "\n"


def undo_in_words(proposal: Proposal) -> str:
    """Say what takes the fix back."""
    undo = proposal.undo
    if "cannot" in undo:
        return f"cannot be undone: {undo['cannot']}"
    params = ", ".join(f"{key} {value}" for key, value in dict(undo.get("params", {})).items())
    return f"{undo.get('action')} on {undo.get('target')}" + (f" ({params})" if params else "")


def expectation_in_words(proposal: Proposal) -> list[str]:
    """Say what will be checked afterwards."""
    return [
        f"{one.tool} {one.args.get('service', '')}: {one.field} is {str(one.equals).lower()}" for one in proposal.expect
    ]


def _params(proposal: Proposal) -> str:
    return " (" + ", ".join(f"{key} {value}" for key, value in proposal.params.items()) + ")" if proposal.params else ""


def _causes(diagnosis: Diagnosis) -> list[str]:
    if not diagnosis.causes:
        return []
    lines = ["Causes, likeliest first:"]
    for number, cause in enumerate(diagnosis.causes, 1):
        lines.append(
            f"{number}. {cause.says} ({cause.standing}; {cause.page}"
            + (f"; evidence {', '.join(cause.evidence)}" if cause.evidence else "")
            + ")"
        )
        lines += [f"   would decide: {what}" for what in cause.decided_by]
    if diagnosis.ruled_out:
        lines.append(f"Ruled out by what was measured: {diagnosis.ruled_out} other causes of these pages.")
    return [*lines, ""]


def _proposal(proposal: Proposal, digest: str, beside: Mapping[str, Any], origin: str) -> list[str]:
    before = ", ".join(f"{key} {value}" for key, value in proposal.effect.before.items())
    after = ", ".join(f"{key} {value}" for key, value in proposal.effect.after.items())
    return [
        f"- {proposal.action} on {proposal.target}{_params(proposal)}, risk {proposal.risk}",
        f"- rehearsed effect: {before} -> {after}",
        f"- undo: {undo_in_words(proposal)}",
        *(f"- checked afterwards: {one}" for one in expectation_in_words(proposal)),
        f"- may approve: {', '.join(beside.get('may_approve', [])) or 'nobody in the inventory'}; "
        f"until {proposal.expires_at}",
        f"- decide: {origin}/approvals/{digest}" if origin else f"- approve: countersign approvals show {digest[7:19]}",
    ]


def _by_hand(diagnosis: Diagnosis, facts: Facts, proposal: Proposal | None) -> list[str]:
    quoted = next((cause for cause in diagnosis.causes if cause.steps and cause.truth is Truth.TRUE), None)
    if quoted is not None and proposal is None:
        return [f"By hand, quoted from {quoted.page}:", *_quote(quoted.steps), ""]
    if diagnosis.outcome is Outcome.PAGE:
        source = next(source for source in facts.sources if source["relevant"])
        text = "\n\n".join(passage["text"] for passage in source["passages"])
        return [f"Quoted from {source['page']}:", *_quote(text), ""]
    return []


def _quote(text: str) -> list[str]:
    return [f"> {line}".rstrip() for line in text.strip().splitlines()[:40]]


def _looked_at(facts: Facts) -> list[str]:
    if not facts.observations:
        return []
    wanted = {one for cause in facts.diagnosis.causes if cause.truth is Truth.TRUE for one in cause.evidence}
    telling = [one for one in facts.observations if one.id in wanted] or list(facts.observations)
    rest = len(facts.observations) - len(telling)
    lines = ["What was looked at:"]
    lines += [
        f"- {one.id} {one.check.tool} {one.check.service} at {one.at}: {one_line(summary(one), 240)}"
        for one in telling[:12]
    ]
    rest += max(len(telling) - 12, 0)
    return lines + ([f"- and {rest} more checks"] if rest else []) + [""]


def _not_known(facts: Facts) -> list[str]:
    failed = [f"{one.check.tool} {one.check.service}: {one.error}" for one in facts.observations if not one.made]
    missing: Sequence[str] = list(dict.fromkeys([*facts.missing, *facts.diagnosis.missing, *failed]))
    return ["Not known:", *(f"- {one_line(what, 300)}" for what in missing[:10]), ""] if missing else []
