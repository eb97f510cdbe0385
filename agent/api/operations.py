"""Routes for whoever runs this: stop and go on, the audit, health and metrics, and in a demo the lab."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from agent.api.identity.permissions import needs
from agent.api.identity.principal import Principal
from agent.api.parts import Lab, Parts, parts
from agent.api.problems import Problem
from agent.core.display import one_line

router = APIRouter(tags=["operations"])
All = Annotated[Parts, Depends(parts)]
Level = Literal["effects", "model", "intake"]
METRICS = "text/plain; version=0.0.4; charset=utf-8"


class StopGiven(BaseModel):
    """What to stop, and why."""

    model_config = ConfigDict(extra="forbid")
    level: Level
    reason: str = Field(default="", max_length=500)


class Break(BaseModel):
    """What to break in the demo's own lab."""

    model_config = ConfigDict(extra="forbid")
    fault: str = Field(max_length=100)
    variant: int = Field(default=0, ge=0, le=99)


@router.get("/healthz", dependencies=[Depends(needs("public"))])
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", dependencies=[Depends(needs("public"))])
async def readyz(request: Request) -> JSONResponse:
    """Say whether work is taken: everything is loaded, the journal can be read, and approvals can be signed."""
    one: Parts | None = request.app.state.parts
    if one is None:
        return JSONResponse({"status": "starting"}, 503, {"Retry-After": "1"})
    one.journal.head()
    if not await one.signing():
        return JSONResponse({"status": "the approvals process does not answer: nothing can be approved"}, 503)
    return JSONResponse({"status": "ready"})


@router.get("/metrics", dependencies=[Depends(needs("metrics"))])
async def metrics(one: All) -> Response:
    """Return figures in the Prometheus text format."""
    registry = CollectorRegistry()
    incidents = Gauge("countersign_incidents", "Incidents by state.", ["state"], registry=registry)
    for state, count in Counter(incident.state for incident in one.journal.incidents()).items():
        incidents.labels(state).set(count)
    proposals = Gauge("countersign_proposals", "Proposals by state.", ["state"], registry=registry)
    for proposal, count in Counter(str(each.state) for each in one.journal.proposals()).items():
        proposals.labels(proposal).set(count)
    stopped = Gauge("countersign_stopped", "1 where a person has stopped it.", ["level"], registry=registry)
    now = one.journal.stopped()
    for level in ("effects", "model", "intake"):
        stopped.labels(level).set(level in now)
    Gauge("countersign_runs", "Runs that go on.", registry=registry).set(one.runs.going_on)
    Gauge("countersign_streams", "Open event streams.", registry=registry).set(one.hub.listeners)
    sequence = Gauge("countersign_journal_entries", "Entries of the journal.", registry=registry)
    sequence.set(int(one.journal.head().split(":")[0]))
    return Response(generate_latest(registry), media_type=METRICS)


@router.get("/api/stop", dependencies=[Depends(needs("read"))])
async def stopped(one: All) -> dict[str, Any]:
    """Return what is stopped."""
    return {"stopped": told_of_stops(one)}


@router.post("/api/stop")
async def stop(given: StopGiven, principal: Annotated[Principal, Depends(needs("stop"))], one: All) -> dict[str, Any]:
    """Stop effects, the model or the intake: at once, and until somebody lifts it."""
    reason = one_line(given.reason, 300)
    withdrawn = one.journal.stop(one.assistant.stamp(), given.level, principal.person, reason)
    return {"stopped": told_of_stops(one), "withdrawn": withdrawn}


@router.delete("/api/stop")
async def go_on(level: Level, principal: Annotated[Principal, Depends(needs("stop"))], one: All) -> dict[str, Any]:
    """Lift a stop. What was withdrawn stays withdrawn."""
    one.journal.go_on(one.assistant.stamp(), level, principal.person)
    return {"stopped": told_of_stops(one)}


@router.get("/api/audit", dependencies=[Depends(needs("audit"))])
async def audit(
    one: All,
    incident: str = "",
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Return the journal, oldest first, in parts; `head` is an anchor to keep elsewhere."""
    if incident:
        entries = [entry for entry in one.journal.entries(incident) if entry.seq > after][:limit]
    else:
        entries = one.journal.after(after, limit)
    return {
        "entries": [{**vars(entry), "data": json.loads(entry.data)} for entry in entries],
        "head": one.journal.head(),
    }


@router.get("/api/demo", dependencies=[Depends(needs("signed_in"))])
async def demo(one: All) -> dict[str, Any]:
    """Return what the demo's lab has to offer."""
    return await _lab(one).about()


@router.post("/api/demo/break", status_code=202, dependencies=[Depends(needs("ask"))])
async def break_something(given: Break, one: All) -> dict[str, Any]:
    """Break something in the demo's own lab and file the ticket that follows."""
    return await _lab(one).break_something(given.fault, given.variant)


def told_of_stops(one: Parts) -> dict[str, dict[str, str]]:
    """Return what is stopped, by level: by whom, since when, why."""
    return {
        level: {"by": each.by, "at": each.at, "reason": each.reason} for level, each in one.journal.stopped().items()
    }


def _lab(one: Parts) -> Lab:
    if one.lab is None:
        raise Problem(404, "not_found", "there is no lab here; this is no demo")
    return one.lab
