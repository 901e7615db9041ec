# SPDX-License-Identifier: Apache-2.0
"""What is drawn over faces lies where it should, on grey and on colour pictures."""

import cv2
import numpy as np
import pytest

from model.faces import cover

COVERS = [cover.sunglasses, cover.glasses, cover.mask, cover.hand, cover.hair]


def changed(before, after, points):
    """Share of pixels within the hull of some landmarks that differ by more than 12 levels."""
    inside = np.zeros(before.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    difference = np.abs(before.astype(int) - after)
    difference = difference.max(axis=2) if difference.ndim == 3 else difference
    return float((difference[inside > 0] > 12).mean())


@pytest.mark.parametrize("draw", COVERS, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("colour", [False, True])
def test_it_is_a_copy_of_the_same_kind_and_the_same_for_a_seed(face, draw, colour):
    image, points = face
    image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if colour else image
    before = image.copy()
    one, other = (draw(image, points, np.random.default_rng(1)) for _ in range(2))
    assert one.shape == image.shape
    assert one.dtype == np.uint8
    assert (one == other).all()
    assert (image == before).all()
    assert (one != image).any()


@pytest.mark.parametrize(
    ("draw", "eyes", "mouth"),
    [
        (cover.sunglasses, (0.7, 1.0), (0, 0.02)),
        (cover.glasses, (0, 0.5), (0, 0.02)),
        (cover.mask, (0, 0.1), (0.7, 1.0)),
        (cover.hand, (0.5, 1.0), (0, 0.9)),
        (cover.hair, (0.4, 1.0), (0, 0.9)),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_it_covers_what_it_should(face, draw, eyes, mouth):
    image, points = face
    shares = []
    for seed in range(8):
        drawn = draw(image, points, np.random.default_rng(seed))
        both = [changed(image, drawn, points[part]) for part in (range(60, 68), range(68, 76))]
        shares.append((np.mean(both), changed(image, drawn, points[76:96])))
    found = np.mean(shares, axis=0)
    assert eyes[0] <= found[0] <= eyes[1]
    assert mouth[0] <= found[1] <= mouth[1]


def test_a_hand_covers_one_eye_only_when_asked(face):
    image, points = face
    for which, (covered, free) in ((0, (60, 68)), (1, (68, 60))):
        drawn = cover.hand(image, points, np.random.default_rng(2), which)
        shares = [changed(image, drawn, points[at : at + 8]) for at in (covered, free)]
        assert shares[0] > 0.5 > 0.2 > shares[1]


def test_corners_alone_are_enough(face):
    image, points = face
    corners = np.full_like(points, np.nan)
    known = [*range(0, 33, 2), 51, 52, 53, 54, 60, 64, 68, 72]
    corners[known] = points[known]
    for draw in COVERS:
        drawn = draw(image, corners, np.random.default_rng(3))
        assert (drawn != image).any()
