"""Report: say what was found or done, and put it down as a note that is due on the ticket."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from agent.core.note import Facts, outcome_note, suggestion_note
from agent.core.proposal import AGENT
from agent.core.verdict import Diagnosis
from agent.nodes.context import Context, State, observations

SUGGESTED = "suggestion"
OUTCOME = "outcome"


async def suggest(state: State, runtime: Runtime[Context]) -> State:
    """Put down the first note: causes, evidence, sources, the proposed fix or why there is none."""
    context = runtime.context
    stored = context.journal.proposal(state["digest"]) if state.get("digest") else None
    text = suggestion_note(
        _facts(state, context),
        stored.proposal if stored else None,
        stored.digest if stored else "",
        stored.card if stored else {},
    )
    context.journal.keep_account(context.stamp(), AGENT, state["incident"], account_of(state))
    _due(state, context, SUGGESTED, text)
    if stored is not None:
        context.say("card", digest=stored.digest, proposal=stored.proposal.to_json(), beside=stored.card)
    return {}


async def report(state: State, runtime: Runtime[Context]) -> State:
    """Close the incident as it stands, with a second note when a proposal was decided."""
    context = runtime.context
    ended = Diagnosis.from_json(state["diagnosis"]).outcome.value
    if state.get("digest"):
        stored = context.journal.proposal(state["digest"])
        ended = str(stored.state)
        _due(
            state,
            context,
            f"{OUTCOME}-{stored.state}",
            outcome_note(
                _facts(state, context),
                stored.proposal,
                stored.digest,
                str(stored.state),
                stored.approver,
                stored.decided_at,
                stored.reason,
                stored.outcome,
            ),
        )
    if context.journal.incident(state["incident"]).state != ended:
        context.journal.move_incident(context.stamp(), state["incident"], ended, AGENT)
    return {}


def account_of(state: State) -> dict[str, Any]:
    """Return what an investigation saw and came to, whole: what answers and records are made from afterwards."""
    return {
        key: state.get(key, empty)
        for key, empty in (
            ("subject", ""),
            ("body", ""),
            ("requester", ""),
            ("service", ""),
            ("sources", []),
            ("similar", []),
            ("observations", []),
            ("diagnosis", {}),
            ("missing", []),
        )
    }


def _facts(state: State, context: Context) -> Facts:
    return Facts(
        incident=state["incident"],
        service=state["service"],
        diagnosis=Diagnosis.from_json(state["diagnosis"]),
        observations=tuple(observations(state)),
        sources=tuple(state["sources"]),
        similar=tuple(state["similar"]),
        missing=tuple(state["missing"]),
        head=context.journal.head(),
        origin=context.origin,
    )


def _due(state: State, context: Context, kind: str, text: str) -> None:
    """Append the note to the journal once; the note writer takes it from there, at most once to the ticket."""
    key = f"{state['incident']}:{state.get('digest') or 'none'}:{kind}"
    if any(
        entry.event == "note_due" and f'"key":"{key}"' in entry.data
        for entry in context.journal.entries(state["incident"])
    ):
        return
    context.journal.append(
        context.stamp(),
        AGENT,
        state["incident"],
        "note_due",
        {"key": key, "ticket": state.get("ticket", ""), "text": text},
    )
    context.say("note", key=key, text=text, ticket=state.get("ticket", ""))
