from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import knowledge
from knowledge.embedding import Embedder
from knowledge.index import Knowledge, open_knowledge
from knowledge.search import QUERY_WORDS, shorten
from tests.knowledge.worlds import RUNBOOK, folder

RUNBOOKS = Path(knowledge.__file__).parent / "runbooks"


@pytest.fixture(scope="module")
def own(minilm: Embedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knowledge]:
    with open_knowledge([RUNBOOKS], tmp_path_factory.mktemp("index"), minilm) as opened:
        assert opened.problems == ()
        assert opened.warnings == ()
        yield opened


@pytest.mark.parametrize(
    ("ticket", "page"),
    [
        ("The citizens portal shows Bad Gateway since 8 o'clock", "service-behind-the-proxy-unreachable"),
        ("Intranet down? I only get error 502 when I open it", "service-behind-the-proxy-unreachable"),
        ("Nobody in our office can reach the booking page, browser says it refused to connect",
         "service-behind-the-proxy-unreachable"),
        ("gateway timeout on the parking permit site", "service-behind-the-proxy-unreachable"),
        ("The document service crashes seconds after we bring it up and supervisor has stopped trying",
         "service-will-not-start"),
        ("When I press save in the case file application it just hangs for ever, viewing works",
         "application-waits-for-its-database"),
        ("Users complain that the permit application has been terribly slow since this morning, forms do not submit",
         "application-waits-for-its-database"),
        ("queries pile up behind one session in postgres that holds a lock", "application-waits-for-its-database"),
        ("Upload fails, log says there is no space left", "disk-filling-up"),
        ("Firefox warns that the website of the library is insecure, potential security risk ahead",
         "tls-certificate-expiring"),
        ("SSL cert of the payment page runs out next week", "tls-certificate-expiring"),
        ("I got a new mobile and now I can't approve the login from home any more", "vpn-and-mfa-for-new-starters"),
        ("New colleague from Monday can't log in remotely, authenticator never asks", "vpn-and-mfa-for-new-starters"),
        ("Our printer on the second floor prints nothing, documents are just waiting", "printer-queue-stuck"),
        ("Mrs. Berger starts today and has no user account yet", "joiner-mover-leaver"),
        ("my account is locked again and again after changing my password", "joiner-mover-leaver"),
        ("A resident says her messages to us come back undeliverable", "email-bounces"),
        ("Somebody deleted last month's invoices from the finance database, we need them back",
         "database-backup-and-restore"),
        ("Who do I phone at night if the duty engineer does not pick up?", "on-call-handover-and-escalation"),
        ("I can't open the folder of my department any more, access denied", "shared-folder-access"),
        ("An Excel file on the network drive has vanished", "shared-folder-access"),
    ],
)  # fmt: skip
def test_a_ticket_in_everyday_words_finds_its_page(own: Knowledge, ticket: str, page: str) -> None:
    best = own.search(ticket).hits[0]
    assert best.path.stem == page, (best.page, best.support, str(best.explanation))
    assert best.relevant, (best.support, str(best.explanation))


@pytest.mark.parametrize(
    "ticket",
    ["the coffee machine is leaking", "my keyboard is sticky", "When is the canteen open on Friday?",
     "Please order 20 new office chairs", "The lift in building B makes strange noises",
     "Can I book the large meeting room for Thursday?", "How do I claim travel expenses for the conference?",
     "I found a set of keys in the parking garage", "There is a bird in the stairwell", "asdf qwer zxcv",
     "Bitte bestellen Sie neue Stifte", "the projector in the council chamber has a yellow tint"],
)  # fmt: skip
def test_a_ticket_about_something_else_has_no_page(own: Knowledge, ticket: str) -> None:
    result = own.search(ticket)
    assert result.relevant == (), [(hit.page, hit.support) for hit in result.relevant]


@pytest.mark.parametrize("ticket", ["", "   \n\t ", "\u200b\u202e"])
def test_an_empty_ticket_finds_nothing(own: Knowledge, ticket: str) -> None:
    assert own.search(ticket).hits == ()


@pytest.mark.parametrize(
    "ticket", ["\x00\x01\xff" * 1000, "\udc80 lone surrogate", "日本語のチケットです", "%$§ ''\";--"]
)
def test_a_strange_ticket_is_no_error(own: Knowledge, ticket: str) -> None:
    assert own.search(ticket).relevant == ()


def test_a_megabyte_of_log_under_a_subject_does_not_hide_the_subject(own: Knowledge) -> None:
    noise = "2026-11-20T23:54:00Z INFO heartbeat sequence accepted\n" * 20_000
    best = own.search("Our printer prints nothing, jobs stay in the queue\n\n" + noise).hits[0]
    assert best.path.stem == "printer-queue-stuck"
    assert best.relevant
    assert len(shorten(noise).split()) <= QUERY_WORDS


def test_a_page_that_is_named_comes_first(own: Knowledge) -> None:
    for text, name in [
        ("[FIRING] DiskAlmostFull on host 7, see the printer", "DiskAlmostFull"),
        ("as in RB-104", "RB-104"),
        ("runbook_url: https://wiki.example/runbooks/disk-filling-up.md", "disk-filling-up"),
    ]:
        best = own.search(text).hits[0]
        assert (best.page, best.relevant, best.explanation.exact) == ("RB-104", True, name)


def test_a_hit_explains_itself_and_quotes_its_page(own: Knowledge) -> None:
    best = own.search("saving hangs, sessions wait for a lock in postgres").hits[0]
    assert set(best.explanation.legs) == {
        "page words", "passage words", "word pairs", "passage meaning", "title meaning"
    }  # fmt: skip
    assert {"lock", "sessions"} <= set(best.explanation.words)
    document = own.document(best.page)
    assert document is not None
    assert best.digest == document.digest
    assert best.runbook is document.executable
    assert best.runbook is not None
    assert any(passage.text in document.text for passage in best.passages)
    assert [p.score for p in best.passages] == sorted((p.score for p in best.passages), reverse=True)


def test_filters_leave_pages_out(own: Knowledge) -> None:
    text = "the database is slow and hangs"
    assert {hit.owner for hit in own.search(text, owner="messaging").hits} == {"messaging"}
    assert all(hit.runbook for hit in own.search(text, executable=True).hits)
    assert not any(hit.runbook for hit in own.search(text, executable=False).hits)


def test_without_a_model_words_alone_find_pages_and_say_so(tmp_path: Path) -> None:
    with open_knowledge([RUNBOOKS], tmp_path, None) as words:
        result = words.search("print jobs stay in the queue and nothing comes out of the printer")
        assert result.notes == ("search by words alone",)
        assert result.hits[0].path.stem == "printer-queue-stuck"
        assert result.hits[0].relevant
        assert words.search("the coffee machine is leaking").relevant == ()


def test_one_page_and_no_page_can_be_searched(minilm: Embedder, tmp_path: Path) -> None:
    with open_knowledge([folder(tmp_path / "one", {"web.md": RUNBOOK})], tmp_path / "i1", minilm) as one:
        assert one.search("web server does not answer").hits[0].page == "RB-1"
    with open_knowledge([folder(tmp_path / "none", {})], tmp_path / "i2", minilm) as none:
        assert none.search("web server does not answer").hits == ()
