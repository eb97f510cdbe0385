"""The case as a reasoner sees it, put together from working memory and the knowledge base."""

from __future__ import annotations

from agent.nodes.context import State, observations
from agent.nodes.investigation import Investigation
from agent.reasoning.reasoner import Case, Page


def case_of(state: State, context: Investigation) -> Case:
    """Return the case. A page that changed since it was found is left out: it is no longer what was cited."""
    pages = []
    documents = {document.id: document for document in context.knowledge.documents}
    for source in state.get("sources", []):
        document = documents.get(source["page"])
        if document is None or document.digest != source["digest"]:
            continue
        pages.append(Page(document=document, score=source["score"], relevant=source["relevant"]))
    return Case(
        service=state["service"], estate=context.estate, pages=tuple(pages), observations=tuple(observations(state))
    )
