"""Which service a ticket is about, and what an incident about it may touch."""

from __future__ import annotations

import pytest

from agent.core.errors import CountersignError
from agent.core.estate import Estate, Service, estate_from_inventory

ESTATE = Estate(
    [
        Service("parking-web", "web", "Parking portal", ("parking website",), depends_on=("parking-api",)),
        Service("parking-api", "app", "Parking service", depends_on=("parking-db",)),
        Service("parking-db", "postgres", "Parking database"),
        Service("mail-relay", "mail", "Mail relay", ("outgoing mail",)),
    ]
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("The Parking Portal answers 502", ("parking-web",)),
        ("parking-api logs errors", ("parking-api",)),
        ("outgoing mail bounces", ("mail-relay",)),
        ("The parkingportal is down", ()),
        ("nothing in particular", ()),
    ],
)
def test_a_service_is_recognised_by_its_name_title_or_alias(text: str, named: tuple[str, ...]) -> None:
    assert ESTATE.named_in(text) == named


def test_a_telling_word_points_at_the_service_that_users_see() -> None:
    assert ESTATE.hinted_in("I cannot pay for parking any more") == "parking-web"
    assert ESTATE.hinted_in("the database is slow") is None
    assert ESTATE.hinted_in("parking tickets and the relay") is None


def test_the_scope_of_an_incident_is_the_service_and_what_it_needs() -> None:
    assert ESTATE.scope("parking-web") == ("parking-web", "parking-api", "parking-db")
    assert ESTATE.scope("mail-relay") == ("mail-relay",)
    assert ESTATE.depth("parking-web", "parking-db") == 2
    assert ESTATE.nearest("parking-web", "postgres") == "parking-db"
    assert ESTATE.nearest("mail-relay", "postgres") is None


def test_services_that_need_each_other_do_not_go_round_for_ever() -> None:
    circle = Estate([Service("a", "x", depends_on=("b",)), Service("b", "x", depends_on=("a",))])
    assert circle.scope("a") == ("a", "b")


@pytest.mark.parametrize("bad", [None, [], {"hosts": {}}, {"all": {"hosts": {"one": {}}}}])
def test_what_is_no_inventory_is_refused_in_plain_words(bad: object) -> None:
    with pytest.raises(CountersignError):
        estate_from_inventory(bad)
