"""Routes of conversations: AG-UI runs, the stream of a thread, its history, stop and feedback."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from ag_ui.core import ResumeEntry, RunAgentInput, UserMessage
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse, StreamingResponse

from agent.api import sse
from agent.api.adapter import digest_of_interrupt
from agent.api.decisions import Decided, Decision, allowed_to_decide, take
from agent.api.identity.guard import Guard
from agent.api.identity.permissions import needs
from agent.api.identity.principal import Principal
from agent.api.log import Thread
from agent.api.parts import Parts, may_see, own_thread, parts
from agent.api.problems import Problem
from agent.api.runs import Message, new_run
from agent.core.display import one_line
from agent.core.errors import Refused

router = APIRouter(prefix="/api", tags=["conversations"])
Asks = Annotated[Principal, Depends(needs("ask"))]
All = Annotated[Parts, Depends(parts)]
_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
MOST_FEEDBACK = 3
"""How often a person may change their mind about one answer; each time is an entry of the journal."""
CAUGHT_UP = '{"type":"CUSTOM","name":"countersign.caught_up","value":{"seq":{}}}'


class NewThread(BaseModel):
    """What a new conversation is about: a ticket, an incident, or nothing yet."""

    model_config = ConfigDict(extra="forbid")
    ticket: str = Field(default="", max_length=100)
    incident: str = Field(default="", max_length=100)


class Feedback(BaseModel):
    """Whether an answer was useful, and why."""

    model_config = ConfigDict(extra="forbid")
    run: str = Field(max_length=100)
    useful: bool
    why: str = Field(default="", max_length=1000)


@router.post("/agent")
async def agent(request: Request, given: RunAgentInput, principal: Asks, one: All) -> Response:
    """Run the agent (AG-UI 1.0): a user message, or a resume. Events as a stream, or 202 and the thread's own stream.

    Of the input, threadId, runId, the last user message and resume are read. The browser's state, tools, context,
    forwardedProps and earlier messages are not: the server knows the conversation, and no client may rewrite it.
    """
    run = given.run_id if _ID.fullmatch(given.run_id) else new_run()
    thread = _thread(one, given.thread_id, principal)
    try:
        if given.resume:
            _resume(one, thread, run, given.resume, principal)
        else:
            one.runs.say(thread, run, _last_message(given), principal.person)
    except Refused as refusal:
        # Sent again after a lost answer: it is the same run, and whoever asks may watch it.
        if refusal.code != "repeated" or one.log.thread_of_run(run) != thread.id:
            raise
    if "text/event-stream" not in request.headers.get("accept", "") and "application/json" in request.headers.get(
        "accept", ""
    ):
        return JSONResponse({"threadId": thread.id, "runId": run}, 202, {"Cache-Control": "no-store"})
    return sse.stream(
        one.hub,
        thread.id,
        lambda seq: one.log.read(thread.id, seq, run=run),
        0,
        _still(request),
        lambda: one.log.ended(run),
    )


@router.get("/threads")
async def threads(principal: Asks, one: All) -> dict[str, Any]:
    """List my conversations, newest first."""
    running = {thread for _, thread in one.log.running()}
    found = one.log.threads(principal.person, principal.origin if principal.own_only else None)
    return {
        "threads": [
            {
                "id": thread.id,
                "title": thread.title,
                "incident": thread.incident,
                "created_at": thread.created_at,
                "updated_at": thread.updated_at,
                "state": "running" if thread.id in running else "idle",
            }
            for thread in found
            if thread.title or thread.id in running
        ]
    }


@router.post("/threads", status_code=201)
async def new_thread(given: NewThread, principal: Asks, one: All) -> dict[str, str]:
    """Begin a conversation, about a ticket or an incident where asked."""
    at = one.assistant.stamp()
    if given.incident:
        may_see(one, given.incident, principal)
        incident = one.journal.incident(given.incident)
        title = incident.ticket or incident.subject or incident.id
        thread = one.log.open_thread(at, principal.person, principal.origin, one_line(title, 80), incident.id)
        one.runs.show(thread, principal.person)
        return {"id": thread.id}
    thread = one.log.open_thread(at, principal.person, principal.origin)
    if given.ticket:
        one.runs.show(thread, principal.person, one_line(given.ticket, 100))
    return {"id": thread.id}


@router.get("/threads/{thread}/events")
async def events(thread: str, request: Request, principal: Asks, one: All) -> StreamingResponse:
    """Stream a conversation: all of it, or what came after `Last-Event-ID`; then what comes."""
    mine = own_thread(one, thread, principal)
    return sse.stream(
        one.hub,
        mine.id,
        lambda seq: one.log.read(mine.id, seq),
        sse.after(request),
        _still(request),
        lambda: False,
        CAUGHT_UP,
    )


@router.post("/threads/{thread}/stop", status_code=202)
async def stop(thread: str, principal: Asks, one: All) -> dict[str, bool]:
    """Stop what goes on in a conversation. A fix that is being carried out is not stopped half-way."""
    return {"stopped": await one.runs.stop(own_thread(one, thread, principal), principal.person)}


@router.post("/threads/{thread}/feedback", status_code=204)
async def feedback(thread: str, given: Feedback, principal: Asks, one: All) -> None:
    """Write down whether an answer was useful."""
    mine = own_thread(one, thread, principal)
    if one.log.thread_of_run(given.run) != mine.id:
        raise Problem(404, "unknown_run", "there is no such answer in this conversation")
    person = f"person:{principal.person}"
    before = [entry for entry in one.journal.entries(mine.incident) if entry.event == "feedback"]
    if sum(json.loads(entry.data)["run"] == given.run for entry in before) >= MOST_FEEDBACK:
        raise Problem(409, "said_already", "you have said enough about this answer")
    said = {"thread": mine.id, "run": given.run, "useful": given.useful, "why": one_line(given.why, 500)}
    one.journal.append(one.assistant.stamp(), person, mine.incident, "feedback", said)


def _thread(one: Parts, name: str, principal: Principal) -> Thread:
    """Return the caller's thread; a name that is not taken yet becomes a new one of theirs."""
    if name and one.log.thread(name) is not None:
        return own_thread(one, name, principal)
    return one.log.open_thread(
        one.assistant.stamp(), principal.person, principal.origin, name=name if _ID.fullmatch(name) else ""
    )


def _last_message(given: RunAgentInput) -> Message:
    """Return the last message, which has to be the user's own and text."""
    last = given.messages[-1] if given.messages else None
    if not isinstance(last, UserMessage):
        raise Problem(400, "bad_request", "the last message has to be the user's")
    if isinstance(last.content, str):
        text = last.content
    else:
        text = "\n".join(part.text for part in last.content if part.type == "text")
    name = last.id if isinstance(last.id, str) and _ID.fullmatch(last.id) else new_run()
    return Message(name, text)


def _resume(one: Parts, thread: Thread, run: str, entries: list[ResumeEntry], principal: Principal) -> None:
    """Begin a run that answers the open card. One interrupt is one proposal; there is one open card at a time."""
    if len(entries) != 1:
        raise Problem(409, "bad_resume", "one card is open at a time, so a resume answers exactly one interrupt")
    entry = entries[0]
    digest = digest_of_interrupt(entry.interrupt_id)
    stored = one.journal.proposal(digest) if digest.startswith("sha256:") and len(digest) == 71 else None
    if stored is None or stored.incident not in {thread.incident, *one.log.was_about(thread.id)}:
        raise Problem(409, "bad_resume", "this interrupt does not belong to this conversation")
    asked = payload_of(entry)
    if asked.decision == "ask":
        one.runs.ask(thread, run, stored.incident, Message(new_run(), asked.question), principal.person)
        return
    allowed_to_decide(principal)

    async def decide() -> bool:
        done: Decided = await take(one, stored.digest, asked, principal, via="ag-ui")
        return done.goes_on

    one.runs.decided(thread, run, stored.incident, decide, principal.person)


def payload_of(entry: ResumeEntry) -> Decision:
    """Read a resume's payload: our own shape, or the canonical `{approved, editedArgs?}`.

    What says no in any way is a no; what says yes and something else with it is refused, since nobody knows which of
    the two was meant.
    """
    payload = entry.payload if isinstance(entry.payload, dict) else {}
    if entry.status == "cancelled":
        return Decision(decision="reject", reason=str(payload.get("reason") or "cancelled by the client")[:500])
    known = {key: payload[key] for key in ("reason", "question", "shown") if isinstance(payload.get(key), str)}
    said, args = payload.get("decision"), payload.get("args", payload.get("editedArgs"))
    if said is None and "approved" in payload:
        # Deny by default: only the boolean true approves, and with other arguments it approves nothing that exists yet.
        said = "reject" if payload["approved"] is not True else "approve" if args is None else "edit"
    elif said == "approve" and payload.get("approved", True) is not True:
        raise Problem(422, "bad_resume", "this resume says approve and not approved at once")
    if said in ("edit", "approve") and args is not None:
        known["args"] = args
    try:
        return Decision.model_validate({"decision": said, **known})
    except ValidationError as error:
        wrong = ", ".join(dict.fromkeys(str(one["loc"][0]) if one["loc"] else "args" for one in error.errors()))
        raise Problem(
            422, "bad_resume", f"a resume says approved (true or false), or a decision; not as it should be: {wrong}"
        ) from error


def _still(request: Request) -> sse.Still:
    """Return the question whether whoever listens may still listen: a session that ended ends its streams."""
    guard: Guard = request.app.state.guard
    return lambda: guard.still(request)
