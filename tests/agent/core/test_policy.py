"""Who may approve what: every row of the table, and that no row lets the assistant itself through."""

from __future__ import annotations

import pytest

from agent.core.errors import Refused
from agent.core.policy import may_approve, who_may
from tests.agent.proposals import PORTAL, proposal


@pytest.mark.parametrize(
    ("risk", "person", "requester", "code"),
    [
        ("low", "ada", "rita", ""),
        ("low", "cy", "rita", ""),
        ("low", "cy", "cy", ""),  # the requester too, where entitled
        ("low", "rita", "rita", "not_entitled"),
        ("low", "nobody", "rita", "not_entitled"),
        ("medium", "ada", "rita", ""),
        ("medium", "cy", "rita", "not_entitled"),
        ("medium", "ada", "ada", "four_eyes"),
        ("medium", "ada", " Ada", "four_eyes"),
        ("high", "ada", "rita", "needs_passkey"),
        ("low", "countersign", "rita", "not_a_person"),
        ("low", "Countersign", "rita", "not_a_person"),
        ("low", "", "rita", "not_a_person"),
    ],
)
def test_the_table_of_who_may_approve_holds(risk: str, person: str, requester: str, code: str) -> None:
    one = proposal(risk=risk, requester=requester)
    if not code:
        may_approve(one, person, PORTAL)
        return
    with pytest.raises(Refused) as refused:
        may_approve(one, person, PORTAL)
    assert refused.value.code == code


def test_whoever_wrote_a_medium_proposal_cannot_approve_it() -> None:
    with pytest.raises(Refused) as refused:
        may_approve(proposal(risk="medium", author="ada"), "ada", PORTAL)
    assert refused.value.code == "four_eyes"


def test_an_approver_of_another_service_is_nobody_here() -> None:
    with pytest.raises(Refused) as refused:
        may_approve(proposal(target="other"), "ada", PORTAL)
    assert refused.value.code == "wrong_target"


def test_the_card_names_exactly_those_who_may_approve() -> None:
    assert who_may(proposal(risk="low"), PORTAL) == ("ada", "bo", "cy")
    assert who_may(proposal(risk="medium", requester="ada"), PORTAL) == ("bo",)
    assert who_may(proposal(risk="high"), PORTAL) == ()
