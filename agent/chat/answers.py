"""Answers in chat, from an incident's own evidence and from nothing else: no model, no clock, no look at any system."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agent.chat import about_evidence, about_fix
from agent.chat.about_evidence import considered, missing_lines, passage_block
from agent.chat.draft import Answer, Draft, OtherService
from agent.chat.intents import Intent
from agent.chat.markdown import code, prose, quotation
from agent.chat.normal import Language, folded, language_of, plain_words
from agent.chat.patterns import Kind
from agent.chat.story import Story
from agent.core.evidence import Observation, summary
from agent.core.verdict import Diagnosis, Outcome, Truth

__all__ = ["Answer", "OtherService", "answer", "first_answer", "outcome_answer", "passages_answer"]

MOST_NAMES = 8
MOST_PASSAGES = 3
SHORTEST_TELLING_WORD = 3
_SAYS_NOTHING = frozenset(
    """the and for are was were that this with you your not but can could would should have has had what which who why
    how when where does did from about there here then than also please any all its our out into them they will just
    service check error der die das und ist sind war ein eine einen nicht mit von auf aus was wie wer warum kannst bitte
    noch auch""".split()
)


def answer(intent: Intent, story: Story, now: str = "") -> Answer:
    """Answer one intent from the story. `now` (ISO 8601) gives evidence its age; without it moments are shown."""
    draft = Draft(story, intent.language, now)
    if not story.incident and intent.kind not in _WITHOUT_AN_INCIDENT:
        draft.add("no_incident")
        return draft.done()
    match intent.kind:
        case Kind.WHAT_ELSE_CHECKED:
            return about_evidence.what_else_checked(draft, intent)
        case Kind.LOG_LINES:
            return about_evidence.log_lines(draft, intent)
        case Kind.SOURCES:
            return about_evidence.sources(draft, intent)
        case Kind.EVIDENCE_FOR:
            return about_evidence.evidence_for(draft, intent)
        case Kind.OTHER_SERVICE:
            return _other_service(draft, intent)
        case _:
            return _PLAIN[intent.kind](draft)


def first_answer(
    story: Story,
    sources: Sequence[Mapping[str, Any]] | None = None,
    now: str = "",
    language: Language | None = None,
) -> Answer:
    """Tell a diagnosis in chat: what it comes to, the causes, steps by hand where there is no action, what is not
    known. What the card shows is left to the card. `sources` are those shown to the user, the story's own if None.
    """
    if sources is not None:
        story = Story(**{**vars(story), "sources": tuple(sources)})
    draft = Draft(story, language or language_of(f"{story.subject}\n{story.body}"), now)
    diagnosis = story.diagnosis
    if diagnosis is None:
        draft.add("first_none")
        return draft.done()
    _verdict(draft, diagnosis)
    if diagnosis.ruled_out:
        draft.add("why_ruled_out", n=diagnosis.ruled_out)
    if story.proposal is not None:
        draft.add("first_card")
    else:
        _by_hand(draft, diagnosis.outcome)
        _looked_at(draft)
    missing = missing_lines(draft, undecided=False)
    if missing:
        draft.add("first_not_known")
        draft.list(missing[:8])
    if story.similar:
        several = len(story.similar) > 1
        draft.add("first_similar" if several else "first_one_similar", n=len(story.similar))
    return draft.done()


def _verdict(draft: Draft, diagnosis: Diagnosis) -> None:
    """Say what it comes to; a cause that says just that is told once."""
    causes = diagnosis.causes
    if causes and causes[0].says.strip().rstrip(".") == diagnosis.says.strip().rstrip("."):
        draft.block(considered(draft, causes[0], "**"))
        if causes[1:]:
            draft.add("why_others")
            draft.list(considered(draft, cause) for cause in causes[1:])
        return
    draft.block(f"**{prose(diagnosis.says, 800)}**")
    if causes:
        draft.add("first_causes")
        draft.block("\n".join(f"{n}. {considered(draft, cause)}" for n, cause in enumerate(causes, 1)))


def _by_hand(draft: Draft, outcome: Outcome) -> None:
    causes = draft.story.diagnosis.causes if draft.story.diagnosis else ()
    quoted = next((cause for cause in causes if cause.steps and cause.truth is Truth.TRUE), None)
    if quoted is not None:
        draft.add("hand_page", page=draft.page(quoted.page))
        draft.block(quotation(quoted.steps))
    elif outcome is Outcome.PAGE and draft.story.relevant:
        source = draft.story.relevant[0]
        draft.add("first_quoted", page=draft.page(str(source["page"])))
        for passage in source.get("passages") or ():
            draft.block(passage_block(passage))


def _looked_at(draft: Draft) -> None:
    causes = draft.story.diagnosis.causes if draft.story.diagnosis else ()
    wanted = {one for cause in causes if cause.truth is Truth.TRUE for one in cause.evidence}
    telling = [one for one in draft.observations if one.id in wanted] or list(draft.observations)
    if not telling:
        return
    draft.add("first_evidence")
    draft.list(draft.line(one) for one in telling[:6])
    rest = len(draft.observations) - len(telling[:6])
    if rest:
        draft.add("first_more", n=rest)


def outcome_answer(story: Story, now: str = "", language: Language | None = None) -> Answer:
    """Tell what came of the proposal after it was decided or ran."""
    return about_fix.outcome(Draft(story, language or language_of(f"{story.subject}\n{story.body}"), now))


def passages_answer(
    question: str, story: Story | None, hits: Sequence[Mapping[str, Any]], model: bool, now: str = ""
) -> Answer:
    """Answer what no intent knows: the passages found, and the evidence that shares words with the question.

    `hits` are sources as `Story.sources` has them; `[n]` counts the relevant ones among them. `model` says whether a
    language model is configured.
    """
    known = story or Story(incident="")
    draft = Draft(Story(**{**vars(known), "sources": tuple(hits)}), language_of(question), now)
    relevant = draft.story.relevant[:MOST_PASSAGES]
    evidence = _sharing_words(question, draft.observations)
    draft.add("passages_lead" if relevant or evidence else "passages_nothing")
    if evidence:
        draft.add("passages_evidence")
        draft.list(draft.line(one) for one in evidence)
    if relevant:
        draft.add("passages_pages")
        for hit in relevant:
            draft.block(f"**{draft.page(str(hit['page']))}**")
            for passage in list(hit.get("passages") or ())[:1]:
                draft.block(passage_block(passage, most=15))
    draft.block(" ".join([draft.words("passages_no_effect"), *([] if model else [draft.words("passages_model")])]))
    return draft.done()


def _sharing_words(question: str, observations: Iterable[Observation]) -> list[Observation]:
    asked = _telling(question)
    counted = [(len(asked & _telling(_all_words(one))), one) for one in observations]
    return [one for count, one in sorted(counted, key=lambda pair: -pair[0]) if count][:4]


def _telling(text: str) -> set[str]:
    words = {part for word in plain_words(folded(text)) for part in (word, *re.split(r"[-.]", word))}
    return {
        word.removesuffix("s") for word in words if len(word) >= SHORTEST_TELLING_WORD and word not in _SAYS_NOTHING
    }


def _all_words(one: Observation) -> str:
    logs = about_evidence.log_of(one) or []
    return " ".join([one.check.tool.replace("_", " "), one.check.service, summary(one), one.error, *logs])


def _other_service(draft: Draft, intent: Intent) -> Answer:
    """Look at the service that is named, or at the only other one that offers itself; else ask which."""
    story = draft.story
    known = dict.fromkeys((*story.scope, *story.estate))
    others = [name for name in story.scope if name != story.service]
    if intent.service:
        if known and intent.service not in known and intent.service != story.service:
            draft.add("other_unknown", service=code(intent.service))
            _offer(draft, others)
            return draft.done()
        return _look_at(draft, intent.service)
    ill = [name for name in others if name in story.view.ill]
    chosen, key = "", ""
    if len(ill) == 1:
        chosen, key = ill[0], "other_ill"
    elif len(others) == 1:
        chosen, key = others[0], "other_only"
    elif others and re.search(r"\b(?:next|naechste\w*)\b", folded(intent.text)):
        chosen, key = (ill or others)[0], "other_next"
    if chosen:
        draft.add(key, service=code(chosen))
        return _look_at(draft, chosen, introduced=True)
    if ill:
        draft.add("other_ill_several", names=_names(draft, ill))
    _offer(draft, others)
    return draft.done()


def _look_at(draft: Draft, service: str, introduced: bool = False) -> Answer:
    seen = [one for one in draft.observations if one.check.service == service]
    if seen and service != draft.story.service:
        if not introduced:
            draft.add("other_named_seen", service=code(service))
        draft.list(draft.line(one) for one in seen[:5])
    draft.add("other_same" if service == draft.story.service else "other_named", service=code(service))
    return draft.done(OtherService(service))


def _offer(draft: Draft, others: Sequence[str]) -> None:
    story = draft.story
    outside = [name for name in story.estate if name not in story.scope]
    if others:
        draft.add("other_in_scope", service=code(story.service) or "-", names=_names(draft, others))
    if outside:
        draft.add("other_in_estate", names=_names(draft, outside))
    draft.add("other_which" if others or outside else "other_none")


def _names(draft: Draft, names: Sequence[str]) -> str:
    listed = ", ".join(code(name) for name in names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return draft.words("and_more", names=listed, n=more) if more > 0 else listed


def _help(draft: Draft) -> Answer:
    draft.add("help")
    return draft.done()


def _thanks(draft: Draft) -> Answer:
    draft.add("thanks")
    return draft.done()


def _greeting(draft: Draft) -> Answer:
    story = draft.story
    state = story.state or story.incident_state
    draft.block(
        " ".join(
            [
                draft.words("greeting"),
                *([about_fix.state_words(draft, state)] if state else []),
                draft.words("greeting_ask"),
            ]
        )
    )
    return draft.done()


_WITHOUT_AN_INCIDENT = frozenset({Kind.HELP, Kind.THANKS, Kind.GREETING, Kind.APPROVE_BY_TEXT, Kind.OTHER_SERVICE})

_PLAIN: Mapping[Kind, Callable[[Draft], Answer]] = {
    Kind.WHY: about_evidence.why,
    Kind.WHAT_IS_MISSING: about_evidence.what_is_missing,
    Kind.SIMILAR_TICKETS: about_evidence.similar_tickets,
    Kind.HOW_BY_HAND: about_evidence.how_by_hand,
    Kind.WHAT_IF_WAIT: about_fix.what_if_wait,
    Kind.WHAT_WOULD_CHANGE: about_fix.what_would_change,
    Kind.UNDO: about_fix.undo,
    Kind.WHO_MAY_APPROVE: about_fix.who_may_approve,
    Kind.STATUS: about_fix.status,
    Kind.APPROVE_BY_TEXT: about_fix.approve_by_text,
    Kind.HELP: _help,
    Kind.THANKS: _thanks,
    Kind.GREETING: _greeting,
}
