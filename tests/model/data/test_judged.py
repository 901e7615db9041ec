# SPDX-License-Identifier: Apache-2.0
"""Which eyes people say are hidden: the file, and how its rows find their eyes."""

import csv
from pathlib import Path

import numpy as np
import pytest

from model.data import judged
from model.data.judged import FILE, eyes_seen

LEFT, RIGHT = np.array([100.0, 50.0]), np.array([160.0, 50.0])


@pytest.fixture
def points():
    """Eyes of 30 pixels around LEFT and RIGHT; the rest is unknown."""
    face = np.full((98, 2), np.nan)
    half = np.array([15.0, 0.0])
    face[[60, 64, 68, 72]] = [LEFT - half, LEFT + half, RIGHT - half, RIGHT + half]
    return face


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Write rows to a file that is read instead."""

    def write(*lines):
        (tmp_path / "rows.csv").write_text(
            "image,x,y,eye\n" + "".join(f"{line}\n" for line in lines)
        )
        monkeypatch.setattr(judged, "FILE", tmp_path / "rows.csv")
        judged._rows.cache_clear()

    yield write
    judged._rows.cache_clear()


def test_rows_belong_to_the_nearest_eye_of_that_picture(rows, points):
    rows("a/b.jpg,102,48,hidden", "a/b.jpg,158,52,unclear", "a/c.jpg,100,50,hidden")
    seen = eyes_seen(Path("/data/a/b.jpg"), points)
    assert seen[0] == 0
    assert np.isnan(seen[1])
    assert eyes_seen(Path("/data/a/c.jpg"), points).tolist() == [0, 1]
    assert eyes_seen(Path("/data/x/b.jpg"), points).tolist() == [1, 1]


def test_rows_of_another_face_of_the_picture_do_not_count(rows, points):
    rows("a/b.jpg,300,50,hidden")
    assert eyes_seen(Path("/data/a/b.jpg"), points).tolist() == [1, 1]


def test_the_file_holds_places_and_two_words_only():
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["eye"] for line in lines} == {"hidden", "unclear"}
    assert np.isfinite([(int(line["x"]), int(line["y"])) for line in lines]).all()
    assert all(line["image"].count("/") == 1 for line in lines)
    assert len({tuple(line.values()) for line in lines}) == len(lines) > 1000


def test_shares_are_judged_with_a_gap():
    assert judged.judged(np.array([0.0, 0.4, 0.55, 0.7, 1.0])) == pytest.approx(
        [0, 0, np.nan, 1, 1], nan_ok=True
    )
