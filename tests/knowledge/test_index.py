from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from knowledge.index import open_knowledge
from tests.knowledge.worlds import WordEmbedder, folder, many_pages

OPENS = """
import sys
from pathlib import Path
from knowledge.index import open_knowledge
from tests.knowledge.worlds import WordEmbedder
def say(line):
    print(line, flush=True)
with open_knowledge([Path(sys.argv[1])], Path(sys.argv[2]), WordEmbedder(), say) as found:
    print("open", found.warnings, found.search("topic3").hits[0].page, flush=True)
    sys.stdin.read()
"""


def opened_by_another_process(pages: Path, directory: Path) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", OPENS, str(pages), str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )


def finds_all(pages: Path, directory: Path, count: int) -> tuple[str, ...]:
    with open_knowledge([pages], directory, WordEmbedder()) as found:
        for n in range(0, count, max(1, count // 7)):
            assert found.search(f"topic{n}").hits[0].page == f"page{n}"
        return found.warnings


def test_the_second_opening_embeds_nothing(tmp_path: Path) -> None:
    pages = many_pages(tmp_path / "pages", 5)
    first, second = WordEmbedder(), WordEmbedder()
    open_knowledge([pages], tmp_path / "index", first).close()
    open_knowledge([pages], tmp_path / "index", second).close()
    assert first.embedded == 5 + 5 * 4
    assert second.embedded == 0


def test_a_changed_page_is_taken_up_and_a_removed_one_is_gone(tmp_path: Path) -> None:
    pages = many_pages(tmp_path / "pages", 6)
    finds_all(pages, tmp_path / "index", 6)
    (pages / "page2.md").unlink()
    (pages / "page3.md").write_text("# Fresh words about kangaroos\n\nhop\n", encoding="utf-8")
    embedder = WordEmbedder()
    with open_knowledge([pages], tmp_path / "index", embedder) as found:
        assert embedder.embedded <= 3
        assert found.search("kangaroos").hits[0].page == "page3"
        everything = [hit.page for hit in found.search("topic2 words about", limit=20).hits]
        assert "page2" not in everything
        assert len(everything) == 5
        assert found.warnings == ()  # taken out, not rebuilt


def test_a_second_opening_of_one_directory_works_in_memory_and_says_so(tmp_path: Path) -> None:
    pages = many_pages(tmp_path / "pages", 5)
    with open_knowledge([pages], tmp_path / "index", WordEmbedder()) as first:
        two = [open_knowledge([pages], tmp_path / "index", WordEmbedder()) for _ in range(2)]
        for found in (first, *two):
            assert found.search("topic3").hits[0].page == "page3"
        assert first.warnings == ()
        assert all("in use by another process" in found.warnings[0] for found in two)
        two[0].close()
        assert two[1].search("topic4").hits[0].page == "page4"
        two[1].close()
    assert finds_all(pages, tmp_path / "index", 5) == ()


def test_another_process_on_one_directory_works_in_memory_too(tmp_path: Path) -> None:
    pages = many_pages(tmp_path / "pages", 5)
    with open_knowledge([pages], tmp_path / "index", WordEmbedder()) as first:
        other = opened_by_another_process(pages, tmp_path / "index")
        answer, _ = other.communicate("", timeout=30)
        assert "in use by another process" in answer
        assert answer.strip().endswith("page3")
        assert first.search("topic3").hits[0].page == "page3"


@pytest.mark.parametrize("what", ["sqlite", "vectors", "pointer", "cache", "everything"])
def test_a_damaged_index_is_made_again_from_the_documents(tmp_path: Path, what: str) -> None:
    pages = many_pages(tmp_path / "pages", 300)  # enough for vectors on disk, not only in the log
    directory = tmp_path / "index"
    finds_all(pages, directory, 300)
    patterns = {
        "sqlite": ["chroma-*/chroma.sqlite3"],
        "vectors": ["chroma-*/*/*.bin"],
        "pointer": ["current"],
        "cache": ["embeddings.sqlite"],
        "everything": ["chroma-*/*", "chroma-*/*/*", "current", "embeddings.sqlite"],
    }
    damaged = [path for pattern in patterns[what] for path in directory.glob(pattern) if path.is_file()]
    assert damaged
    for path in damaged:
        path.write_bytes(b"\xff" * max(16, path.stat().st_size // 2))
    finds_all(pages, directory, 300)
    assert finds_all(pages, directory, 300) == ()


def test_an_index_that_breaks_while_it_is_open_is_made_again(tmp_path: Path) -> None:
    pages = many_pages(tmp_path / "pages", 8)
    with open_knowledge([pages], tmp_path / "index", WordEmbedder()) as found:
        vectors = found._vectors
        assert vectors is not None
        client = vectors._client
        assert client is not None
        client.delete_collection("passages")
        assert found.search("topic5").hits[0].page == "page5"
        assert "has been rebuilt" in found.warnings[0]
    assert finds_all(pages, tmp_path / "index", 8) == ()


def test_an_index_of_another_embedder_is_not_mixed_with_this_one(tmp_path: Path) -> None:
    pages = many_pages(tmp_path / "pages", 5)
    finds_all(pages, tmp_path / "index", 5)
    other = WordEmbedder("words/2")
    with open_knowledge([pages], tmp_path / "index", other) as found:
        assert "words/1" in found.warnings[0]
        assert other.embedded >= 25
        assert found.search("topic3").hits[0].page == "page3"


def test_a_directory_that_cannot_be_used_means_memory_and_a_warning(tmp_path: Path) -> None:
    pages = many_pages(tmp_path / "pages", 5)
    (tmp_path / "index").write_text("a file where the directory should be", encoding="utf-8")
    assert "cannot be used" in finds_all(pages, tmp_path / "index", 5)[0]


def test_a_broken_file_does_not_keep_the_others_from_being_found(tmp_path: Path) -> None:
    pages = folder(tmp_path / "pages", {"good.md": "# Elevator\n\ntext\n"})
    (pages / "bad.md").write_bytes(b"\x00")
    with open_knowledge([pages], tmp_path / "index", WordEmbedder()) as found:
        assert found.search("elevator").hits[0].page == "good"
        assert [problem.path.name for problem in found.problems] == ["bad.md"]


def test_killed_at_any_moment_the_index_is_whole_or_made_again(tmp_path: Path) -> None:
    pages = many_pages(tmp_path / "pages", 250)
    for number, after_s in enumerate((0.0, 0.15, 0.4, 0.8)):
        directory = tmp_path / f"index{number % 2}"
        child = opened_by_another_process(pages, directory)
        assert child.stdout is not None
        assert "read 250 pages" in child.stdout.readline()
        try:
            child.wait(timeout=after_s)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        child.communicate(timeout=10)
        assert child.returncode == -signal.SIGKILL
        with open_knowledge([pages], directory, WordEmbedder()) as found:
            for n in (0, 125, 249):
                assert found.search(f"topic{n}").hits[0].page == f"page{n}"
