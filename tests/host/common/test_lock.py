# SPDX-License-Identifier: Apache-2.0
"""A folder has one owner, however it is spelt."""

import multiprocessing
import time
from pathlib import Path

import pytest

from host.common.errors import UserError
from host.common.lock import owning

spawn = multiprocessing.get_context("spawn")  # a fork would hold the lock of its parent, too


def own(folder, line):
    with owning(folder, line.write_text):
        pass


@pytest.mark.parametrize("spelling", ["link", "other/../out", "."])
def test_a_folder_has_one_lock_however_it_is_spelt(tmp_path, monkeypatch, spelling):
    out = tmp_path / "out"
    for folder in (out, tmp_path / "other"):
        folder.mkdir()
    (tmp_path / "link").symlink_to(out)
    monkeypatch.chdir(out)
    spelt, line = Path() if spelling == "." else tmp_path / spelling, tmp_path / "line"
    second = spawn.Process(target=own, args=(spelt, line))
    with owning(out, print):
        second.start()
        end = time.monotonic() + 60
        while not line.exists() or not line.read_text():
            assert time.monotonic() < end
            time.sleep(0.01)
        assert second.is_alive()
        assert line.read_text().startswith(f"{spelt} is in use by process ")
    second.join()
    assert second.exitcode == 0
    assert [path.name for path in tmp_path.glob(".*")] == [".out.lock"]


def test_the_root_has_no_owner():
    with (
        pytest.raises(UserError, match="^/ is no folder that one process can own; give one below"),
        owning(Path("/"), print),
    ):
        pass
