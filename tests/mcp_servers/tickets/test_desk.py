from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from mcp_servers.tickets.desk import Desk, DeskError
from mcp_servers.tickets.words import READ_CHARACTERS, terms


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "desk.db")
    yield made
    made.close()


def solved(desk: Desk, subject: str, body: str = "", solution: str = "restarted it", service: str = "") -> str:
    ticket = desk.create(subject, body, "ines", service)
    desk.resolve(ticket, solution, verified=True)
    return ticket


def test_tickets_are_numbered_from_t_1001_and_kept_over_a_restart(tmp_path: Path) -> None:
    first = Desk(tmp_path / "desk.db")
    assert (first.create("a", "x", "ines"), first.create("b", "", "ines", "shop")) == ("T-1001", "T-1002")
    first.close()
    again = Desk(tmp_path / "desk.db")
    assert (again.get("T-1001").subject, again.get("T-1002").body, again.get("T-1002").service) == ("a", "", "shop")
    assert again.create("c", "", "ines") == "T-1003"
    again.close()


def test_a_ticket_without_subject_or_requester_is_refused_and_an_empty_body_kept(desk: Desk) -> None:
    for subject, requester in (("", "ines"), (" \n\x00", "ines"), ("x", "")):
        with pytest.raises(DeskError):
            desk.create(subject, "body", requester)
    assert desk.get(desk.create("x", "", "ines")).body == ""


def test_a_megabyte_and_every_byte_there_is_are_stored_whole(desk: Desk) -> None:
    large = "ä" * 500_000
    assert desk.get(desk.create("large", large, "ines")).body == large
    every = bytes(range(256)).decode("utf-8", "replace")
    assert desk.get(desk.create("binary", every, "ines")).body == every
    assert desk.get(desk.create("surrogate", "a\ud800b", "ines")).body == "a?b"
    with pytest.raises(DeskError, match="8 MiB"):
        desk.create("too large", "x" * (8 * 1024 * 1024 + 1), "ines")


def test_a_search_wants_every_word_and_the_last_may_be_a_beginning(desk: Desk) -> None:
    desk.create("Checkout answers 502", "since this morning", "ines", "shop")
    desk.create("Printer jams", "checkout desk, paper", "ben")
    assert [found.id for found in desk.search("checkout 502", "", "", 10)] == ["T-1001"]
    assert [found.id for found in desk.search("check", "", "", 10)] == ["T-1001", "T-1002"]
    assert [found.id for found in desk.search("", "", "", 10)] == ["T-1002", "T-1001"]
    assert [found.id for found in desk.search("checkout", "", "shop", 10)] == ["T-1001"]
    assert desk.search("checkout", "solved", "", 10) == []
    assert desk.search("???", "", "", 10) == []


@pytest.mark.parametrize(
    "query", ['" OR "', "a AND", "NEAR(", "subject:*", "'; DROP TABLE tickets; --", "(", "^x*", "\0"]
)
def test_no_query_is_ever_syntax(desk: Desk, query: str) -> None:
    desk.create("a ticket", "x", "ines")
    desk.search(query, "", "", 10)
    desk.similar(query, "", 5, "")
    assert desk.get("T-1001").subject == "a ticket"


def test_similar_tickets_are_solved_ones_the_nearest_first(desk: Desk) -> None:
    near = solved(desk, "Shop shows bad gateway", "502 from the proxy, upstream refused", "restarted the app", "shop")
    far = solved(desk, "Proxy certificate expired", "browser warns", "renewed the certificate", "proxy")
    unsolved = desk.create("Shop shows bad gateway again", "502 upstream", "ines", "shop")
    found = desk.similar("The shop answers 502 bad gateway, proxy upstream", "", 5, "")
    assert [each.ticket.id for each in found] == [near, far]
    assert 100 >= found[0].score > found[1].score > 0
    assert found[0].ticket.solution == "restarted the app" and found[0].ticket.verified
    assert unsolved not in [each.ticket.id for each in found]
    assert [each.ticket.id for each in desk.similar("bad gateway proxy", "proxy", 5, "")] == [far]
    assert [each.ticket.id for each in desk.similar("bad gateway proxy", "", 5, near)] == [far]
    assert desk.similar("", "", 5, "") == [] and desk.similar("zebra", "", 5, "") == []


def test_the_same_ticket_scores_a_hundred_and_another_language_works(desk: Desk) -> None:
    solved(desk, "Anwendung startet nicht nach Änderung der Konfiguration")
    (found,) = desk.similar("anwendung startet nicht nach anderung der konfiguration", "", 5, "")
    assert found.score == 100


def test_a_note_is_added_once_per_key(desk: Desk) -> None:
    ticket, other = desk.create("a", "", "ines"), desk.create("b", "", "ines")
    note, replayed = desk.add_note(ticket, "likely cause: ...", "run-1-note")
    again, second = desk.add_note(ticket, "likely cause: ...", "run-1-note")
    assert (replayed, second, again) == (False, True, note)
    for target, text in ((ticket, "something else"), (other, "likely cause: ...")):
        with pytest.raises(DeskError, match="new key"):
            desk.add_note(target, text, "run-1-note")
    assert desk.notes(ticket, 10) == ([note], 1) and desk.notes(other, 10) == ([], 0)


def test_notes_are_cleaned_bounded_and_listed_oldest_first(desk: Desk) -> None:
    ticket = desk.create("a", "", "ines")
    for number in range(4):
        desk.add_note(ticket, f"note {number}\x00\x1b[31m", f"key-{number:05}")
    notes, count = desk.notes(ticket, 3)
    assert ([note.text for note in notes], count) == (["note 1", "note 2", "note 3"], 4)
    for text in ("", " \x00\n", "x" * 65537, "ä" * 40000):
        with pytest.raises(DeskError):
            desk.add_note(ticket, text, "key-other")


def test_an_id_that_is_none_or_not_there_is_refused(desk: Desk) -> None:
    for ticket in ("T-9", "1001", "T-1001; DROP", "T-01", "T-" + "9" * 40):
        with pytest.raises(DeskError):
            desk.get(ticket)


def test_many_writers_at_once_add_one_note_for_one_key(desk: Desk, tmp_path: Path) -> None:
    ticket = desk.create("a", "", "ines")
    second = Desk(tmp_path / "desk.db")
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(
            pool.map(lambda n: (desk if n % 2 else second).add_note(ticket, "once", "same-key-1"), range(24))
        )
    second.close()
    assert sum(not replayed for _, replayed in outcomes) == 1
    assert desk.notes(ticket, 10)[1] == 1


def _open_and_create(path: Path) -> str:
    desk = Desk(path)
    ticket = desk.create("x", "", "ines")
    desk.close()
    return ticket


def test_processes_that_open_a_new_desk_at_once_share_it(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        tickets = list(pool.map(_open_and_create, [tmp_path / "desk.db"] * 8))
    assert sorted(tickets) == [f"T-{number}" for number in range(1001, 1009)]


def test_a_file_that_is_no_desk_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("not a database, but long enough to be taken for one " * 20, encoding="utf-8")
    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    for path in (text, newer, foreign, tmp_path / "missing" / "desk.db"):
        with pytest.raises(DeskError, match="cannot use"):
            Desk(path)
    assert text.read_text(encoding="utf-8").startswith("not a database")


def test_a_full_disk_is_one_sentence_and_nothing_is_half_stored(desk: Desk) -> None:
    ticket = desk.create("a", "", "ines")
    pages = desk._connection.execute("PRAGMA page_count").fetchone()[0]
    desk._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DeskError, match="nothing was changed"):
        desk.add_note(ticket, "x" * 60000, "key-full-1")
    with pytest.raises(DeskError, match="nothing was changed"):
        desk.create("b", "y" * 500_000, "ines")
    desk._connection.execute("PRAGMA max_page_count = 1000000")
    assert desk.notes(ticket, 10) == ([], 0)
    assert desk.add_note(ticket, "x" * 60000, "key-full-1")[1] is False
    assert desk.create("b", "y", "ines") == "T-1002"


def test_telling_words_are_few_even_in_a_huge_text() -> None:
    assert terms("The shop is down, the SHOP!") == ["shop", "down"]
    assert terms("is it") == ["is", "it"]
    assert len(terms(" ".join(f"word{n}" for n in range(10**5)))) == 32
    assert terms("x" * 100 + " " + "y" * READ_CHARACTERS) == []
