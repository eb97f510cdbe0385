"""Answers out of what was looked at and found: why, what else, log lines, what is missing, similar tickets, pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agent.chat.draft import Answer, Draft
from agent.chat.intents import Intent
from agent.chat.markdown import code, fence, json_block, prose, quotation, table
from agent.chat.normal import folded, plain_words
from agent.core.evidence import Observation
from agent.core.verdict import Cause, Outcome, Truth

MOST_LOGS = 3
LINES_OF_A_LOG = 12
LOG_FIELDS = ("lines", "last_log")
TOPICS: Mapping[str, str] = {
    **dict.fromkeys(("disk", "disks", "filesystem", "festplatte", "platte", "plattenplatz"), "check_disk"),
    **dict.fromkeys(("certificate", "certificates", "cert", "tls", "ssl", "zertifikat"), "check_tls"),
    **dict.fromkeys(("config", "configuration", "changes", "konfiguration", "aenderungen"), "recent_changes"),
    **dict.fromkeys(("locks", "sessions", "postgres", "transactions", "sperren"), "postgres_activity"),
    **dict.fromkeys(("log", "logs"), "search_logs"),
    **dict.fromkeys(("port", "ports"), "check_tcp"),
    **dict.fromkeys(("memory", "ram", "cpu", "processor", "load", "dns", "network", "firewall", "backup"), ""),
    **dict.fromkeys(("speicher", "prozessor", "netzwerk", "netz"), ""),
}
"""What people name when they ask whether it was looked at, and the check for it; empty where there is none."""


def why(draft: Draft) -> Answer:
    """Say on what the verdict rests: the cause, what was measured, the page's rule, and what else was considered."""
    diagnosis = draft.story.diagnosis
    if diagnosis is None:
        draft.add("why_none")
        return draft.done()
    cause = draft.story.cause
    leads = diagnosis.outcome in {Outcome.FIX, Outcome.BY_HAND} and cause is not None
    if cause is not None and leads:
        _lead(draft, cause)
    else:
        draft.block(prose(diagnosis.says, 800))
        seen = [one for one in draft.observations if one.check.tool in {"check_http", "check_tcp", "service_status"}]
        if seen:
            draft.add("why_seen")
            draft.list(draft.line(one) for one in seen[:8])
    others = diagnosis.causes[1:] if leads else diagnosis.causes
    if others:
        draft.add("why_others")
        draft.list(line for other in others for line in [considered(draft, other)])
    if diagnosis.ruled_out:
        draft.add("why_ruled_out", n=diagnosis.ruled_out)
    if diagnosis.reasoner == "runbooks":
        if diagnosis.causes or diagnosis.ruled_out:
            draft.add("why_rules_alone")
    else:
        draft.add("why_reasoner", reasoner=code(diagnosis.reasoner))
    return draft.done()


def _lead(draft: Draft, cause: Cause) -> None:
    draft.add("why_cause", says=prose(cause.says), standing=standing(draft, cause))
    measured = [one for one in draft.observations if one.id in cause.evidence]
    draft.add("why_measured" if measured else "why_not_measured")
    draft.list(draft.line(one) for one in measured)
    draft.list(draft.words("why_would_decide", what=code(what)) for what in cause.decided_by)
    draft.add("why_rule", page=draft.page(cause.page))
    if draft.story.service and cause.service and cause.service != draft.story.service:
        draft.add("why_below", service=code(draft.story.service), other=code(cause.service))


def standing(draft: Draft, cause: Cause) -> str:
    """Return how sure a cause is, in words."""
    return draft.words("confirmed" if cause.truth is Truth.TRUE else "possible")


def considered(draft: Draft, cause: Cause, weight: str = "") -> str:
    """Return one cause in one line: how sure it is, on what evidence, from which page, what would decide it."""
    parts = [standing(draft, cause), draft.words("by_page", page=draft.page(cause.page)), draft.see_all(cause.evidence)]
    line = f"{weight}{prose(cause.says)}{weight} ({'; '.join(part for part in parts if part)})"
    if cause.truth is not Truth.TRUE and cause.decided_by:
        what = ", ".join(code(one) for one in cause.decided_by)
        line += "; " + draft.words("why_would_decide", what=what)
    return line


def what_else_checked(draft: Draft, intent: Intent) -> Answer:
    """List the checks beside those that the answer rests on, or those of the service or kind that is named."""
    if not draft.observations:
        draft.add("checks_none")
        return draft.done()
    if intent.service:
        of = [one for one in draft.observations if one.check.service == intent.service]
        draft.add("checks_of" if of else "checks_none_of", service=code(intent.service))
        draft.table_of(of)
        return draft.done()
    topics = {word: TOPICS[word] for word in plain_words(folded(intent.text)) if word in TOPICS}
    asked = [one for one in draft.observations if one.check.tool in topics.values()]
    for topic, tool in topics.items():
        if all(one.check.tool != tool for one in draft.observations):
            draft.add("checks_topic_none" if tool else "checks_topic_never", topic=code(topic))
    if asked:
        draft.add("checks_all")
        draft.table_of(asked)
        return draft.done()
    cause = draft.story.cause
    resting = [one.id for one in draft.observations if cause is not None and one.id in cause.evidence]
    others = [one for one in draft.observations if one.id not in resting]
    if not others:
        draft.add("checks_only", ids=draft.see_all(resting))
    elif resting:
        draft.add("checks_rest", ids=draft.see_all(resting))
    else:
        draft.add("checks_all")
    draft.table_of(others)
    if draft.story.diagnosis is not None and draft.story.diagnosis.ruled_out:
        draft.add("why_ruled_out", n=draft.story.diagnosis.ruled_out)
    return draft.done()


def log_lines(draft: Draft, intent: Intent) -> Answer:
    """Quote the log lines that were read: those of the cause's evidence first, or of the service that is named."""
    read = [one for one in draft.observations if log_of(one) is not None]
    wanted = [one for one in read if not intent.service or one.check.service == intent.service]
    if not wanted:
        _no_logs(draft, intent, read)
        return draft.done()
    cause = draft.story.cause
    ill = draft.story.view.ill
    telling = sorted(
        wanted,
        key=lambda one: (
            not log_of(one),
            not (cause is not None and one.id in cause.evidence),
            not (cause is not None and one.check.service == cause.service),
            one.check.service not in ill,
        ),
    )
    telling = [one for one in telling if log_of(one)] or telling
    for one in telling[:MOST_LOGS]:
        _log(draft, one)
    if len(telling) > MOST_LOGS:
        rest = dict.fromkeys(one.check.service for one in telling[MOST_LOGS:])
        draft.add("logs_others", services=", ".join(code(name) for name in rest))
    return draft.done()


def _no_logs(draft: Draft, intent: Intent, read: list[Observation]) -> None:
    draft.add("logs_none_of" if intent.service else "logs_none", service=code(intent.service))
    tried = [one for one in draft.observations if one.check.tool == "search_logs" and not one.made]
    for one in tried[:MOST_LOGS]:
        draft.add("logs_failed", why=f"{draft.see(one.id)} {code(one.error)}")
    if read:
        draft.add("logs_others", services=", ".join(dict.fromkeys(code(one.check.service) for one in read)))
    elif draft.observations:
        draft.add("logs_looked")
        draft.list(draft.line(one) for one in draft.observations[:5])


def _log(draft: Draft, one: Observation) -> None:
    lines = log_of(one) or []
    head = {
        "evidence": draft.see(one.id),
        "tool": code(one.check.tool),
        "service": code(one.check.service),
        "age": draft.age(one.at),
    }
    matched = (one.result or {}).get("matched")
    if not lines:
        draft.add("logs_no_match" if one.check.tool == "search_logs" else "logs_empty", **head)
        return
    shown = min(len(lines), LINES_OF_A_LOG)
    if isinstance(matched, int) and matched > shown:
        draft.add("logs_matched", shown=shown, matched=matched, **head)
    else:
        draft.add("logs_head", **head)
    draft.block(fence("\n".join(lines), "log", LINES_OF_A_LOG, newest=True))


def log_of(one: Observation) -> list[str] | None:
    """Return the log lines in an observation, oldest first; None when it read no log."""
    result = one.result or {}
    if isinstance(result.get("lines"), list):
        return [str(line.get("text", "")) if isinstance(line, Mapping) else str(line) for line in result["lines"]]
    if isinstance(result.get("last_log"), str):
        return [line for line in result["last_log"].splitlines() if line.strip()]
    return None


def what_is_missing(draft: Draft) -> Answer:
    """List what is not known: what was noted, what could not be looked at, what would decide the possible causes."""
    lines = missing_lines(draft)
    if lines:
        draft.add("missing_lead")
        draft.list(lines[:12])
    else:
        draft.add("missing_none" if draft.observations else "missing_none_seen")
    return draft.done()


def missing_lines(draft: Draft, undecided: bool = True) -> list[str]:
    """Return what is not known, each once; with what would decide the possible causes, unless told otherwise."""
    diagnosis = draft.story.diagnosis
    noted = [*draft.story.missing, *(diagnosis.missing if diagnosis else ())]
    lines = [prose(what) for what in noted]
    lines += [
        draft.words(
            "missing_failed",
            evidence=draft.see(one.id),
            tool=code(one.check.tool),
            service=code(one.check.service) or "-",
            why=code(one.error),
        )
        for one in draft.observations
        if not one.made
    ]
    lines += [
        draft.words("missing_decides", says=prose(cause.says), what=", ".join(code(one) for one in cause.decided_by))
        for cause in (diagnosis.causes if diagnosis else ())
        if undecided and cause.truth is not Truth.TRUE and cause.decided_by
    ]
    return list(dict.fromkeys(line for line in lines if line))


def similar_tickets(draft: Draft) -> Answer:
    """Show the solved tickets that resemble this one."""
    if not draft.story.similar:
        draft.add("similar_none")
        return draft.done()
    draft.add("similar_lead")
    head = [draft.words(f"head_{name}") for name in ("ticket", "solved", "subject", "solution", "verified")]
    rows = [
        (
            code(str(one.get("ticket", "")), 40),
            prose(str(one.get("solved_at", ""))[:10]),
            prose(str(one.get("subject", "")), 100),
            prose(str(one.get("solution", "")), 200),
            draft.words("yes" if one.get("verified") else "no"),
        )
        for one in draft.story.similar[:8]
    ]
    draft.block(table(head, rows))
    return draft.done()


def how_by_hand(draft: Draft) -> Answer:
    """Quote the steps of a confirmed cause, else what the cause's page says is to be done by hand."""
    story = draft.story
    causes = story.diagnosis.causes if story.diagnosis else ()
    quoted = next((cause for cause in causes if cause.steps), None)
    lead = causes[0] if causes else None
    page = lead.page if lead else next((str(source["page"]) for source in story.relevant), "")
    passage = _passage_by_hand(story.relevant, page)
    if quoted is not None and (quoted is lead or passage is None):
        draft.add("hand_page", page=draft.page(quoted.page))
        draft.block(quotation(quoted.steps))
        if quoted.truth is not Truth.TRUE:
            draft.add("hand_unconfirmed")
    elif passage is not None:
        draft.block(f"{draft.words('hand_page', page=draft.page(page))} {draft.words('hand_general')}")
        draft.block(quotation(str(passage.get("text", ""))))
    else:
        draft.add("hand_none")
    if story.proposal is not None and story.state == "awaiting":
        draft.add("hand_fix", action=code(story.proposal.action), target=code(story.proposal.target))
        draft.add("hand_beside")
    return draft.done()


def _passage_by_hand(sources: Iterable[Mapping[str, Any]], page: str) -> Mapping[str, Any] | None:
    for source in sources:
        if source.get("page") != page:
            continue
        for passage in source.get("passages") or ():
            heading = str(passage.get("heading", "")).casefold()
            if any(word in heading for word in ("by hand", "manual", "steps", "what to do", "von hand", "schritte")):
                found: Mapping[str, Any] = passage
                return found
    return None


def sources(draft: Draft, intent: Intent) -> Answer:
    """List the pages that fit with their best passage, or show all that was found on the one that is named."""
    relevant = draft.story.relevant
    if not relevant:
        draft.add("sources_none")
        return draft.done()
    asked = intent.source or next(
        (n for n, one in enumerate(relevant, 1) if str(one["page"]).casefold() in intent.text.casefold()), 0
    )
    if asked > len(relevant):
        draft.add("sources_which", n=asked, count=len(relevant))
        asked = 0
    shown = relevant[asked - 1 : asked] if asked else relevant[:3]
    if not asked:
        draft.add("sources_lead")
    for source in shown:
        kind = draft.words("sources_executable" if source.get("executable") else "sources_prose")
        draft.block(f"**{draft.page(str(source['page']))}** ({kind})")
        passages = list(source.get("passages") or ())
        if not passages:
            draft.add("sources_no_text")
        for passage in passages if asked or len(shown) == 1 else passages[:1]:
            draft.block(passage_block(passage))
    return draft.done()


def passage_block(passage: Mapping[str, Any], most: int = 40) -> str:
    """Return a passage of a page as a quotation under its heading."""
    heading = prose(str(passage.get("heading", "")), 120)
    text = quotation(str(passage.get("text", "")), most)
    return f"> **{heading}**\n>\n{text}" if heading else text


def evidence_for(draft: Draft, intent: Intent) -> Answer:
    """Show one observation in full, or those that the answer rests on."""
    if not draft.observations:
        draft.add("evidence_none")
        return draft.done()
    if not intent.evidence:
        cause = draft.story.cause
        resting = [one for one in draft.observations if cause is not None and one.id in cause.evidence]
        draft.add("evidence_rests" if resting else "evidence_all")
        draft.list(draft.line(one) for one in (resting or draft.observations)[:12])
        return draft.done()
    one = next((one for one in draft.observations if one.id == intent.evidence), None)
    if one is None:
        ids = draft.see_all(one.id for one in draft.observations[:30])
        draft.add("evidence_unknown", asked=code(intent.evidence), ids=ids)
        return draft.done()
    _in_full(draft, one)
    return draft.done()


def _in_full(draft: Draft, one: Observation) -> None:
    draft.add(
        "evidence_line",
        evidence=draft.see(one.id),
        tool=code(one.check.tool),
        service=code(one.check.service) or "-",
        age=draft.age(one.at),
        took=one.took_ms,
        server=code(one.server) or "-",
    )
    args = {name: value for name, value in one.check.args if name != "service"}
    if args:
        draft.add("evidence_args", args=", ".join(f"{code(name)} {code(str(value))}" for name, value in args.items()))
    if one.result is None:
        draft.add("evidence_failed", why=code(one.error))
        return
    draft.add("evidence_full")
    draft.block(json_block({name: value for name, value in one.result.items() if name not in LOG_FIELDS}))
    lines = log_of(one)
    if lines:
        draft.block(fence("\n".join(lines), "log", 30, newest=True))
