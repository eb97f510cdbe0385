"""Answers from the incident's own evidence: every citation leads somewhere, and what is not there is said to be not."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.chat.answers import Answer, OtherService, answer, first_answer, outcome_answer, passages_answer
from agent.chat.intents import Intent, Kind
from agent.chat.normal import Language
from agent.chat.story import Story
from agent.chat.words import DE, EN
from agent.core.lifecycle import State
from agent.core.verdict import Diagnosis, Outcome
from tests.agent.chat.test_markdown import HOSTILE
from tests.agent.chat.worlds import BARE, BY_HAND, CAUSES, FULL, NOW, SOURCES, VERIFIED, seen

LANGUAGES: tuple[Language, ...] = ("en", "de")
UNDECIDED = replace(
    FULL,
    proposal=None,
    digest="",
    state="",
    beside={},
    diagnosis=Diagnosis(Outcome.UNDECIDED, "No known cause is confirmed.", CAUSES[1:], ruled_out=2),
)
STORIES = {"full": FULL, "bare": BARE, "by hand": BY_HAND, "verified": VERIFIED, "undecided": UNDECIDED}


def without_quotations(text: str) -> str:
    """Return the answer without fences, code spans and quoted pages: what is left speaks for itself."""
    text = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", text)
    text = re.sub(r"(?m)^>.*$", "", text)
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


def citations_hold(told: Answer, story: Story) -> None:
    spoken = without_quotations(told.text)
    assert {int(n) for n in re.findall(r"\[(\d+)\]", spoken)} == set(told.cites)
    assert set(told.cites) <= set(range(1, len(story.relevant) + 1))
    assert set(re.findall(r"\[(E\d+)\]", spoken)) == set(told.evidence)
    assert set(told.evidence) <= {one.id for one in story.observations}


def ask(kind: Kind, story: Story = FULL, **more: Any) -> Answer:
    return answer(Intent(kind, **more), story, NOW)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("kind", Kind)
def test_every_intent_has_an_answer_whose_citations_resolve(kind: Kind, story: Story, language: Language) -> None:
    told = ask(kind, story, language=language, evidence="E4" if kind is Kind.EVIDENCE_FOR else "")
    assert told.text.strip()
    assert "{" not in without_quotations(told.text)
    citations_hold(told, story)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_what_is_told_unasked_has_citations_that_resolve(story: Story, language: Language) -> None:
    citations_hold(first_answer(story, now=NOW, language=language), story)
    citations_hold(outcome_answer(story, NOW, language), story)
    citations_hold(passages_answer("why does the proxy answer 502", story, SOURCES, False, NOW), FULL)


NOTHING: dict[Kind, str] = {
    Kind.WHY: "Nothing was diagnosed",
    Kind.WHAT_ELSE_CHECKED: "No system was looked at",
    Kind.OTHER_SERVICE: "covers no other service",
    Kind.LOG_LINES: "No log was read",
    Kind.WHAT_IF_WAIT: "No system was looked at",
    Kind.WHAT_WOULD_CHANGE: "No fix is proposed",
    Kind.UNDO: "nothing to undo",
    Kind.WHO_MAY_APPROVE: "No fix is proposed",
    Kind.STATUS: "nothing was looked at yet",
    Kind.WHAT_IS_MISSING: "no system was looked at",
    Kind.SIMILAR_TICKETS: "No similar solved ticket",
    Kind.HOW_BY_HAND: "No page that was found",
    Kind.SOURCES: "No page of the knowledge base",
    Kind.EVIDENCE_FOR: "no evidence to show",
    Kind.APPROVE_BY_TEXT: "No card is open",
}


@pytest.mark.parametrize(("kind", "says"), NOTHING.items())
def test_what_is_not_there_is_said_to_be_not_there(kind: Kind, says: str) -> None:
    told = ask(kind, BARE)
    assert says in told.text
    assert told.cites == () and told.evidence == () and told.action is None


def test_a_question_outside_of_any_incident_is_told_so() -> None:
    assert "about no incident yet" in ask(Kind.WHY, Story("")).text
    assert ask(Kind.OTHER_SERVICE, Story(""), service="intranet").action == OtherService("intranet")
    assert "Nothing was decided" in ask(Kind.APPROVE_BY_TEXT, Story("")).text


def test_why_names_the_evidence_its_age_the_page_and_the_rivals() -> None:
    told = ask(Kind.WHY)
    assert "[E1] `check_http` on `permits-web`, 4 min ago: `ok false; status 502" in told.text
    assert "`RB-101` A service behind the proxy answers 502 [1]" in told.text
    assert "possible, not confirmed" in told.text and "3 other causes" in told.text


def test_without_the_time_the_moment_is_shown_instead_of_an_age() -> None:
    assert "at 2026-11-20T10:01:00Z" in answer(Intent(Kind.WHY), FULL).text


def test_what_else_was_checked_leaves_out_what_the_answer_rests_on() -> None:
    told = ask(Kind.WHAT_ELSE_CHECKED)
    rows = [line for line in told.text.split("\n") if line.startswith("| [")]
    assert [row.split("]")[0] for row in rows] == ["| [E3", "| [E4", "| [E5", "| [E6"]
    assert "could not be made" in rows[2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("did you look at the disk", "[E5]"),
        ("have you checked the certificate", "Not looked at: `certificate`"),
        ("did you look at memory", "There is no check for that here"),
    ],
)
def test_what_was_not_looked_at_is_told_by_name(text: str, says: str) -> None:
    assert says in ask(Kind.WHAT_ELSE_CHECKED, text=text).text


def test_log_lines_are_quoted_those_of_the_cause_first() -> None:
    told = ask(Kind.LOG_LINES)
    assert told.text.index("ERROR pool closed") < told.text.index("ERROR upstream refused")
    assert "2 of 40 matching lines" in told.text


def test_a_log_that_the_cause_rests_on_comes_before_one_of_its_service() -> None:
    assert FULL.diagnosis is not None
    causes = (replace(CAUSES[0], evidence=("E4",)),)
    told = ask(Kind.LOG_LINES, replace(FULL, diagnosis=replace(FULL.diagnosis, causes=causes)))
    assert told.evidence == ("E4", "E2")


@pytest.mark.parametrize("kind", Kind)
def test_evidence_that_is_not_in_the_story_is_cited_nowhere(kind: Kind) -> None:
    assert FULL.diagnosis is not None
    causes = tuple(replace(cause, evidence=("E1", "E77")) for cause in CAUSES)
    story = replace(FULL, diagnosis=replace(FULL.diagnosis, causes=causes))
    assert "E77" not in ask(kind, story).text + first_answer(story, now=NOW).text


def test_log_lines_of_a_service_whose_log_was_not_read_are_not_made_up() -> None:
    told = ask(Kind.LOG_LINES, service="permits-db")
    assert "No log of `permits-db` was read" in told.text
    assert "```" not in told.text


def test_a_log_that_could_not_be_read_is_told_with_its_reason() -> None:
    story = replace(BARE, observations=(seen("E1", "search_logs", "permits-web", None, "no log can be read"),))
    told = ask(Kind.LOG_LINES, story)
    assert "[E1] `no log can be read`" in told.text


def test_waiting_is_told_from_what_is_known_and_predicts_nothing() -> None:
    told = ask(Kind.WHAT_IF_WAIT)
    assert "`permits-api` is `stopped` since 2026-11-20T09:41:00Z (24 min) [E2]" in told.text
    assert "until 2026-11-20T10:17:00Z (in 12 min)" in told.text and "nothing runs" in told.text
    assert "`permits-web` depends on `permits-api`" in told.text
    assert "`T-17`" in told.text and "cannot be predicted" in told.text


def test_a_deadline_that_is_over_is_told_as_over() -> None:
    told = answer(Intent(Kind.WHAT_IF_WAIT), FULL, "2026-11-20T11:00:00Z")
    assert "that is over" in told.text and "(in " not in told.text


def test_the_other_service_is_the_one_that_looks_ill() -> None:
    assert ask(Kind.OTHER_SERVICE).action == OtherService("permits-api")


def test_a_service_that_is_named_is_looked_at() -> None:
    assert ask(Kind.OTHER_SERVICE, service="permits-db").action == OtherService("permits-db")
    assert ask(Kind.OTHER_SERVICE, service="intranet").action == OtherService("intranet")


def test_a_service_outside_the_inventory_is_not() -> None:
    told = ask(Kind.OTHER_SERVICE, service="elsewhere")
    assert told.action is None and "not a service of the inventory" in told.text


def test_where_several_services_offer_themselves_it_asks_which() -> None:
    well = replace(FULL, observations=())
    told = ask(Kind.OTHER_SERVICE, well)
    assert told.action is None
    assert all(name in told.text for name in ("permits-api", "permits-db", "intranet", "Name it"))
    assert ask(Kind.OTHER_SERVICE, well, text="try the next one").action == OtherService("permits-api")
    assert ask(Kind.OTHER_SERVICE, replace(well, scope=("permits-web", "permits-db"))).action == OtherService(
        "permits-db"
    )


def test_what_would_change_shows_exactly_what_would_run() -> None:
    told = ask(Kind.WHAT_WOULD_CHANGE)
    assert '"action": "restart_service",\n  "target": "permits-api",\n  "params": {}' in told.text
    assert "| `state` | `stopped` | `running` |" in told.text
    assert "Unchanged: `port` `8080`" in told.text and "+state: running" in told.text


@pytest.mark.parametrize("state", list(State))
def test_a_message_never_approves_and_says_where_the_decision_is_made(state: State) -> None:
    told = ask(Kind.APPROVE_BY_TEXT, replace(FULL, state=str(state)))
    assert told.text.startswith("**Nothing was decided")
    assert "buttons" in told.text and told.action is None
    assert ("The open card is `0123456789ab`" in told.text) == (state is State.AWAITING)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", [*map(str, State), *map(str, Outcome), "open", "investigating", "awaiting_approval"])
def test_every_state_has_words_of_its_own(state: str, language: Language) -> None:
    assert f"state_{state}" in (EN if language == "en" else DE)
    assert ask(Kind.STATUS, replace(FULL, state="", incident_state=state), language=language).text


@pytest.mark.parametrize("state", ["rejected", "expired", "withdrawn", "superseded", "stale"])
def test_what_did_not_run_is_not_offered_to_be_undone(state: str) -> None:
    assert "nothing to undo" in ask(Kind.UNDO, replace(FULL, state=state)).text


def test_who_may_approve_is_told_with_the_rule() -> None:
    told = ask(Kind.WHO_MAY_APPROVE)
    assert "**dana.meyer**, **sam.okafor**" in told.text and "Risk medium" in told.text
    assert "ines.costa" in told.text


def test_steps_by_hand_are_quoted_and_not_invented() -> None:
    told = ask(Kind.HOW_BY_HAND)
    assert "> 1. Start it: `supervisorctl start NAME`" in told.text and "reject the card" in told.text
    assert "not fitted to this incident" in told.text
    assert "> 1. Find what grows: `du -xh / | sort -h`" in ask(Kind.HOW_BY_HAND, BY_HAND).text


def test_a_source_that_is_named_is_shown_in_full() -> None:
    told = ask(Kind.SOURCES, source=1)
    assert "The proxy answers 502." in told.text and "supervisorctl" in told.text and told.cites == (1,)
    assert ask(Kind.SOURCES, text="show RB-104").cites == (2,)
    assert "There is no source 7" in ask(Kind.SOURCES, source=7).text


def test_evidence_that_does_not_exist_is_told_with_what_does() -> None:
    told = ask(Kind.EVIDENCE_FOR, evidence="E99")
    assert "There is no `E99`" in told.text and "E99" not in told.evidence and "E1" in told.evidence


def test_the_first_answer_leaves_the_card_to_the_card() -> None:
    told = first_answer(FULL, now=NOW)
    assert told.text.startswith("**permits-api is stopped behind the proxy** (confirmed by what was measured;")
    assert "on the card" in told.text and "restart_service" not in told.text
    assert told.cites == (1, 2)


def test_where_there_is_no_action_the_first_answer_quotes_the_steps() -> None:
    assert "> 1. Find what grows" in first_answer(BY_HAND, now=NOW).text


def test_the_first_answer_counts_the_sources_it_is_given() -> None:
    assert first_answer(FULL, SOURCES[2:], NOW).cites == (1,)


def test_the_outcome_says_who_decided_what_ran_and_what_was_seen() -> None:
    told = outcome_answer(VERIFIED, NOW)
    assert told.text.startswith("The fix ran and is verified")
    assert "**dana.meyer**, 2 min ago" in told.text and "looks right" in told.text
    assert "`service_status` on `permits-api`: as it should be" in told.text
    assert "`check_http` on `permits-web`: could not be checked" in told.text


def test_anything_else_gets_passages_evidence_and_the_truth_about_models() -> None:
    told = passages_answer("can you also restart the upstream", FULL, SOURCES, False, NOW)
    assert "[E4]" in told.text and "`RB-101`" in told.text
    assert "started nothing" in told.text and "needs a language model, and none is configured" in told.text
    assert "language model, and none" not in passages_answer("upstream", FULL, SOURCES, True, NOW).text


def test_anything_else_without_a_find_says_so() -> None:
    told = passages_answer("what's the weather", None, (), False)
    assert "has anything that fits" in told.text and told.cites == ()


def test_a_german_question_is_answered_in_german_with_evidence_as_it_is() -> None:
    told = ask(Kind.WHY, language="de")
    assert "durch Messung bestätigt" in told.text and "permits-api is stopped behind the proxy" in told.text
    assert "Sprachmodell" in passages_answer("was ist ein reverse proxy", FULL, SOURCES, False, NOW).text


def test_both_catalogues_have_the_same_sentences_with_the_same_blanks() -> None:
    def blanks(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    assert EN.keys() == DE.keys()
    assert [key for key in EN if blanks(EN[key]) != blanks(DE[key])] == []


def hostile_story(text: str) -> Story:
    """Return the full story in which every text that comes from elsewhere is `text`."""
    causes = tuple(replace(cause, says=text, steps=text, decided_by=(text,), fix=None) for cause in CAUSES)
    source = {**SOURCES[0], "title": text, "passages": [{"heading": f"by hand {text}", "text": text, "digest": "d"}]}
    return replace(
        FULL,
        subject=text,
        body=text,
        observations=(
            seen("E1", "check_http", "permits-web", {"ok": False, "body": text, "password": "hunter2"}),
            seen("E2", "service_status", "permits-api", {"state": "stopped", "since": text, "last_log": text}),
            seen(
                "E3", "search_logs", "permits-web", {"matched": 1, "lines": [{"at": text, "text": text}]}, contains=text
            ),
            seen("E4", "check_disk", "permits-db", None, text),
        ),
        sources=(source,),
        similar=({"ticket": text, "subject": text, "solved_at": text, "solution": text, "verified": False},),
        diagnosis=Diagnosis(Outcome.BY_HAND, text, causes, (text,), ruled_out=1),
        missing=(text,),
        beside={"diff": text, "owner": text, "may_approve": [text], "rehearsed_at": text, "needed_by": [text]},
        state="not_verified",
        approver=text,
        reason=text,
        decided_at=text,
        outcome={"started_at": text, "reason": text, "checks": [{"tool": text, "service": text, "says": text}]},
    )


@given(
    st.one_of(
        st.sampled_from(HOSTILE), st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))).map("\n".join)
    ),
    st.sampled_from(Kind),
    st.sampled_from(LANGUAGES),
    st.sampled_from(["", "awaiting", "not_verified"]),
)
def test_hostile_text_makes_no_citation_no_link_no_markup_and_shows_no_secret(
    text: str, kind: Kind, language: Language, state: str
) -> None:
    story = replace(hostile_story(text), state=state)
    told = [
        answer(Intent(kind, language=language, evidence=e), story, NOW)
        for e in (("", "E1", "E3") if kind is Kind.EVIDENCE_FOR else ("",))
    ]
    told += [first_answer(story, now=NOW, language=language), outcome_answer(story, NOW, language)]
    told.append(passages_answer(text, story, story.sources, False, NOW))
    for one in told:
        citations_hold(one, story)
        spoken = re.sub(r"\\.", "", without_quotations(one.text))
        assert not re.search(r"\]\(|!\[|<\w|(?i:https?:|www\.)", spoken)
        assert not re.search(r"(?m)^\s*#", spoken)
        assert not any(secret in one.text for secret in ("hunter2", "abcdefghijkl"))
        assert "\x1b" not in one.text and "\u202e" not in one.text and "\u200b" not in one.text
