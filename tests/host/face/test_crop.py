# SPDX-License-Identifier: Apache-2.0
"""Crops and the way back from the crop to the picture."""

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from host.face.crop import (
    INPUT_SIZE,
    MAX_SIDE,
    Transform,
    crop_face,
    crop_square,
    crop_turned,
    cut_square,
    square_around_box,
    square_around_landmarks,
    square_at,
    turned_square,
)
from host.face.detect.faces import Box


def test_transform_goes_there_and_back():
    rng = np.random.default_rng(1)
    points = rng.uniform(-50, 700, (20, 98, 2))
    for left, top, side in rng.integers([-90, -90, 1], [400, 400, 900], (20, 3)):
        square = Transform(int(left), int(top), int(side))
        assert np.abs(square.to_image(square.to_crop(points)) - points).max() < 1e-9
        assert (square.to_image([[0, 0], [1, 1]]) == [[left, top], [left + side, top + side]]).all()


@pytest.mark.parametrize("side", [40, 111, 112, 113, 180, 401])
def test_what_the_crop_shows_maps_back_to_where_it_is(side):
    """A soft spot at a known place, found again in the crop by its centroid."""
    centre = np.array([203.3, 177.8])
    y, x = np.mgrid[:400, :420] + 0.5
    spot = 250 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (side / 12) ** 2)
    square = square_at(200, 180, side)
    crop = crop_square(spot.astype(np.uint8), square).astype(float)
    rows, columns = np.mgrid[:INPUT_SIZE, :INPUT_SIZE] + 0.5
    found = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum() / INPUT_SIZE
    assert np.abs(square.to_image(found) - centre).max() < 0.1


def test_the_part_outside_of_the_picture_is_black():
    image = np.full((50, 60, 3), 200, np.uint8)
    cut = cut_square(image, Transform(-10, 30, 80))
    assert cut.shape == (80, 80, 3)
    expected = np.zeros((80, 80), np.uint8)
    expected[:20, 10:70] = 200
    assert (cut == expected[..., None]).all()


def test_square_of_a_detection_is_that_of_landmarks_in_its_box():
    square = square_around_box(Box(100, 200, 160, 200))
    assert square == square_around_landmarks([[100, 200], [260, 400]]) == Transform(60, 180, 240)


def test_square_of_landmarks_is_twelve_tenths_of_their_longer_side():
    points = [[10, 20], [110, 40], [60, 70]]
    assert square_around_landmarks(points) == Transform(0, -15, 120)


def test_grey_is_the_luminance_and_grey_pictures_are_taken():
    image = np.zeros((112, 112, 3), np.uint8)
    image[:] = (10, 100, 200)
    crop, square = crop_face(image, Box(20, 20, 50, 50))
    assert crop.dtype == np.uint8
    assert crop.shape == (112, 112)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    assert (crop == crop_square(grey, square)).all()
    assert crop.max() == round(0.114 * 10 + 0.587 * 100 + 0.299 * 200)


def test_a_crop_of_the_right_size_is_not_resampled():
    image = np.random.default_rng(3).integers(0, 256, (300, 300), np.uint8)
    assert (crop_square(image, Transform(5, 9, 112)) == image[9:121, 5:117]).all()


def test_equalisation_spreads_the_grey_levels():
    image = np.random.default_rng(4).integers(100, 120, (200, 200), np.uint8)
    crop = crop_square(image, Transform(0, 0, 150), equalise=True)
    assert crop.min() == 0
    assert crop.max() == 255


@pytest.mark.parametrize("side", [0, 0.5, MAX_SIDE + 1, float("nan"), float("inf")])
def test_impossible_squares_are_refused(side):
    with pytest.raises(UserError, match=r"is not possible; .* 1 to 32768 pixels wide"):
        square_at(10, 10, side)


def test_a_square_beside_the_picture_is_refused():
    image = np.zeros((50, 60), np.uint8)
    with pytest.raises(UserError, match="lies outside of the 60x50 picture; give a box that touch"):
        cut_square(image, Transform(60, 0, 10))


@pytest.mark.parametrize(
    "image", [np.zeros((9, 9, 4), np.uint8), np.zeros((9, 9), np.float32), np.zeros(9, np.uint8)]
)
def test_other_pictures_are_refused(image):
    with pytest.raises(UserError, match=r"give uint8 of shape \(H, W, 3\), BGR, or \(H, W\), grey"):
        crop_square(image, Transform(0, 0, 9))


@pytest.mark.parametrize("degrees", [-70, -20, 16, 45, 180])
def test_what_a_turned_crop_shows_maps_back_to_where_it_is(degrees):
    centre = np.array([203.3, 177.8])
    y, x = np.mgrid[:400, :420] + 0.5
    spot = 250 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 60)
    square = Transform(130, 120, 150)
    crop, to_image = crop_turned(spot.astype(np.uint8), square, np.radians(degrees))
    rows, columns = np.mgrid[:INPUT_SIZE, :INPUT_SIZE] + 0.5
    weight = crop.astype(float) / crop.sum()
    found = to_image([(weight * columns).sum() / INPUT_SIZE, (weight * rows).sum() / INPUT_SIZE])
    assert np.abs(found - centre).max() < 0.2


def test_a_face_tilted_clockwise_is_turned_upright():
    image = np.zeros((300, 300), np.uint8)
    cv2.line(image, (110, 110), (190, 190), 255, 9)  # the line of the eyes, tilted by 45 degrees
    crop, _ = crop_turned(image, Transform(100, 100, 100), np.radians(45))
    rows, columns = np.nonzero(crop > 128)
    assert np.ptp(rows) < 20
    assert np.ptp(columns) > 100


def test_a_crop_that_is_not_turned_is_the_plain_one():
    image = np.random.default_rng(4).integers(0, 256, (90, 80, 3), np.uint8)
    square = Transform(-10, 5, 60)
    crop, to_image = crop_turned(image, square, 0.0)
    assert (crop == crop_square(image, square)).all()
    assert to_image([[0, 1]]).tolist() == square.to_image([[0, 1]]).tolist()
    with pytest.raises(UserError, match="lies outside of the 80x90 picture"):
        crop_turned(image, Transform(500, 5, 60), 1.0)


def test_the_square_of_a_tilted_face_is_that_of_the_upright_one():
    points = np.random.default_rng(5).uniform(-40, 40, (98, 2)) * [1.0, 1.4]
    upright = square_around_landmarks(points + 200)
    for degrees in (-60, 30):
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.array([[cosine, -sine], [sine, cosine]])
        square = turned_square(points @ turn.T + 200, np.radians(degrees))
        assert abs(square.side - upright.side) <= 1
        middle = np.array([upright.left, upright.top]) + upright.side / 2 - 200
        wanted = turn @ middle + 200
        found = np.array([square.left, square.top]) + square.side / 2
        assert np.abs(found - wanted).max() <= 1.5
