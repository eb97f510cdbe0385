from __future__ import annotations

from pathlib import Path

from knowledge.chunks import MAX_WORDS, chunk
from knowledge.documents import MAX_BYTES, Document, read_documents, section
from tests.knowledge.worlds import RUNBOOK, folder


def only(root: Path) -> Document:
    documents, _ = read_documents([root])
    assert len(documents) == 1
    return documents[0]


def test_a_runbook_and_a_plain_page_are_both_read(tmp_path: Path) -> None:
    root = folder(tmp_path / "pages", {"web.md": RUNBOOK, "net/vpn.md": "# VPN for guests\n\nAsk the desk.\n"})
    documents, problems = read_documents([root])
    assert problems == []
    by_id = {document.id: document for document in documents}
    assert set(by_id) == {"RB-1", "net/vpn"}
    assert by_id["RB-1"].executable is not None
    assert by_id["RB-1"].owner == "web"
    assert str(by_id["RB-1"].reviewed) == "2026-09-12"
    assert by_id["net/vpn"].executable is None
    assert by_id["net/vpn"].title == "VPN for guests"


def test_bad_files_are_reported_one_by_one_and_stop_nothing(tmp_path: Path) -> None:
    root = folder(tmp_path / "pages", {"good.md": "# Good\n\ntext\n"})
    (root / "binary.md").write_bytes(b"\x00\x01\x02")
    (root / "latin.md").write_bytes("first\nsecond\nStra\u00dfe".encode("latin-1"))
    (root / "large.md").write_bytes(b"x" * (MAX_BYTES + 1))
    (root / "open.md").write_text("---\nid: x\ntitle: y\nno end\n", encoding="utf-8")
    (root / "yaml.md").write_text("---\nid: x\ntitle: [a\n---\n# Still readable\n", encoding="utf-8")
    documents, problems = read_documents([root, tmp_path / "missing"])
    assert {document.id for document in documents} == {"good", "yaml"}
    found = {problem.path.name: (problem.line, problem.message) for problem in problems}
    assert "NUL" in found["binary.md"][1]
    assert found["latin.md"][0] == 3
    assert str(MAX_BYTES) in found["large.md"][1]
    assert "never closed" in found["open.md"][1]
    assert found["yaml.md"][0] in (3, 4)
    assert "not a folder" in found["missing"][1]


def test_a_runbook_with_a_mistake_stays_readable_and_runs_nothing(tmp_path: Path) -> None:
    text = RUNBOOK.replace("owner: web", "ownr: web")
    root = folder(tmp_path / "pages", {"web.md": text})
    documents, problems = read_documents([root])
    assert documents[0].executable is None
    assert "Start it." in documents[0].text
    assert {"unknown key `ownr`", "`owner` is missing"} <= {problem.message for problem in problems}


def test_of_two_pages_with_one_id_the_second_is_reported(tmp_path: Path) -> None:
    root = folder(tmp_path / "pages", {"a.md": "---\nid: X-1\n---\n# A\n", "b.md": "---\nid: X-1\n---\n# B\n"})
    documents, problems = read_documents([root])
    assert [document.title for document in documents] == ["A"]
    assert problems[0].path.name == "b.md"


def test_aliases_that_would_explode_are_refused(tmp_path: Path) -> None:
    bomb = "---\na: &a [x, x]\nb: &b [*a, *a]\nid: y\n---\n# Page\n"
    documents, problems = read_documents([folder(tmp_path / "pages", {"bomb.md": bomb})])
    assert documents[0].id == "bomb"
    assert problems[0].line == 3


def test_hidden_characters_are_left_out_of_what_is_read(tmp_path: Path) -> None:
    hidden = "# Ti\u200btle\n\nRun \u202eevil\u202c this\U000e0041\U000e0042.\n"
    document = only(folder(tmp_path / "pages", {"a.md": hidden}))
    assert document.title == "Title"
    assert document.text == "# Title\n\nRun evil this.\n"


def test_chunks_carry_title_and_heading_and_stay_short(tmp_path: Path) -> None:
    words = " ".join(f"word{n}" for n in range(500))
    text = f"# PodNotReady\n\nlead\n\n## Steps\n\n{words}\n\n```\n# no heading\n```\n\n## Owner\n\nus\n"
    chunks = chunk(only(folder(tmp_path / "pages", {"a.md": text})))
    assert {piece.heading for piece in chunks} == {"PodNotReady", "Steps", "Owner"}
    assert all(len(piece.text.split()) <= MAX_WORDS for piece in chunks)
    assert chunks[-1].indexed.startswith("Pod Not Ready > Owner\n")
    together = " ".join(piece.text for piece in chunks)
    assert all(f"word{n}" in together for n in range(500))
    assert "# no heading" in together


def test_a_section_is_quoted_with_what_stands_below_it(tmp_path: Path) -> None:
    text = "# T\n\n## A\n\none\n\n### A1\n\ntwo\n\n## B\n\nthree\n"
    document = only(folder(tmp_path / "pages", {"a.md": text}))
    assert section(document, "a") == "one\n\n### A1\n\ntwo"
    assert section(document, "missing") is None
