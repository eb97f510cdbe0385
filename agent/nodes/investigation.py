"""What the stations that investigate are given beside the common parts; the effect path never sees these."""

from __future__ import annotations

from dataclasses import dataclass

from agent.gateway.gateway import Tickets
from agent.nodes.context import Context
from agent.reasoning.reasoner import Reasoner
from knowledge.index import Knowledge


@dataclass(frozen=True)
class Investigation(Context):
    """The common parts, and what reads and reasons: knowledge, the reasoner, the ticket system."""

    knowledge: Knowledge
    reasoner: Reasoner
    tickets: Tickets
