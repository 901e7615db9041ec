# SPDX-License-Identifier: Apache-2.0
"""Annotated pictures: sizes, what is where, and groups of landmarks."""

import numpy as np
import pytest

from host.common.errors import UserError
from host.face.crop import Transform
from host.face.detect.faces import Box
from host.face.draw import (
    COLOURS,
    FACE_SIDE,
    LONGEST_SIDE,
    PANEL,
    STRIP,
    WHITE,
    draw_landmarks,
    side_by_side,
)
from host.face.landmarks import COUNT, GROUPS, OUTER_CORNERS, inter_ocular


def ring(centre, radius):
    """98 points (98, 2) on a circle."""
    angle = np.linspace(0, 2 * np.pi, COUNT, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius + centre


def test_every_landmark_is_in_one_group_and_every_part_has_a_colour():
    indices = [index for group in GROUPS for index in group.indices]
    assert sorted(indices) == list(range(COUNT))
    assert {group.part for group in GROUPS} == set(COLOURS)


def test_the_eye_corners_are_outer_ones():
    eyes = {group.name: group.indices for group in GROUPS if group.part == "eyes"}
    assert eyes["left eye"][0] == OUTER_CORNERS[0]
    assert eyes["right eye"][4] == OUTER_CORNERS[1]


def test_inter_ocular_is_the_distance_of_the_outer_corners():
    faces = np.zeros((2, COUNT, 2))
    faces[1, OUTER_CORNERS[0]], faces[1, OUTER_CORNERS[1]] = (1, 2), (4, 6)
    assert (inter_ocular(faces) == [0, 5]).all()


def test_every_point_is_drawn_in_its_colour_where_it_is():
    points = ring((1000, 900), 600)
    picture = draw_landmarks(np.zeros((1800, 2000, 3), np.uint8), points)
    assert picture.shape == (1800, 2000, 3)
    for group in GROUPS:
        for x, y in points[group.indices]:
            assert tuple(picture[int(y), int(x)]) == COLOURS[group.part]


def test_points_are_drawn_to_a_fraction_of_a_pixel():
    """The pupils are single points: the centroid of what is drawn is the landmark."""
    points = np.full((COUNT, 2), 100.0)
    points[96], points[97] = (700.3, 400.8), (900.0, 500.5)
    picture = draw_landmarks(np.full((1000, 1000, 3), 9, np.uint8), points).astype(float)
    for x, y in points[96:]:
        left, top = int(x) - 30, int(y) - 30
        drawn = np.abs(picture[top : top + 60, left : left + 60] - 9).sum(axis=2)
        rows, columns = np.mgrid[:60, :60] + 0.5
        centre = np.array([(drawn * columns).sum(), (drawn * rows).sum()]) / drawn.sum()
        assert np.abs(centre - (x - left, y - top)).max() < 0.1


def test_the_original_is_left_alone():
    image = np.zeros((112, 112), np.uint8)
    draw_landmarks(image, ring((56, 56), 40), Box(10, 10, 90, 90), "caption")
    assert not image.any()


@pytest.mark.parametrize(
    ("shape", "radius", "expected"),
    [
        ((112, 112), 40, (round(112 * FACE_SIDE / 80), round(112 * FACE_SIDE / 80))),
        ((1000, 900), 300, (1000, 900)),
        ((800, 400), 20, (LONGEST_SIDE, LONGEST_SIDE // 2)),
        ((2000, 1900), 20, (2000, 1900)),
    ],
)
def test_small_faces_are_enlarged_within_limits(shape, radius, expected):
    picture = draw_landmarks(np.zeros(shape, np.uint8), ring((56, 56), radius))
    assert picture.shape == (*expected, 3)


def test_the_box_is_outlined():
    picture = draw_landmarks(
        np.zeros((900, 900, 3), np.uint8), ring((450, 450), 300), Box(50, 60, 700, 600)
    )
    for x, y in ((50, 300), (750, 300), (400, 60), (400, 660)):
        assert (picture[y - 2 : y + 2, x - 2 : x + 2] > 150).all(axis=2).any()
    assert not picture[10, 10].any()


@pytest.mark.parametrize("text", ["cpu: 3 ms", "a long caption " * 40])
def test_the_caption_stands_in_a_strip_below(text):
    image = np.zeros((900, 900, 3), np.uint8)
    bare = draw_landmarks(image, ring((450, 450), 300))
    picture = draw_landmarks(image, ring((450, 450), 300), caption=text)
    assert (picture[:900] == bare).all()
    strip = picture[900:]
    assert strip.shape == (STRIP, 900, 3)
    assert strip.max() > 0.8 * max(WHITE)
    assert strip[:, -8:].max() < 40


@pytest.mark.parametrize("shape", [(300, 500, 3), (500, 300, 3), (112, 112)])
def test_picture_and_face_stand_side_by_side(shape):
    face = Transform(10, 20, 80)
    picture = side_by_side(np.full(shape, 9, np.uint8), ring((50, 60), 30), face, None, "x")
    height, width = shape[:2]
    left = round(width * PANEL / max(height, width)) + 4
    assert picture.shape == (PANEL + STRIP, left + PANEL, 3)
    zoom = picture[:PANEL, left:]
    drawn = np.argwhere((zoom != 9).any(axis=2))
    assert np.abs(drawn.mean(axis=0) - PANEL / 2).max() < 15
    assert np.abs(np.ptp(drawn, axis=0) - 60 * PANEL / 90).max() < 20  # a margin of 5 each side


@pytest.mark.parametrize(
    "points", [np.zeros((68, 2)), np.zeros(196), np.full((98, 2), np.nan), np.full((98, 2), np.inf)]
)
def test_other_landmarks_are_refused(points):
    with pytest.raises(UserError, match=r"landmarks to draw .*; give \(98, 2\), all finite"):
        draw_landmarks(np.zeros((112, 112), np.uint8), points)


def test_landmarks_far_outside_are_no_error():
    image = np.zeros((112, 112), np.uint8)
    assert draw_landmarks(image, ring((0, 0), 1e12)).shape == (112, 112, 3)
