"""Recall: find the pages of the team's own knowledge and the solved tickets that resemble this one."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from langgraph.runtime import Runtime

from agent.core.display import inert, one_line
from agent.core.errors import CountersignError
from agent.core.evidence import summary
from agent.core.verdict import outlook
from agent.nodes.context import State, observations
from agent.nodes.investigation import Investigation
from knowledge.search import Hit

PAGES = 5
MOST_CHARACTERS = 1500
_TELLING = re.compile(r"(?i)error|fail|time ?out|refused|cancel|denied|exceed|full|expired|cannot|invalid")
_LINE_HEAD = re.compile(r"^[\d\-:.,TZ+/ \[\]]+")
"""Date and time in front of a log line: they differ in every line and say nothing."""


async def recall(state: State, runtime: Runtime[Investigation]) -> State:
    """Return sources (page, title, score, best passages with their content hash) and similar solved tickets.

    The second time, when no page fitted the ticket's words, what the failing services say is searched for instead.
    """
    context = runtime.context
    first = not state.get("searches")
    says = "searching the knowledge base" if first else "searching the knowledge base for what the systems say"
    context.say("step", name="recall", says=says)
    text = f"{state['subject']}\n{state['body']}".strip() if first else _symptoms(state)
    missing = list(state.get("missing", []))
    searching = asyncio.to_thread(context.knowledge.search, text, PAGES)
    similar = list(state.get("similar", []))
    if state.get("ticket") and first:
        try:
            similar = await context.tickets.similar(text, state["service"], state["ticket"])
        except CountersignError as error:
            missing.append(f"similar tickets were not searched: {error}")
    result = await searching
    sources = []
    for hit in result.hits:
        sources.append(source_of(hit))
        if hit.relevant:
            context.say(
                "source",
                page=hit.page,
                title=one_line(hit.title),
                score=round(float(hit.score), 2),
                executable=hit.runbook is not None,
            )
    for one in similar if first else ():
        context.say(
            "similar",
            ticket=one["ticket"],
            subject=one_line(one["subject"]),
            solved_at=one["solved_at"],
            solution=one_line(one["solution"]),
            verified=one["verified"],
        )
    if not first:
        missing.append(
            "the ticket's words led to no confirmed cause; pages were found by what the failing services say"
        )
        found = {source["page"] for source in sources if source["relevant"]}
        sources = [source for source in state["sources"] if source["page"] not in found] + sources
    return {"sources": sources, "similar": similar, "missing": missing, "searches": state.get("searches", 0) + 1}


def source_of(hit: Hit) -> dict[str, Any]:
    """Return a page that was found as it is kept and shown: with its best passages and their content hash."""
    return {
        "page": hit.page,
        "title": one_line(hit.title),
        "score": round(float(hit.score), 4),
        "relevant": bool(hit.relevant),
        "digest": hit.digest,
        "path": hit.path.name,
        "executable": hit.runbook is not None,
        "passages": [
            {"heading": passage.heading, "text": inert(passage.text, 600), "digest": passage.digest}
            for passage in hit.passages[:2]
        ],
    }


def may_search_again(state: State) -> bool:
    """True when something was seen failing and only the ticket's words were searched for so far."""
    return bool(state["searches"] == 1 and _symptoms(state))


def _symptoms(state: State) -> str:
    """Return what the failing services say, each line once: their answers and the telling lines of their logs."""
    seen = observations(state)
    view = outlook(list(dict.fromkeys(one.check.service for one in seen)), seen)
    lines = []
    for one in seen:
        if one.result is None or one.check.service not in view.ill:
            continue
        lines.append(f"{one.check.tool}: {summary(one)}")
        telling = [line for line in str(one.result.get("last_log", "")).splitlines() if _TELLING.search(line)]
        lines += [_LINE_HEAD.sub("", line) for line in telling]
    return "\n".join(dict.fromkeys(lines))[:MOST_CHARACTERS]
