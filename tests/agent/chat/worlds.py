"""Stories for tests: one with everything in it, in which a stopped application is to be restarted, and bare ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.chat.story import Story
from agent.core.evidence import Check, Observation
from agent.core.verdict import Cause, Diagnosis, Fix, Outcome, Truth
from tests.agent.proposals import proposal

NOW = "2026-11-20T10:05:00Z"
SERVICES: dict[str, tuple[str, ...]] = {
    "permits-web": ("Permit portal", "permit website"),
    "permits-api": ("Permit register", "register of permits"),
    "permits-db": ("Permit database",),
}


def seen(
    name: str, tool: str, service: str, result: dict[str, Any] | None, error: str = "", **args: str
) -> Observation:
    """Return an observation made at 10:01."""
    return Observation(
        name, Check.of(tool, service=service, **args), "2026-11-20T10:01:00Z", 12, "diagnostics", result, error
    )


OBSERVATIONS = (
    seen("E1", "check_http", "permits-web", {"ok": False, "status": 502, "error": "", "latency_ms": 4}),
    seen(
        "E2",
        "service_status",
        "permits-api",
        {
            "state": "stopped",
            "since": "2026-11-20T09:41:00Z",
            "exit_code": 0,
            "last_log": "2026-11-20 09:40:59 INFO shutting down\n2026-11-20 09:41:00 ERROR pool closed",
        },
    ),
    seen("E3", "check_tcp", "permits-db", {"open": True, "latency_ms": 1}),
    seen(
        "E4",
        "search_logs",
        "permits-web",
        {
            "matched": 40,
            "truncated": True,
            "lines": [
                {"at": "2026-11-20T09:41:02Z", "text": "2026-11-20 09:41:02 ERROR upstream refused", "file": "web.log"},
                {"at": "2026-11-20T10:00:59Z", "text": "2026-11-20 10:00:59 ERROR upstream refused", "file": "web.log"},
            ],
        },
        contains="upstream",
    ),
    seen("E5", "check_disk", "permits-db", None, "no measurement of 'permits-db' within 5 s"),
    seen("E6", "service_status", "permits-web", {"state": "running", "last_log": ""}),
)
CAUSES = (
    Cause(
        id="upstream-stopped",
        page="RB-101",
        service="permits-api",
        says="permits-api is stopped behind the proxy",
        truth=Truth.TRUE,
        evidence=("E1", "E2"),
        fix=Fix("restart_service", "permits-api", {}),
        page_score=0.9,
        depth=1,
    ),
    Cause(
        id="disk-full",
        page="RB-104",
        service="permits-db",
        says="the disk of permits-db is full",
        truth=Truth.NOT_KNOWN,
        evidence=(),
        decided_by=("check_disk on permits-db (no measurement)",),
        steps="1. Find what grows: `du -xh / | sort -h`\n2. Ask its owner.",
        page_score=0.5,
    ),
)
SOURCES: tuple[dict[str, Any], ...] = (
    {
        "page": "RB-101",
        "title": "A service behind the proxy answers 502",
        "relevant": True,
        "executable": True,
        "digest": "sha256:" + "c" * 64,
        "score": 0.91,
        "passages": [
            {"heading": "Symptoms", "text": "The proxy answers 502.", "digest": "d1"},
            {
                "heading": "What to do by hand",
                "text": "1. Start it: `supervisorctl start NAME`\n2. Look again.",
                "digest": "d2",
            },
        ],
    },
    {"page": "RB-190", "title": "Printers", "relevant": False, "executable": False, "digest": "x", "passages": []},
    {
        "page": "RB-104",
        "title": "A disk fills up",
        "relevant": True,
        "executable": True,
        "digest": "sha256:" + "e" * 64,
        "score": 0.5,
        "passages": [{"heading": "Symptoms", "text": "No space left on device.", "digest": "d3"}],
    },
)
SIMILAR: tuple[dict[str, Any], ...] = (
    {
        "ticket": "T-17",
        "subject": "Permit portal shows Bad Gateway",
        "solved_at": "2026-09-22T08:41:00Z",
        "solution": "The register had not come back after the maintenance; it was started again.",
        "verified": True,
    },
)
DIGEST = "sha256:" + "0123456789ab" + "f" * 52

FULL = Story(
    incident="INC-0007",
    ticket="T-31",
    subject="Permit portal: Bad Gateway",
    body="Since ten minutes we get 502 for every page.",
    requester="ines.costa",
    service="permits-web",
    scope=("permits-web", "permits-api", "permits-db"),
    observations=OBSERVATIONS,
    sources=SOURCES,
    similar=SIMILAR,
    diagnosis=Diagnosis(
        Outcome.FIX, "permits-api is stopped behind the proxy.", CAUSES, ("the load was not measured",), ruled_out=3
    ),
    missing=("similar tickets older than a year were not searched",),
    proposal=proposal(
        incident="INC-0007",
        target="permits-api",
        requester="ines.costa",
        risk="medium",
        effect={"before": {"state": "stopped", "port": 8080}, "after": {"state": "running", "port": 8080}},
        created_at="2026-11-20T10:02:00Z",
        expires_at="2026-11-20T10:17:00Z",
    ),
    digest=DIGEST,
    beside={
        "why": "permits-api is stopped behind the proxy",
        "diff": "--- before\n+++ after\n-state: stopped\n+state: running",
        "rehearsed_at": "2026-11-20T10:01:30Z",
        "may_approve": ["dana.meyer", "sam.okafor"],
        "owner": "web-platform",
    },
    state="awaiting",
    incident_state="awaiting_approval",
    estate=("permits-web", "permits-api", "permits-db", "intranet"),
)
BARE = Story(incident="INC-0008")
VERIFIED = replace(
    FULL,
    state="verified",
    incident_state="verified",
    approver="dana.meyer",
    reason="looks right",
    decided_at="2026-11-20T10:03:00Z",
    outcome={
        "started_at": "2026-11-20T10:03:01Z",
        "finished_at": "2026-11-20T10:03:04Z",
        "checks": [
            {
                "id": "V1",
                "tool": "service_status",
                "service": "permits-api",
                "ok": True,
                "known": True,
                "says": "state running",
            },
            {
                "id": "V2",
                "tool": "check_http",
                "service": "permits-web",
                "ok": False,
                "known": False,
                "says": "no answer",
            },
        ],
    },
)
BY_HAND = replace(
    FULL,
    proposal=None,
    digest="",
    beside={},
    state="",
    incident_state="by_hand",
    diagnosis=Diagnosis(
        Outcome.BY_HAND,
        "The disk is full. No action of the catalogue fits; the steps by hand are quoted from the page.",
        (replace(CAUSES[1], truth=Truth.TRUE, evidence=("E3",), decided_by=()),),
    ),
)
