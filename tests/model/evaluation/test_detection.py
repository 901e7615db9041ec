# SPDX-License-Identifier: Apache-2.0
"""Rates and scatter of detectors, with detectors whose truth is known."""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from host.common.errors import UserError
from host.face.crop import square_around_box
from host.face.detect.faces import Box, Face
from model.__main__ import main
from model.evaluation.detection import (
    Sample,
    belonging,
    collect_samples,
    offset,
    offsets,
    openings,
    rates,
    rates_table,
    rolled,
    scatter_table,
    true_square,
)

RNG = np.random.default_rng(0)


def landmarks(at=(200.0, 150.0), size=80.0, opening=0.3):
    """98 points in a square around ``at``; the lids are ``opening`` of the eyes' width apart."""
    points = np.random.default_rng(1).uniform(-0.4, 0.4, (98, 2))
    points[0], points[32], points[16] = (-0.5, 0), (0.5, 0), (0, 0.5)
    points[40] = (0, -0.5)
    for first, x in ((60, -0.2), (68, 0.2)):
        angle = np.pi * np.array([1.0, 0.75, 0.5, 0.25, 0, -0.25, -0.5, -0.75])
        ring = np.stack([0.1 * np.cos(angle), -0.1 * opening * np.sign(np.sin(angle))], axis=1)
        ring[[0, 4], 1] = 0
        points[first : first + 8] = ring + np.array([x, -0.1])
    return points * size + at


class Square:
    """A detector that finds a bright square, but not in pictures where ``blind`` says so."""

    def __init__(self, blind=lambda image: False, shift=0, roll=None):
        self.blind, self.shift, self.roll = blind, shift, roll

    def find(self, image):
        rows, columns = np.nonzero(image[..., 0] > 0.8 * image.max())
        if self.blind(image) or not len(rows):
            return []
        side = int(np.ptp(columns)) + 1
        box = Box(int(columns.min()) + self.shift, int(rows.min()), side, side)
        return [Face(box=Box(0, 0, side, side), score=1), Face(box=box, score=1, roll=self.roll)]


@pytest.fixture
def samples(tmp_path):
    found = []
    for number, opening in enumerate((0.3, 0.05, 0.3)):
        image = np.zeros((300, 400, 3), np.uint8)
        image[110:190, 160:240] = 200 + number
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), image)
        found.append(Sample(image=path, points=landmarks(opening=opening), closed=opening < 0.15))
    return found


def test_openings_are_height_over_width_and_unknown_points_do_not_count():
    points = landmarks(opening=0.25)
    assert openings(points) == pytest.approx([0.25, 0.25])
    points[[62, 69]] = np.nan
    assert openings(points) == pytest.approx([0.25, 0.25])


def test_the_nearest_face_of_about_the_right_size_belongs():
    points = landmarks()
    true = true_square(points)
    right = Face(box=Box(165, 110, 80, 80), score=0.9)
    others = [
        Face(box=Box(x, 110, side, side), score=1) for x, side in ((30, 80), (180, 30), (90, 220))
    ]
    assert belonging([*others, right], points) is right
    assert belonging(others, points) is None
    side, across, down = offset(right, true)
    assert side == pytest.approx(1, abs=0.02)
    assert across == pytest.approx(5 / true.side, abs=0.01)
    assert down == pytest.approx(0, abs=0.01)


def test_rates_count_open_and_closed_eyes_apart(samples):
    everything = list(rates(Square(), samples, ["as it is", "light 0.5"]))
    assert [(one.faces, one.found, one.closed_faces, one.closed_found) for one in everything] == [
        (3, 3, 1, 1)
    ] * 2
    dark_blind = Square(blind=lambda image: image.max() < 150)
    bright, dark = rates(dark_blind, samples, ["as it is", "light 0.5"])
    assert (bright.found, dark.found) == (3, 0)
    closed_blind = Square(blind=lambda image: image.max() == 201)
    one = next(rates(closed_blind, samples, ["as it is"]))
    assert (one.found, one.closed_found) == (2, 0)
    table = rates_table({"a": [bright, dark], "b": [one, one]})
    assert "| as it is | 100.0 (3 of 3) | 100.0 (1 of 1) | 66.7 (2 of 3) | 0.0 (0 of 1) |" in table


def test_offsets_are_told_in_the_frame_of_the_face(samples):
    found = offsets(Square(shift=8), samples)
    assert found.shape == (3, 3)
    side = square_around_box(Box(0, 0, 80, 80)).side
    assert found[:, 1] == pytest.approx(8 / side, abs=0.01)
    table = scatter_table({"square": found})
    assert "| square | 3 | 1.0" in table
    with pytest.raises(UserError, match="finds none of the faces"):
        offsets(Square(blind=lambda image: True), samples)


@pytest.mark.parametrize("degrees", [10.0, 90.0, 180.0])
def test_a_rolled_picture_keeps_all_of_the_face_and_its_points(degrees):
    image = np.zeros((300, 400, 3), np.uint8)
    points = landmarks()
    x, y = points[60].round().astype(int)
    image[y - 3 : y + 4, x - 3 : x + 4] = 255
    turned, moved = rolled(degrees, image, points, RNG)
    rows, columns = np.nonzero(turned[..., 0] > 128)
    assert abs(columns.mean() - moved[60, 0]) < 1.5
    assert abs(rows.mean() - moved[60, 1]) < 1.5
    across = moved[72] - moved[60]
    assert np.degrees(np.arctan2(across[1], across[0])) % 360 == pytest.approx(degrees, abs=0.1)


def test_no_data_set_and_unknown_conditions_are_named(tmp_path):
    with pytest.raises(UserError, match="no data set is given; name one with --data"):
        collect_samples({}, 3)
    command = ["evaluate-detector", "--data", f"wflw={tmp_path}", "--condition", "fog"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "condition 'fog' is unknown; use one of as it is, roll 10" in done.output
