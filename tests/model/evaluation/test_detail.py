# SPDX-License-Identifier: Apache-2.0
"""Errors by region and yaw, eyelids, pupils: figures that are known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from host.face.landmarks import LEFT_EYE, LEFT_PUPIL, RIGHT_PUPIL
from model.data.records import Record
from model.data.scheme68 import to_68
from model.evaluation import detail
from model.evaluation.lines import detail_lines
from model.faces.render import Faces


@pytest.fixture
def records(drawn: Faces) -> list[Record]:
    marks = drawn.landmarks.astype(np.float64) * 112
    return [Record(image=Path(f"{i}"), points=points) for i, points in enumerate(marks)]


def test_only_the_moved_region_has_an_error(records: list[Record]) -> None:
    placed = np.stack([record.points for record in records])
    placed[:, [*LEFT_EYE]] += (3.0, 4.0)
    found = detail.by_region(placed, records)
    units = [np.linalg.norm(r.points[60] - r.points[72]) for r in records]
    assert found["eyes"] == pytest.approx(np.mean([250 / unit for unit in units]), abs=1e-3)
    assert {n: v for n, v in found.items() if n != "eyes"} == dict.fromkeys(
        ("contour", "brows", "nose", "lips", "pupils"), 0.0
    )


def test_regions_of_68_points(records: list[Record]) -> None:
    placed = np.stack([record.points for record in records])
    short = [Record(image=r.image, points=to_68(r.points[None])[0]) for r in records]
    found = detail.by_region(placed, short)
    assert list(found) == ["contour", "brows", "nose", "eyes", "lips"]
    assert max(found.values()) < 1e-6
    lids = detail.eyelids(placed, short)
    assert lids["slope"] == pytest.approx(1)
    assert lids["correlation"] == pytest.approx(1)


def test_parts_by_yaw() -> None:
    found = detail.by_yaw(np.array([1.0, 3, 5, 7]), np.array([0.0, 14.9, 50, np.nan]))
    assert found == {"0-15": {"nme": 2.0, "faces": 2}, "45+": {"nme": 5.0, "faces": 1}}


def test_yaw_of_drawn_faces(drawn: Faces) -> None:
    found = detail.yaw_degrees(drawn.landmarks.astype(np.float64))
    np.testing.assert_allclose(found, np.abs(np.degrees(drawn.pose[:, 0])), atol=12)


def test_eyelids_that_follow_by_half() -> None:
    true = np.array([[0.05, 0.1], [0.3, 0.4], [0.35, np.nan], [0.1, 0.5]])
    found = detail.follow(0.2 + true / 2, true)
    assert (found["closed"], found["open"]) == (3, 4)
    assert found["slope"] == pytest.approx(0.5)
    assert found["correlation"] == pytest.approx(1)
    assert found["auc"] == 1
    assert found["interval"] == [1, 1]
    assert found["closed_ratio"] == pytest.approx(0.2 + 0.25 / 6, abs=1e-4)


def test_eyes_that_people_cannot_see_are_told_of_apart(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lids of one hidden eye are wrong: with it they follow less, without it to the end."""
    placed = np.stack([record.points for record in records])
    whole = detail.eyelids(placed, records)
    assert "seen" not in whole
    placed[1, [61, 62, 63]] -= (0.0, 40.0)
    monkeypatch.setattr(
        detail, "eyes_seen", lambda image, _: np.array([float(image.name != "1"), 1.0])
    )
    found = detail.eyelids(placed, records)
    assert found["slope"] != pytest.approx(1, abs=0.01)
    assert found["seen"]["slope"] == pytest.approx(1)
    assert found["seen"]["correlation"] == pytest.approx(1)
    assert found["seen"]["closed"] + found["seen"]["open"] == 2 * len(records) - 1
    lines = list(detail_lines({"eyelids": found}, ""))
    assert lines[0].startswith("eyelids: slope ")
    assert lines[1].startswith("eyelids of the eyes that are seen: slope 1.00  correlation 1.00")


def test_pupils_that_follow_by_half_along_the_eye(drawn: Faces) -> None:
    along, across = np.array([-0.2, 0.0, 0.2, 0.4]), np.array([0.1, -0.1, 0.1, -0.1])
    turned = drawn.landmarks[[0] * 4].astype(np.float64) @ np.array([[60.0, 80], [-80, 60]])
    placed = turned.copy()
    for marks, part in ((turned, 1.0), (placed, 0.5)):
        for left, right, pupil in ((60, 64, LEFT_PUPIL), (68, 72, RIGHT_PUPIL)):
            line = marks[:, right] - marks[:, left]
            below = np.stack([-line[:, 1], line[:, 0]], 1)
            middle = (marks[:, left] + marks[:, right]) / 2
            marks[:, pupil] = middle + part * along[:, None] * line + across[:, None] * below
    records = [Record(image=Path("x"), points=points) for points in turned]
    np.testing.assert_allclose(detail.pupil_places(turned), np.stack([along, across], 1))
    assert detail.pupils(placed, records, np.array([0.0, 10, 20, 46])) == {
        "faces": 3,
        "along": {"scatter": 0.1633, "error": 0.0816, "slope": 0.5, "correlation": 1.0},
        "across": {"scatter": 0.0943, "error": 0.0, "slope": 1.0, "correlation": 1.0},
    }
    assert detail.pupils(placed, records, np.full(4, np.nan)) == {}


def test_auc_counts_pairs() -> None:
    ratios, closed = np.array([0.1, 0.3, 0.2, 0.3]), np.array([True, True, False, False])
    # of the four pairs two are right, one is wrong, one is equal
    assert detail.auc(ratios, closed) == pytest.approx(2.5 / 4)


def test_nothing_to_say_about_eyes_that_are_all_alike() -> None:
    assert detail.follow(np.full((2, 2), 0.3), np.full((2, 2), 0.3)) == {}
    awake = detail.follow(np.array([[0.3, 0.31], [0.4, 0.42]]), np.array([[0.3, 0.31], [0.4, 0.5]]))
    assert "auc" not in awake
