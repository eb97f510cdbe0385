"""The path from ticket to verified fix, on one page. It holds no authority: what happened stands in the journal.

intake -> recall -> investigate <-> reason -> propose -> rehearse -> suggest -> await approval -> execute -> verify
       ^     |        ^       |         |           \\-> suggest (nothing to approve) -> report <- ... <-/
       |     \\-> survey (no service named)|
       \\------------- (search again with what the systems say)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agent.core.verdict import Diagnosis
from agent.nodes.await_approval import await_approval, may_execute
from agent.nodes.context import Context, State
from agent.nodes.execute import execute, was_executed
from agent.nodes.intake import intake
from agent.nodes.investigate import investigate
from agent.nodes.investigation import Investigation
from agent.nodes.propose import propose
from agent.nodes.reason import after_reason, reason
from agent.nodes.recall import recall
from agent.nodes.rehearse import rehearse
from agent.nodes.report import report, suggest
from agent.nodes.survey import survey
from agent.nodes.verify import verify

Graph = CompiledStateGraph[State, Investigation, State, State]


def build_graph(checkpointer: BaseCheckpointSaver[str]) -> Graph:
    """Return the compiled path; `checkpointer` keeps working memory and nothing that anyone relies on."""
    path = StateGraph(State, context_schema=Investigation)
    path.add_node("intake", intake)
    path.add_node("recall", recall)
    path.add_node("survey", survey)
    path.add_node("investigate", investigate)
    path.add_node("reason", reason)
    path.add_node("propose", _station(propose))
    path.add_node("rehearse", _station(rehearse))
    path.add_node("suggest", _station(suggest))
    path.add_node("await_approval", _station(await_approval))
    path.add_node("execute", _station(execute))
    path.add_node("verify", _station(verify))
    path.add_node("report", _station(report))
    path.add_edge(START, "intake")
    path.add_edge("intake", "recall")
    path.add_conditional_edges("recall", _after_recall, ["investigate", "survey", "reason"])
    path.add_conditional_edges("survey", _has_service, {True: "investigate", False: "reason"})
    path.add_edge("investigate", "reason")
    path.add_conditional_edges("reason", after_reason, ["recall", "investigate", "propose"])
    path.add_conditional_edges("propose", _has_fix, {True: "rehearse", False: "suggest"})
    path.add_edge("rehearse", "suggest")
    path.add_conditional_edges("suggest", _has_proposal, {True: "await_approval", False: "report"})
    path.add_conditional_edges("await_approval", _approved, {True: "execute", False: "report"})
    path.add_conditional_edges("execute", _executed, {True: "verify", False: "report"})
    path.add_edge("verify", "report")
    path.add_edge("report", END)
    return path.compile(checkpointer=checkpointer)


def _station(function: Callable[[State, Runtime[Context]], Awaitable[State]]) -> Any:
    """Take a station that needs the common parts alone; `Runtime` is invariant, so the type checker needs this word."""
    return function


def _after_recall(state: State) -> str:
    if state["service"]:
        return "investigate"
    about_services = any(source["relevant"] and source["executable"] for source in state["sources"])
    return "survey" if about_services and not state["asked_for"] else "reason"


def _has_service(state: State) -> bool:
    return bool(state["service"])


def _has_fix(state: State) -> bool:
    return Diagnosis.from_json(state["diagnosis"]).chosen is not None


def _has_proposal(state: State) -> bool:
    return bool(state.get("digest"))


def _approved(state: State, runtime: Runtime[Context]) -> bool:
    return may_execute(state, runtime.context)


def _executed(state: State, runtime: Runtime[Context]) -> bool:
    return was_executed(state, runtime.context)
