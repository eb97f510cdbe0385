"""Intake: read the ticket again at its source and find out which service it is about."""

from __future__ import annotations

from langgraph.runtime import Runtime

from agent.core.display import inert, one_line, redact
from agent.nodes.context import State
from agent.nodes.investigation import Investigation

READ_CHARACTERS = 20_000
"""What is read of a ticket. People put what matters first; the ticket system keeps the rest."""


async def intake(state: State, runtime: Runtime[Investigation]) -> State:
    """Return the ticket's text, inert, and the service it is about: the ticket's own field first, then its words."""
    context = runtime.context
    context.say("step", name="intake", says="reading the ticket")
    update: State = {
        "missing": [],
        "observations": [],
        "sources": [],
        "similar": [],
        "rounds": 0,
        "digest": "",
        "diagnosis": {},
        "searches": 0,
    }
    named = ""
    if state.get("ticket"):
        ticket = await context.tickets.get(state["ticket"])
        subject, body = one_line(ticket["subject"]), inert(ticket["body"], READ_CHARACTERS)
        update["requester"], named = ticket["requester"], ticket["service"]
        if ticket.get("truncated") or len(ticket["body"]) > READ_CHARACTERS:
            update["missing"].append(f"only the first {len(body):,} characters of the ticket were read")
    else:
        subject, body = one_line(state.get("subject", "")), inert(state.get("body", ""), READ_CHARACTERS)
        named = state.get("service", "")
    update |= {"subject": subject, "body": body, "service": "", "asked_for": ""}
    if named and named in context.estate.services:
        update["service"] = named
    elif named:
        update["asked_for"] = one_line(named, 80)
    else:
        found = context.estate.named_in(f"{subject}\n{body}")
        hint = None if found else context.estate.hinted_in(f"{subject}\n{body}")
        update["service"] = found[0] if found else hint or ""
        if hint:
            update["missing"].append(f"the ticket names no service; {hint} was taken because of its words")
        if len(found) > 1:
            update["missing"].append(
                f"the ticket also names {', '.join(found[1:])}; {found[0]} was taken as the subject"
            )
    if update["service"]:
        service = context.estate.services[update["service"]]
        context.say(
            "service",
            name=service.name,
            title=service.title,
            owner=service.owner,
            scope=list(context.estate.scope(service.name)),
        )
    context.journal.move_incident(
        context.stamp(),
        state["incident"],
        "investigating",
        "countersign",
        service=update["service"],
        about={
            "subject": redact(one_line(subject, 200)),
            "requester": one_line(update.get("requester") or state.get("requester", ""), 120),
        },
    )
    return update
