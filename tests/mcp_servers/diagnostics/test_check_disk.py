from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mcp_servers.diagnostics.check_disk import check_disk, percent
from mcp_servers.diagnostics.observation import CannotCheck
from tests.mcp_servers.world import service


async def test_the_figures_are_those_of_the_filesystem(tmp_path: Path) -> None:
    link = tmp_path / "data"
    link.symlink_to(tmp_path, target_is_directory=True)
    seen = await check_disk(service(disk=(link,)))
    (filesystem,) = seen.filesystems
    total, _, _ = shutil.disk_usage(tmp_path)
    assert (filesystem.path, filesystem.total_bytes) == (str(tmp_path.resolve()), total)
    assert 0 < filesystem.free_bytes <= total and 0 <= filesystem.used_percent <= 100
    assert seen.fullest_percent == max(filesystem.used_percent, filesystem.inodes_used_percent)


async def test_a_missing_path_or_none_at_all_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(CannotCheck, match="mend `disk`"):
        await check_disk(service(disk=(tmp_path / "gone",)))
    with pytest.raises(CannotCheck, match="no `disk`"):
        await check_disk(service())


def test_a_percentage_is_rounded_up_so_that_100_means_full() -> None:
    assert (percent(991, 1000), percent(1000, 1000), percent(0, 0), percent(1, 1000)) == (100, 100, 0, 1)
