# SPDX-License-Identifier: Apache-2.0
"""The comparison with MediaPipe on stand-ins for both: which face counts, and what is measured."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from model.data.records import Record
from model.evaluation.mediapipe import EYES_68, EYES_MESH, Tally, compare, mediapipe_finder


def face(opening: float) -> np.ndarray:
    """68 points of which only the eyes differ: 20 pixels wide, ``opening`` of that high."""
    points = np.random.default_rng(0).uniform(20, 80, (68, 2))
    shape = np.array([[-10, 0], [-4, -1], [4, -1], [10, 0], [4, 1], [-4, 1]], np.float64)
    shape[:, 1] *= 10 * opening
    points[36:42] = np.add(shape, (30, 40))
    points[42:48] = np.add(shape, (70, 40))
    return points


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Faces whose eyes are shut, half open, open and wide."""
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((100, 100), np.uint8))
    return [Record(image=path, points=face(opening)) for opening in (0.05, 0.2, 0.3, 0.4)]


def test_a_perfect_finder_has_no_error_and_follows_the_lids(records: list[Record]) -> None:
    tally = Tally()
    for record in records:
        tally.add(lambda image, own=record: [own.points[EYES_68]], record)
    found = tally.figures()
    assert (found["found"], found["nme"], found["slope"], found["auc"]) == (4, 0, 1, 1)


def test_the_face_at_the_place_counts_and_others_do_not(records: list[Record]) -> None:
    tally = Tally()
    shifted = records[0].points[EYES_68] + (3, 0)
    away = records[0].points[EYES_68] + (40, 0)
    tally.add(lambda image: [away, shifted], records[0])
    tally.add(lambda image: [away], records[1])
    tally.add(lambda image: [], records[2])
    assert len(tally.seconds) == 3
    assert [record is records[0] for record in tally.records] == [True]
    assert tally.figures()["nme"] == pytest.approx(100 * 3 / 60)


def test_a_row_for_each_finder(records: list[Record]) -> None:
    done: list[int] = []
    text = compare({"none": lambda image: [face(0.3)[EYES_68]]}, records, done.append)
    assert text.splitlines()[2].startswith("| none | 4 | ")
    assert done == [1, 2, 3, 4]


def test_a_finder_without_any_face_is_a_row_too(records: list[Record]) -> None:
    text = compare({"blind": lambda image: []}, records, lambda done: None)
    assert text.splitlines()[2].startswith("| blind | 0 | - | - |")


def test_mesh_points_are_as_many_as_the_true_ones() -> None:
    assert len(EYES_MESH) == len(set(EYES_MESH)) == EYES_68.stop - EYES_68.start


def test_without_the_package_the_page_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(UserError, match=r"mediapipe is missing; docs/comparison\.md says how"):
        mediapipe_finder(attention=False)
