# SPDX-License-Identifier: Apache-2.0
"""The face detector on the built-in portrait."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from host.face.detect import SEARCH_SIDE, FaceDetector

EYES = np.array([[203, 105], [250, 105]])  # read off the portrait by eye


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


def test_the_portrait_has_one_face_with_both_eyes_in_it(detector, portrait):
    boxes = detector.find(portrait)
    assert len(boxes) == 1
    x, y, width, height = boxes[0]
    assert (EYES - (x, y) > 0).all()
    assert (EYES - (x + width, y + height) < 0).all()
    assert 80 < width < 120
    assert boxes == detector.find(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY))


def test_large_pictures_are_searched_reduced_and_boxes_scaled_back(detector, portrait):
    small = detector.find_largest(cv2.resize(portrait, (SEARCH_SIDE, SEARCH_SIDE)))
    large = detector.find_largest(cv2.resize(portrait, (3 * SEARCH_SIDE, 3 * SEARCH_SIDE)))
    assert np.abs(np.array(large) / 3 - small).max() < 0.05 * small.width


def test_the_largest_face_comes_first(detector, portrait):
    face = portrait[20:220, 120:320]
    picture = np.zeros((600, 700, 3), np.uint8)
    picture[:200, :200] = face
    picture[200:, 300:] = cv2.resize(face, (400, 400))
    boxes = detector.find(picture)
    assert [box.x > 300 for box in boxes] == [True, False]
    assert detector.find_largest(picture) == boxes[0]


def test_no_face_is_an_error(detector):
    with pytest.raises(UserError, match="no face found in the 300x200 picture; give one with an"):
        detector.find_largest(np.zeros((200, 300, 3), np.uint8))


def test_a_picture_of_one_pixel_is_searched(detector):
    assert detector.find(np.zeros((1, 5000), np.uint8)) == []


@pytest.mark.parametrize("data", [None, SimpleNamespace(haarcascades="/nowhere/")])
def test_an_opencv_without_cascades_is_named(monkeypatch, data):
    monkeypatch.setattr(cv2, "data", data)
    with pytest.raises(UserError, match=r"OpenCV \S+ has no haarcascade_.*; install opencv-python"):
        FaceDetector()
