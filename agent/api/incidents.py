"""Routes of incidents and of the cards that wait: what was seen, what it came to, what was decided and done."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from agent.api import sse
from agent.api.cards import card_for
from agent.api.decisions import Decision, take
from agent.api.follow import CONSOLE, news_of
from agent.api.identity.guard import Guard
from agent.api.identity.permissions import needs
from agent.api.identity.principal import Principal
from agent.api.log import Thread
from agent.api.parts import Parts, may_see, own_thread, parts
from agent.api.problems import Problem
from agent.api.runs import Message, new_run, numbered
from agent.chat.story import Story
from agent.core.display import one_line
from agent.core.errors import Refused
from agent.core.evidence import summary
from agent.core.lifecycle import State
from agent.journal.chain import Entry
from agent.journal.store import Incident

router = APIRouter(prefix="/api", tags=["incidents"])
Reads = Annotated[Principal, Depends(needs("read"))]
ReadsOwn = Annotated[Principal, Depends(needs("read", own=True))]
Decides = Annotated[Principal, Depends(needs("decide"))]
All = Annotated[Parts, Depends(parts)]
MOST = 500
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@router.get("/incidents")
async def incidents(
    _principal: Reads,
    one: All,
    state: str = "",
    service: str = "",
    q: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> dict[str, Any]:
    """List incidents, newest first; `state` may be `open` for all that have not ended."""
    cards = {stored.incident: stored.digest for stored in one.journal.proposals(state=State.AWAITING)}
    words = q.casefold().split()
    found = [
        incident
        for incident in one.journal.incidents()
        if (not state or incident.state == state or (state == "open" and incident.state in OPEN))
        and (not service or incident.service == service)
        and all(word in " ".join(vars(incident).values()).casefold() for word in words)
    ]
    return {"incidents": [_listed(incident, cards.get(incident.id)) for incident in found[:limit]], "total": len(found)}


OPEN = ("open", "investigating", "awaiting_approval", "executing", "unknown")


@router.get("/incidents/{incident}")
async def incident(incident: str, principal: ReadsOwn, one: All) -> dict[str, Any]:
    """Return one incident's whole story."""
    may_see(one, incident, principal)
    return await _story(one, incident, principal)


@router.get("/incidents/{incident}/record")
async def record(incident: str, principal: Reads, one: All) -> JSONResponse:
    """Return the decision record of one incident: its story and every journal entry about it, with their hashes."""
    story = await _story(one, incident, principal)
    entries = [vars(entry) for entry in one.journal.entries(incident)]
    content = {"record": story, "journal": entries, "head": one.journal.head()}
    name = f'attachment; filename="{incident}.json"' if incident.replace("-", "").isalnum() else "attachment"
    return JSONResponse(content, headers={"Content-Disposition": name, "Cache-Control": "no-store"})


@router.get("/events")
async def events(request: Request, _principal: Reads, one: All) -> StreamingResponse:
    """Stream what changes: incidents, cards, stops. Without `Last-Event-ID` from now on."""
    since = sse.after(request) or int(one.journal.head().split(":")[0])

    def read(seq: int) -> list[tuple[int, str]]:
        while entries := one.journal.after(seq):
            if news := [(entry.seq, json.dumps(told)) for entry in entries if (told := news_of(entry))]:
                return news
            seq = entries[-1].seq
        return []

    guard: Guard = request.app.state.guard
    seen = '{"type":"caught_up","seq":{}}'
    return sse.stream(one.hub, CONSOLE, read, since, lambda: guard.still(request), lambda: False, seen)


@router.get("/proposals")
async def proposals(principal: Reads, one: All, state: str = "awaiting") -> dict[str, Any]:
    """List cards, those that wait unless asked otherwise."""
    if state not in {*State, ""}:
        raise Problem(400, "bad_request", f"a state is one of {', '.join(State)}")
    found = one.journal.proposals(state=State(state) if state else None)[:MOST]
    return {"proposals": [_card_or_why(one, stored.digest, principal) for stored in found]}


@router.get("/proposals/{digest}")
async def proposal(digest: str, principal: ReadsOwn, one: All) -> dict[str, Any]:
    """Return a card, by its digest or the beginning of it."""
    stored = one.journal.proposal(digest)
    may_see(one, stored.incident, principal)
    return _card(one, stored.digest, principal)


@router.post("/proposals/{digest}/decision")
async def decision(digest: str, given: Decision, principal: Decides, one: All) -> Response:
    """Approve, reject, edit, ask or withdraw. The approvals process alone signs, for whom the inventory names."""
    headers = {"Cache-Control": "no-store"}
    if not _DIGEST.fullmatch(digest):
        raise Problem(404, "unknown_proposal", "a decision names the whole digest of its proposal")
    if given.decision == "ask":
        stored = one.journal.proposal(digest)
        thread, run = _conversation(one, given.thread, stored.incident, principal), new_run()
        one.runs.ask(thread, run, stored.incident, Message(new_run(), given.question), principal.person)
        return JSONResponse({"threadId": thread.id, "runId": run}, 202, headers)
    via = "page" if principal.via in {"session", "demo"} else "api"
    done = await take(one, digest, given, principal, via)
    stored = done.stored
    if done.goes_on:
        one.runs.go_on(stored.incident)
    answer = {"digest": stored.digest, "state": str(stored.state), "approver": stored.approver}
    return JSONResponse(answer | ({"successor": done.successor} if done.successor else {}), 200, headers)


@router.get("/knowledge/search")
async def search(
    _principal: Reads, one: All, q: Annotated[str, Query(min_length=1, max_length=4000)]
) -> dict[str, Any]:
    """Find the pages that fit a text; `found` is false when none of them is about it."""
    pages = await asyncio.to_thread(one.assistant.search, q, 8)
    return {"pages": numbered(pages), "found": any(page["relevant"] for page in pages)}


def _conversation(one: Parts, name: str, incident: str, principal: Principal) -> Thread:
    """Return the conversation to ask about an incident in: the one that is named, else a new one."""
    if not name:
        known = one.journal.incident(incident)
        title = one_line(known.ticket or known.subject or incident, 80)
        return one.log.open_thread(one.assistant.stamp(), principal.person, principal.origin, title, incident)
    thread = own_thread(one, name, principal)
    if incident not in {thread.incident, *one.log.was_about(thread.id)}:
        raise Problem(409, "wrong_thread", "this conversation is not about that card")
    return thread


def _card_or_why(one: Parts, digest: str, principal: Principal) -> dict[str, Any]:
    """Return a card, or why it is not shown: one that was tampered with is named, and hides none of the others."""
    try:
        return _card(one, digest, principal)
    except Refused as refusal:
        return {"digest": digest, "state": "altered", "why": str(refusal)}


def _card(one: Parts, digest: str, principal: Principal) -> dict[str, Any]:
    stored = one.journal.proposal(digest)
    return card_for(stored, one.journal, one.assistant.estate, one.assistant.stamp(), principal)


def _listed(incident: Incident, card: str | None) -> dict[str, Any]:
    return {**vars(incident), "open_card": card}


async def _story(one: Parts, name: str, principal: Principal) -> dict[str, Any]:
    known = one.journal.incident(name)
    story = await one.assistant.story(name)
    stored = sorted(one.journal.proposals(name), key=lambda each: each.proposal.created_at)
    entries = one.journal.entries(name)
    open_card = next((each.digest for each in stored if each.state is State.AWAITING), None)
    mine = [thread.id for thread in one.log.about(name) if principal.owns(thread.owner, thread.origin)]
    return {
        "incident": _listed(known, open_card) | {"subject": story.subject, "requester": story.requester},
        "body": story.body,
        "service": _service(one, story),
        "sources": numbered([source for source in story.sources if source["relevant"]]),
        "similar": list(story.similar),
        "observations": [{**seen.to_json(), "made": seen.made, "says": summary(seen)} for seen in story.observations],
        "diagnosis": story.diagnosis.to_json() if story.diagnosis else None,
        "missing": list(story.missing),
        "proposals": [_card_or_why(one, each.digest, principal) for each in stored],
        "notes": _notes(entries),
        "timeline": [_told(entry) for entry in entries],
        "threads": mine,
    }


def _service(one: Parts, story: Story) -> dict[str, Any] | None:
    service = one.assistant.estate.services.get(story.service)
    if service is None:
        return None
    return {"name": service.name, "title": service.title, "owner": service.owner, "scope": list(story.scope)}


def _notes(entries: list[Entry]) -> list[dict[str, Any]]:
    written = {json.loads(entry.data).get("key") for entry in entries if entry.event == "note_written"}
    notes = []
    for entry in entries:
        if entry.event == "note_due":
            data = json.loads(entry.data)
            due = {"at": entry.at, "key": data["key"], "text": data["text"], "ticket": data["ticket"]}
            notes.append(due | {"written": data["key"] in written})
    return notes


def _told(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "event": entry.event,
        "data": json.loads(entry.data),
    }
