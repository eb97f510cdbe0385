"""Intents without a language model: what people type, what is none of the list, and what is never an approval."""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agent.chat
from agent.chat.intents import FLOOR, MARGIN, Intent, Kind, Recogniser, nearest, service_in
from agent.chat.normal import folded, language_of, mended, plain_words
from agent.chat.patterns import MENDABLE
from agent.chat.prototypes import PROTOTYPES, UNRELATED
from tests.agent.chat.phrases import FIRST, FIRST_UNRELATED, HELD_OUT, HELD_OUT_UNRELATED
from tests.agent.chat.worlds import SERVICES

THE_FIVE = (Kind.WHY, Kind.WHAT_ELSE_CHECKED, Kind.OTHER_SERVICE, Kind.LOG_LINES, Kind.WHAT_IF_WAIT)


def kind_of(recogniser: Recogniser, text: str) -> Kind | None:
    intent = recogniser.recognise(text, SERVICES)
    return intent.kind if intent else None


def counted(recogniser: Recogniser, phrases: Mapping[Kind, Sequence[str]]) -> tuple[float, float]:
    """Return the shares of phrases with their own intent and with a wrong one."""
    found = [(kind, kind_of(recogniser, text)) for kind, several in phrases.items() for text in several]
    return (
        sum(kind is got for kind, got in found) / len(found),
        sum(got not in (kind, None) for kind, got in found) / len(found),
    )


def bare(text: str) -> str:
    return " ".join(plain_words(folded(text)))


def test_the_lists_are_as_long_as_promised_and_hold_nothing_twice() -> None:
    for phrases in (FIRST, HELD_OUT):
        assert set(phrases) == set(Kind)
        assert all(len(phrases[kind]) >= (20 if kind in THE_FIVE else 8) for kind in Kind)
    texts = [bare(text) for phrases in (FIRST, HELD_OUT) for several in phrases.values() for text in several]
    assert len(FIRST_UNRELATED) + len(HELD_OUT_UNRELATED) >= 110
    assert len(set(FIRST_UNRELATED)) == len(FIRST_UNRELATED)
    assert len(set(texts)) > 0.95 * len(texts)


def test_no_phrase_of_the_tests_is_an_example() -> None:
    examples = {bare(text) for several in PROTOTYPES.values() for text in several} | {bare(text) for text in UNRELATED}
    written = {bare(text) for several in FIRST.values() for text in several} | {bare(text) for text in FIRST_UNRELATED}
    written |= {bare(text) for text in HELD_OUT_UNRELATED}
    assert not examples & written
    held_out = {bare(text) for several in HELD_OUT.values() for text in several}
    assert len(examples & held_out) <= 2  # two people may type the same short question


@pytest.mark.parametrize("kind", Kind)
def test_what_people_type_is_known_by_meaning_and_patterns(kind: Kind, by_meaning: Recogniser) -> None:
    assert [text for text in FIRST[kind] if kind_of(by_meaning, text) is not kind] == []


def test_without_a_model_of_embeddings_the_patterns_still_know_most(by_pattern: Recogniser) -> None:
    right, wrong = counted(by_pattern, FIRST)
    assert right >= 0.97
    assert wrong == 0


def test_phrases_held_out_are_known_nine_times_in_ten(by_meaning: Recogniser) -> None:
    right, wrong = counted(by_meaning, HELD_OUT)
    assert right >= 0.9
    assert wrong <= 0.03


def test_phrases_held_out_are_mostly_known_without_embeddings(by_pattern: Recogniser) -> None:
    right, wrong = counted(by_pattern, HELD_OUT)
    assert right >= 0.75
    assert wrong <= 0.02


@pytest.mark.parametrize("text", FIRST_UNRELATED)
def test_a_new_problem_an_order_or_small_talk_is_no_intent(
    text: str, by_meaning: Recogniser, by_pattern: Recogniser
) -> None:
    assert kind_of(by_meaning, text) is None
    assert kind_of(by_pattern, text) is None


def test_of_unrelated_sentences_held_out_hardly_one_has_an_intent(by_meaning: Recogniser) -> None:
    assert sum(kind_of(by_meaning, text) is not None for text in HELD_OUT_UNRELATED) <= 2


@pytest.mark.parametrize("text", [*FIRST[Kind.APPROVE_BY_TEXT], *HELD_OUT[Kind.APPROVE_BY_TEXT]])
def test_a_typed_approval_needs_no_embeddings_to_be_answered_as_such(text: str, by_pattern: Recogniser) -> None:
    assert kind_of(by_pattern, text) is Kind.APPROVE_BY_TEXT


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("look at permits-api instead", "permits-api"),
        ("what about the Permit Register", "permits-api"),
        ("i meant permits-db not permits-web", "permits-db"),
        ("check permits-ap", "permits-api"),
        ("try the other service", ""),
        ("untersuch die datenbank", "permits-db"),
        ("check the permit databse", "permits-db"),
    ],
)
def test_the_service_that_is_meant_is_told(text: str, service: str, by_pattern: Recogniser) -> None:
    intent = by_pattern.recognise(text, SERVICES)
    assert intent is not None
    assert (intent.kind, intent.service) == (Kind.OTHER_SERVICE, service)


def test_a_word_that_several_services_have_names_none_of_them() -> None:
    assert service_in("check the permit thing", SERVICES).name == ""
    assert service_in("check the register", SERVICES).name == "permits-api"
    assert service_in("anything", {}).name == ""


@pytest.mark.parametrize(
    ("text", "evidence", "source"),
    [
        ("show me E12", "E12", 0),
        ("e3?", "E3", 0),
        ("open source 2", "", 2),
        ("what does [1] say, show the source", "", 1),
    ],
)
def test_ids_and_numbers_are_read_out_of_the_question(
    text: str, evidence: str, source: int, by_pattern: Recogniser
) -> None:
    intent = by_pattern.recognise(text, SERVICES)
    assert intent is not None
    assert (intent.evidence, intent.source) == (evidence, source)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("warum?", "de"),
        ("was passiert wenn ich warte", "de"),
        ("why?", "en"),
        ("was it the disk", "en"),
        ("zeig mir die logs", "de"),
        ("E3", "en"),
        ("wer darf das freigeben", "de"),
        ("who may approve this", "en"),
        ("was ist der stand", "de"),
    ],
)
def test_the_language_of_a_question_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("waht else have you cheked", "what else have you checked"),
        ("sho me teh logs", "show me the logs"),
        ("tyr the other servce", "tyr the other service"),
        ("it is slow while i wait", "it is slow while i wait"),
        ("can't we wait", "can not we wait"),
        ("whyyy", "why"),
    ],
)
def test_slips_are_mended_and_words_left_alone(typed: str, meant: str) -> None:
    assert mended(plain_words(folded(typed)), MENDABLE) == meant


def test_the_examples_are_embedded_once() -> None:
    class Counting:
        def __init__(self) -> None:
            self.texts: list[int] = []

        def embed(self, texts: Sequence[str]) -> Any:
            self.texts.append(len(texts))
            return np.ones((len(texts), 2), np.float32)

    embedder = Counting()
    recogniser = Recogniser(embedder)
    recogniser.warm()
    for _ in range(3):
        assert recogniser.recognise("purple elephants juggle slowly") is None
    assert [count > 10 for count in embedder.texts] == [True, False, False, False]


@pytest.mark.parametrize(
    ("cosines", "kind"),
    [
        ((FLOOR + 0.01, 0.0, 0.0), Kind.WHY),
        ((FLOOR - 0.01, 0.0, 0.0), None),
        ((FLOOR + 0.2, FLOOR + 0.2 - MARGIN / 2, 0.0), None),
        ((FLOOR + 0.2, 0.0, FLOOR + 0.2 - MARGIN / 2), None),
        ((0.0, 0.0, FLOOR + 0.2), None),
    ],
)
def test_what_is_too_far_or_between_two_is_none(cosines: tuple[float, float, float], kind: Kind | None) -> None:
    vectors, asked = np.array([[cosine] for cosine in cosines]), np.array([[1.0]])
    assert nearest((Kind.WHY, Kind.STATUS, None), vectors, asked)[0] is kind


def test_the_room_imports_nothing_but_the_core_and_the_standard_library() -> None:
    for file in Path(agent.chat.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                inside = f"{name}.".startswith(("agent.core.", "agent.chat."))
                assert inside or name.split(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"


def test_a_long_text_is_read_by_nobody_as_a_question(by_pattern: Recogniser) -> None:
    assert by_pattern.recognise("why? " * 100) is None
    assert by_pattern.recognise("") is None
    assert by_pattern.recognise(" \u200b\n") is None


@given(st.text(max_size=300))
def test_whatever_is_typed_gives_an_intent_of_the_list_or_none(text: str) -> None:
    intent = Recogniser().recognise(text, SERVICES)
    assert intent is None or (isinstance(intent, Intent) and intent.kind in Kind and intent.service in {"", *SERVICES})
