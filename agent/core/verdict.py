"""From observations to a verdict: is it well, does the evidence contradict itself, which causes stand, in which order.

A suggestion needs a cause whose condition was really observed. Everything else is said plainly and proposes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from agent.core.evidence import Observation

MOST_CAUSES = 3


class Truth(StrEnum):
    """What the evidence says of a condition."""

    TRUE = "true"
    FALSE = "false"
    NOT_KNOWN = "not known"


class Standing(StrEnum):
    """How sure the assistant is of a cause, in the words it uses everywhere."""

    CONFIRMED = "confirmed by what was measured"
    POSSIBLE = "possible, not confirmed"


@dataclass(frozen=True)
class Fix:
    """An action from the catalogue with its target and typed parameters; nothing else can be proposed."""

    action: str
    target: str
    params: dict[str, str | int | bool]


@dataclass(frozen=True)
class Cause:
    """One explanation: which page gives it, about which service, what the evidence says, and what would fix it."""

    id: str
    page: str
    service: str
    says: str
    truth: Truth
    evidence: tuple[str, ...] = ()
    """Ids of the observations that its condition reads."""
    decided_by: tuple[str, ...] = ()
    """Where not known: what would have to be looked at to decide, in words."""
    fix: Fix | None = None
    steps: str = ""
    """Steps by hand, quoted from the page."""
    page_score: float = 0.0
    depth: int = 0
    """Steps of dependency between the service the ticket is about and this one; the deepest failing one explains."""

    @property
    def standing(self) -> Standing:
        """How sure the assistant is, in words."""
        return Standing.CONFIRMED if self.truth is Truth.TRUE else Standing.POSSIBLE


class Outcome(StrEnum):
    """What the investigation came to."""

    FIX = "fix"
    BY_HAND = "by_hand"
    HEALTHY = "healthy"
    CONTRADICTION = "contradiction"
    UNDECIDED = "undecided"
    PAGE = "page"
    NO_PAGE = "no_page"
    NO_SERVICE = "no_service"
    NOTHING_TO_READ = "nothing_to_read"


@dataclass(frozen=True)
class Diagnosis:
    """The verdict with its ranked causes and what is not known. `says` is the one sentence for a person in a hurry."""

    outcome: Outcome
    says: str
    causes: tuple[Cause, ...] = ()
    missing: tuple[str, ...] = ()
    reasoner: str = "runbooks"
    ruled_out: int = 0

    @property
    def chosen(self) -> Cause | None:
        """The cause that carries a proposal, when there is one."""
        return self.causes[0] if self.outcome is Outcome.FIX and self.causes else None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON for the checkpoint and the record."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @staticmethod
    def from_json(data: dict[str, Any]) -> Diagnosis:
        """Read back what `to_json` wrote."""
        causes = tuple(
            Cause(
                **{
                    **cause,
                    "truth": Truth(cause["truth"]),
                    "evidence": tuple(cause["evidence"]),
                    "decided_by": tuple(cause["decided_by"]),
                    "fix": Fix(**cause["fix"]) if cause["fix"] else None,
                }
            )
            for cause in data["causes"]
        )
        return Diagnosis(
            **{**data, "outcome": Outcome(data["outcome"]), "causes": causes, "missing": tuple(data["missing"])}
        )


@dataclass(frozen=True)
class Outlook:
    """How the services look from outside: which answer as they should, which do not, which could not be asked."""

    well: tuple[str, ...] = ()
    ill: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = field(default=())


def outlook(services: Sequence[str], observations: Iterable[Observation]) -> Outlook:
    """Judge each service by its outside checks (check_http, check_tcp) and find evidence that contradicts itself."""
    outside: dict[str, list[bool]] = {name: [] for name in services}
    state: dict[str, str] = {}
    for one in observations:
        if one.result is None or one.check.service not in outside:
            continue
        if one.check.tool == "check_http":
            outside[one.check.service].append(bool(one.result.get("ok")))
        elif one.check.tool == "check_tcp":
            outside[one.check.service].append(bool(one.result.get("open")))
        elif one.check.tool == "service_status":
            state[one.check.service] = str(one.result.get("state", "unknown"))
    contradictions = []
    for name in services:
        if state.get(name) in {"stopped", "failed"} and any(outside[name]):
            contradictions.append(
                f"{name} answers from outside, yet its supervisor says that it is {state[name]}: "
                "something else may be answering in its place, or the supervisor is not the one that runs it"
            )
    well = tuple(n for n in services if outside[n] and all(outside[n]) and state.get(n, "running") == "running")
    ill = tuple(n for n in services if (outside[n] and not all(outside[n])) or state.get(n) in {"stopped", "failed"})
    unseen = tuple(n for n in services if n not in well and n not in ill)
    return Outlook(well, ill, unseen, tuple(contradictions))


def rank(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Order causes: confirmed before possible, the deepest dependency first (it explains those above it), then a fix
    before steps by hand, then how well the page fits the ticket; of the possible ones those with most evidence first.
    The same fix from two pages counts once."""
    ordered = sorted(
        (cause for cause in causes if cause.truth is not Truth.FALSE),
        key=lambda c: (
            c.truth is not Truth.TRUE,
            0 if c.truth is Truth.TRUE else -len(c.evidence),
            -c.depth,
            c.fix is None,
            -c.page_score,
            c.page,
            c.id,
        ),
    )
    kept: list[Cause] = []
    for cause in ordered:
        # A cause seen from the service above and from the one below is one cause; so is one that two pages know.
        if any(
            cause.truth == other.truth
            and (cause.fix == other.fix if cause.fix else cause.says == other.says and other.fix is None)
            for other in kept
        ):
            continue
        kept.append(cause)
    return tuple(kept)


def judge(about: str, view: Outlook, causes: Iterable[Cause], missing: Sequence[str], any_page: bool) -> Diagnosis:
    """Come to a verdict about the service `about`.

    No proposal when the evidence contradicts itself, when the service is well, when no page fits, or when two
    confirmed causes on one service ask for different fixes: then the evidence does not decide.
    """
    causes = tuple(causes)
    ranked = rank(causes)
    false = sum(cause.truth is Truth.FALSE for cause in causes)
    confirmed = [cause for cause in ranked if cause.truth is Truth.TRUE]
    top = ranked[:MOST_CAUSES]
    lacking = tuple(missing)

    def verdict(outcome: Outcome, says: str) -> Diagnosis:
        return Diagnosis(outcome, says, top, lacking, ruled_out=false)

    if view.contradictions:
        return verdict(
            Outcome.CONTRADICTION,
            "The evidence contradicts itself, so nothing is proposed: " + "; ".join(view.contradictions) + ".",
        )
    if about in view.well and not view.ill:
        more = "" if not confirmed else f" What was seen beside that: {confirmed[0].says}."
        return verdict(
            Outcome.HEALTHY,
            f"{about} and what it depends on look healthy from here at this moment; nothing is proposed.{more}",
        )
    if not any_page:
        return verdict(Outcome.NO_PAGE, f"No page of the knowledge base fits this ticket; {_seen(view)}")
    if not confirmed:
        return verdict(Outcome.UNDECIDED, f"No known cause is confirmed by what could be measured; {_seen(view)}")
    rivals = [
        cause
        for cause in confirmed[1:]
        if cause.depth == confirmed[0].depth
        and cause.fix is not None
        and confirmed[0].fix is not None
        and cause.fix != confirmed[0].fix
    ]
    if rivals:
        return verdict(
            Outcome.UNDECIDED,
            f"Two causes are confirmed that ask for different fixes ({confirmed[0].says}; "
            f"{rivals[0].says}); a person has to decide between them.",
        )
    if confirmed[0].fix is None:
        return verdict(
            Outcome.BY_HAND,
            f"{_sentence(confirmed[0].says)} No action of the catalogue fits; "
            "the steps by hand are quoted from the page.",
        )
    return verdict(Outcome.FIX, _sentence(confirmed[0].says))


def _seen(view: Outlook) -> str:
    if view.ill:
        return f"not answering as they should: {', '.join(view.ill)}."
    return "from outside nothing was seen to fail." if view.well else "its services could not be looked at."


def _sentence(text: str) -> str:
    text = text.strip()
    return text + ("" if text.endswith((".", "!", "?")) else ".")
