# SPDX-License-Identifier: Apache-2.0
"""AFLW's data base and pictures, as the test writes them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from host.common.errors import UserError
from model.data import aflw, registry
from model.data.crops import cached_crops
from model.faces.render import Faces
from tests.model.layouts import picture


def write_base(root: Path, faces: dict[int, tuple[str, dict[int, tuple[float, float]]]]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(root / aflw.DATABASE)) as base:
        base.execute("CREATE TABLE Faces (face_id INTEGER, file_id TEXT)")
        base.execute("CREATE TABLE FaceImages (file_id TEXT, filepath TEXT)")
        base.execute("CREATE TABLE FeatureCoords (face_id INTEGER, feature_id INTEGER, x, y)")
        for face, (name, points) in faces.items():
            base.execute("INSERT INTO Faces VALUES (?, ?)", (face, f"file{face}"))
            base.execute("INSERT INTO FaceImages VALUES (?, ?)", (f"file{face}", name))
            rows = [(face, feature, x, y) for feature, (x, y) in points.items()]
            base.executemany("INSERT INTO FeatureCoords VALUES (?, ?, ?, ?)", rows)
        base.commit()


@pytest.fixture
def root(tmp_path: Path, drawn: Faces) -> Path:
    """Face 1 with all 21 points, face 2 with two of them hidden, face 3 in profile."""
    root = tmp_path / "aflw"
    marks = drawn.landmarks.astype(np.float64) * 112
    faces = {}
    for number in range(3):
        seen = {f: tuple(marks[number][i]) for f, i in aflw.PARTNERS.items()}
        seen |= {feature: (1.0, 2.0) for feature in (2, 5, 13, 17, 19)}
        hidden = ([], [12, 16], range(4, 17))[number]
        for feature in hidden:
            seen.pop(feature, None)
        faces[number + 1] = (f"{number}/image{number:05d}.jpg", seen)
        picture(root / aflw.PICTURES / faces[number + 1][0], drawn.images[number])
    write_base(root, faces)
    return root


def test_visible_points_are_the_mask(root: Path, drawn: Faces) -> None:
    listing = registry.training_faces("aflw", root)
    first, second = listing.records
    known = sorted(aflw.PARTNERS.values())
    assert list(np.flatnonzero(first.mask)) == known
    np.testing.assert_allclose(first.points[known], drawn.landmarks[0][known] * 112.0, rtol=1e-6)
    assert set(known) - set(np.flatnonzero(second.mask)) == {72, 59}
    assert listing.problems == [
        "face 3 of 2/image00002.jpg: 5 known points; a face needs 10 or more"
    ]


def test_crops_carry_the_mask(root: Path, tmp_path: Path) -> None:
    crops = cached_crops(registry.training_faces("aflw", root), tmp_path / "cache")
    assert crops.mask.sum(1).tolist() == [16, 14]


def test_no_base_and_another_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no .*aflw\.sqlite; give AFLW's folder"):
        aflw.read_faces(tmp_path)
    (tmp_path / aflw.DATABASE).write_text("no data base, but long enough to be looked at" * 30)
    with pytest.raises(UserError, match=r"aflw\.sqlite is not AFLW's data base: file is not"):
        aflw.read_faces(tmp_path)
