"""Recall: find the pages of the team's own knowledge and the solved tickets that resemble this one."""

from __future__ import annotations

import asyncio

from langgraph.runtime import Runtime

from agent.core.display import inert, one_line
from agent.core.errors import CountersignError
from agent.nodes.context import State
from agent.nodes.investigation import Investigation

PAGES = 5


async def recall(state: State, runtime: Runtime[Investigation]) -> State:
    """Return sources (page, title, score, best passages with their content hash) and similar solved tickets."""
    context = runtime.context
    context.say("step", name="recall", says="searching the knowledge base")
    text = f"{state['subject']}\n{state['body']}".strip()
    missing = list(state.get("missing", []))
    searching = asyncio.to_thread(context.knowledge.search, text, PAGES)
    similar = []
    if state.get("ticket"):
        try:
            similar = await context.tickets.similar(text, state["service"], state["ticket"])
        except CountersignError as error:
            missing.append(f"similar tickets were not searched: {error}")
    result = await searching
    sources = []
    for hit in result.hits:
        passages = [
            {"heading": passage.heading, "text": inert(passage.text, 600), "digest": passage.digest}
            for passage in hit.passages[:2]
        ]
        sources.append(
            {
                "page": hit.page,
                "title": one_line(hit.title),
                "score": round(float(hit.score), 4),
                "relevant": bool(hit.relevant),
                "digest": hit.digest,
                "path": hit.path.name,
                "executable": hit.runbook is not None,
                "passages": passages,
            }
        )
        if hit.relevant:
            context.say(
                "source",
                page=hit.page,
                title=one_line(hit.title),
                score=round(float(hit.score), 2),
                executable=hit.runbook is not None,
            )
    for one in similar:
        context.say(
            "similar",
            ticket=one["ticket"],
            subject=one_line(one["subject"]),
            solved_at=one["solved_at"],
            solution=one_line(one["solution"]),
            verified=one["verified"],
        )
    return {"sources": sources, "similar": similar, "missing": missing}
