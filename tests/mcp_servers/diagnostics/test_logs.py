from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mcp_servers.diagnostics import search_logs as search_module
from mcp_servers.diagnostics.log_files import LogUnreadable, tail, timestamp
from mcp_servers.diagnostics.observation import CannotCheck
from mcp_servers.diagnostics.search_logs import Level, LogSearch, search_logs
from mcp_servers.diagnostics.service_status import last_lines
from tests.mcp_servers.world import service

NOW = datetime.now(UTC)


def ago(minutes: float) -> str:
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


async def search(
    *logs: Path, contains: str = "", level: Level = "", since_minutes: int = 60, limit: int = 50
) -> LogSearch:
    return await search_logs(service(logs=logs), contains, level, since_minutes, limit)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "orders.log"
    lines = [
        f"{ago(300)} ERROR long ago",
        f"{ago(30)} INFO started, no error so far",
        f"{ago(20)} ERROR cannot reach the ledger",
        "Traceback (most recent call last):",
        "  ConnectionRefusedError: ledger",
        f"{ago(10)} WARNING slow",
        f"{ago(5)} CRITICAL giving up",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


async def test_only_the_window_is_searched_and_the_newest_stands_last(log: Path) -> None:
    seen = await search(log)
    assert seen.matched == 6 and not seen.truncated
    assert [line.text.split()[-1] for line in seen.lines] == ["far", "ledger", "last):", "ledger", "slow", "up"]
    assert {line.file for line in seen.lines} == {"orders.log"}


async def test_a_continued_entry_has_the_time_and_the_level_of_its_first_line(log: Path) -> None:
    seen = await search(log, level="error")
    assert [line.text.split()[-1] for line in seen.lines] == ["ledger", "last):", "ledger", "up"]
    assert {line.at for line in seen.lines[:3]} == {ago(20)}


async def test_text_is_found_in_any_case_and_is_not_a_pattern(log: Path) -> None:
    assert (await search(log, contains="LEDGER")).matched == 2
    assert (await search(log, contains="l.dger")).matched == 0


async def test_a_full_list_says_that_it_is_truncated_and_keeps_the_newest(log: Path) -> None:
    seen = await search(log, limit=2)
    assert (seen.matched, seen.truncated, len(seen.lines)) == (6, True, 2)
    assert seen.lines[-1].text.endswith("giving up")


async def test_several_logs_are_merged_by_time(tmp_path: Path, log: Path) -> None:
    other = tmp_path / "access.log"
    other.write_text(f"{ago(15)} INFO GET /\n{ago(1)} INFO GET /last\n", encoding="utf-8")
    seen = await search(log, other, limit=3)
    assert [line.file for line in seen.lines] == ["orders.log", "orders.log", "access.log"]
    assert seen.lines[-1].text.endswith("/last")


async def test_a_search_cannot_spell_out_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    key = "-----BEGIN PRIVATE KEY-----\nMIIBVgIBADANBg\nkqhkiG9w0BAQ\n-----END PRIVATE KEY-----"
    path.write_text(f"{ago(2)} INFO password=hunter2\n{ago(1)} INFO key {key}\n", encoding="utf-8")
    assert (await search(path, contains="hunter")).matched == 0
    assert (await search(path, contains="MIIB")).matched == 0
    everything = "\n".join(line.text for line in (await search(path)).lines)
    assert "hunter2" not in everything and "MIIB" not in everything and "kqhki" not in everything
    assert "password=[redacted]" in everything


async def test_a_huge_log_is_read_from_its_end_only(tmp_path: Path) -> None:
    path = tmp_path / "huge.log"
    with open(path, "wb") as file:
        file.truncate(10 * 1024**3)
        file.seek(0, os.SEEK_END)
        file.write(f"\n{ago(1)} ERROR the end\n".encode())
    seen = await search(path, contains="the end", level="error")
    assert (seen.matched, seen.truncated) == (1, True)
    assert seen.took_ms < 3000
    assert tail(path, 1) == [f"{ago(1)} ERROR the end"]


async def test_the_cut_is_exact_on_every_chunk_border(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_servers.diagnostics.log_files.CHUNK_BYTES", 7)
    path = tmp_path / "a.log"
    for text in ("", "one", "one\n", "one\ntwo", "one\n\ntwo\n", "\n\n", "ä" * 20 + "\nb\n"):
        path.write_text(text, encoding="utf-8")
        assert tail(path, 99) == text.splitlines()


async def test_a_log_past_the_scan_budget_says_truncated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(f"{ago(1)} INFO line {number}\n" for number in range(100)), encoding="utf-8")
    monkeypatch.setattr(search_module, "SCAN_BYTES", 1000)
    seen = await search(path, limit=200)
    assert 0 < seen.matched < 100 and seen.truncated


async def test_a_line_is_cut_at_500_characters_and_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(f"{ago(1)} \x1b[31mred\x1b[0m\x07 ".encode() + b"\xff" + b"x" * 5000 + b"\n")
    (line,) = (await search(path)).lines
    assert len(line.text) == 500 and "\x1b" not in line.text and " red " in line.text


async def test_a_fifo_or_a_missing_file_in_a_logs_place_never_blocks(tmp_path: Path, log: Path) -> None:
    fifo = tmp_path / "fifo.log"
    os.mkfifo(fifo)
    with pytest.raises(LogUnreadable):
        tail(fifo, 1)
    with pytest.raises(CannotCheck, match="no log can be read"):
        await search(fifo, tmp_path / "missing.log")
    assert (await search(fifo, log)).matched == 6


async def test_a_log_nobody_wrote_to_within_the_window_is_left_out(log: Path) -> None:
    long_ago = (NOW - timedelta(hours=5)).timestamp()
    os.utime(log, (long_ago, long_ago))
    assert (await search(log)).matched == 0


def test_the_last_lines_give_every_log_its_share(tmp_path: Path) -> None:
    noisy, quiet = tmp_path / "access.log", tmp_path / "error.log"
    quiet.write_text("the reason\n", encoding="utf-8")
    noisy.write_text("GET /\n" * 500, encoding="utf-8")
    lines = last_lines((noisy, quiet)).split("\n")
    assert "the reason" in lines and len(lines) <= 20


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("2026-11-20T23:54:00Z started", datetime(2026, 11, 20, 23, 54, tzinfo=UTC)),
        ("2026-11-20T23:54:00.250+02:00 x", datetime(2026, 11, 20, 21, 54, 0, 250000, tzinfo=UTC)),
        ("2026-11-20 23:54:00.123 UTC [12] LOG:  x", datetime(2026, 11, 20, 23, 54, 0, 123000, tzinfo=UTC)),
        ("[2026/11/20 23:54:00 +0100] x", datetime(2026, 11, 20, 22, 54, tzinfo=UTC)),
        ("2026-11-20 23:54:00,5 INFO x", datetime(2026, 11, 20, 23, 54, 0, 500000).astimezone(UTC)),
        ("2026-13-40 23:54:00Z", None),
        ("no time here 2026-11-20 23:54:00Z", None),
    ],
)
def test_a_line_begins_with_a_time_or_does_not(line: str, moment: datetime | None) -> None:
    assert timestamp(line) == moment
