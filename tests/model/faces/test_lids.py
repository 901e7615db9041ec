# SPDX-License-Identifier: Apache-2.0
"""Eyes drawn shut: the opening goes, what is around it stays, and unknown eyes stay open."""

import cv2
import numpy as np
import pytest

from model.data.lids import openings
from model.faces.lids import shut_eyes
from model.faces.render import SIZE, make_faces

EYES = (slice(60, 68), slice(68, 76))


@pytest.fixture(scope="module")
def face():
    """A drawn face with open eyes: grey picture and its points (98, 2)."""
    for index in range(20):
        made = make_faces(1, 11, index)
        points = made.landmarks[0].astype(np.float64) * SIZE
        if openings(points).min() > 0.25:
            return made.images[0], points
    raise AssertionError("no drawn face has open eyes")


def within(points, shape):
    mask = np.zeros(shape, np.uint8)
    for eye in EYES:
        cv2.fillConvexPoly(mask, np.rint(points[eye]).astype(np.int32), 1)
    return mask > 0


def test_shut_eyes_show_skin_where_they_were_and_nothing_else_moves(face):
    image, points = face
    shut = shut_eyes(image, points)
    inside = within(points, image.shape)
    assert np.abs(shut.astype(int) - image)[inside].mean() > 10
    top, bottom = points[60:76, 1].min(), points[60:76, 1].max()
    rows = np.arange(len(image))
    apart = points[72, 0] - points[60, 0]
    far = (rows < top - 0.3 * apart) | (rows > bottom + 0.15 * apart)
    assert (shut[far] == image[far]).all()


def test_lids_are_lowered_by_the_amount(face):
    image, points = face
    changes = [np.abs(shut_eyes(image, points, part).astype(int) - image).mean()
               for part in (0.25, 0.5, 1.0)]  # fmt: skip
    assert changes == sorted(changes)


def test_a_turned_face_is_shut_as_the_upright_one(face):
    image, points = face
    quarter = np.stack([SIZE - points[:, 1], points[:, 0]], axis=1)
    turned = shut_eyes(np.ascontiguousarray(np.rot90(image, -1)), quarter)
    difference = np.abs(np.rot90(turned).astype(int) - shut_eyes(image, points))
    assert difference.max() <= 2


def test_an_eye_whose_lid_is_unknown_stays_open_and_colour_is_kept(face):
    image, points = face
    partly = points.copy()
    partly[61:64] = np.nan
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    shut = shut_eyes(colour, partly)
    middle = int(points[[64, 68], 0].mean())
    assert (shut[:, : middle - 2] == colour[:, : middle - 2]).all()
    assert (shut[..., 0] != image).any()
    assert (shut_eyes(colour, np.full((98, 2), np.nan)) == colour).all()
