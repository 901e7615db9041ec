# SPDX-License-Identifier: Apache-2.0
"""Pictures to landmarks: all faces, turned ones, crops until they stay, strays."""

import math

import cv2
import numpy as np
import pytest

from host.backends import DEFAULT_MODEL, open_backend
from host.face.crop import square_around_box, square_around_landmarks
from host.face.detect.choice import open_detector
from host.face.detect.faces import Box, Face
from host.face.landmarker import ROUNDS, Landmarker, turn_upright
from host.face.landmarks import inter_ocular
from tests.host.drivers import Backend

SIDE = 400


class Known:
    """A detector that says what it was told."""

    def __init__(self, *faces):
        self.faces = faces

    def find(self, image):
        return list(self.faces)


class Towards(Backend):
    """A network for which the face always is at one place of the picture."""

    def __init__(self, points, squares):
        super().__init__()
        self.points, self.squares = points, squares

    def infer(self, images):
        self.calls += 1
        return self.squares[-1].to_crop(self.points)[np.newaxis]


@pytest.fixture
def seen(monkeypatch):
    """The squares that are cropped."""
    from host.face import landmarker

    squares = []
    crop = landmarker.crop_square

    def spy(image, square, *rest):
        squares.append(square)
        return crop(image, square, *rest)

    monkeypatch.setattr(landmarker, "crop_square", spy)
    return squares


def face_at(x, y, side, roll=None):
    return Face(box=Box(x, y, side, side), score=0.9, roll=roll)


IMAGE = np.zeros((SIDE, SIDE, 3), np.uint8)
POINTS = np.random.default_rng(3).uniform((150, 130), (250, 230), (98, 2))


def test_the_crop_follows_the_landmarks_until_it_stays(seen):
    network = Towards(POINTS, seen)
    (face,) = Landmarker(network, Known(face_at(130, 120, 110))).find(IMAGE)
    assert seen == [square_around_box(Box(130, 120, 110, 110)), square_around_landmarks(POINTS)]
    assert face.crop == seen[-1]
    assert np.abs(face.landmarks - POINTS).max() < 1e-9
    assert (face.score, face.roll_deg) == (0.9, 0.0)


def test_a_crop_that_never_stays_ends_after_some_rounds(seen):
    class Shaking(Backend):
        def infer(self, images):
            self.calls += 1
            return super().infer(images) + 0.1 * (-1) ** self.calls

    network = Shaking()
    Landmarker(network, Known(face_at(130, 120, 110))).find(IMAGE)
    assert len(seen) == ROUNDS


def test_a_crop_that_strays_from_the_detectors_is_not_followed(seen):
    network = Towards(POINTS + 150, seen)
    (face,) = Landmarker(network, Known(face_at(130, 120, 110))).find(IMAGE)
    assert seen == [face.crop] == [square_around_box(Box(130, 120, 110, 110))]


def test_landmarks_that_are_no_face_end_the_search(seen):
    class Point(Backend):
        def infer(self, images):
            return np.full((1, 98, 2), 0.5)

    (face,) = Landmarker(Point(), Known(face_at(130, 120, 110))).find(IMAGE)
    assert len(seen) == 1
    assert np.isfinite(face.landmarks).all()


def test_every_face_is_marked_the_first_one_first():
    times = {}
    found = Known(face_at(20, 20, 100), face_at(250, 250, 60))
    faces = Landmarker(Backend(), found).find(IMAGE, times)
    assert [face.box.x for face in faces] == [20, 250]
    assert list(times) == ["detect", "crop", "infer"]
    assert Landmarker(Backend(), Known()).find(IMAGE) == []


@pytest.mark.parametrize("degrees", [-170, -90, -30, 16, 45, 180])
def test_a_part_of_the_picture_is_turned_about_the_box(degrees):
    """Marks drawn where they are in the picture are found where the map says, to half a pixel."""
    image = np.zeros((300, 320, 3), np.uint8)
    marks = np.array([(150.5, 120.5), (180.5, 140.5), (140.5, 170.5)])
    for x, y in marks:
        cv2.circle(image, (int(x), int(y)), 3, (255, 255, 255), -1)
    box = Box(120, 110, 70, 70)
    patch, to_patch, _ = turn_upright(image, box, math.radians(degrees))
    labels, _, _, centres = cv2.connectedComponentsWithStats((patch[..., 0] > 100).astype(np.uint8))
    assert labels == 4
    wanted = marks @ to_patch[:, :2].T + to_patch[:, 2]
    for point in wanted:
        assert np.abs(centres[1:] + 0.5 - point).max(axis=1).min() < 0.5


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, -120])
def test_the_portrait_is_found_at_every_angle(portrait, degrees):
    """Its landmarks, turned back, are those of the upright one, to 5 % of the eyes' distance."""
    landmarker = Landmarker(open_backend("cpu", DEFAULT_MODEL, threads=1), open_detector())
    turn = cv2.getRotationMatrix2D((256, 256), -degrees, 0.7)
    (upright,) = landmarker.find(portrait)
    image = np.asarray(cv2.warpAffine(portrait, turn, (512, 512)), np.uint8)
    (face,) = landmarker.find(image)
    back = cv2.invertAffineTransform(turn)
    landmarks = face.landmarks @ back[:, :2].T + back[:, 2]
    error = np.linalg.norm(landmarks - upright.landmarks, axis=1).mean()
    assert error / float(inter_ocular(upright.landmarks)) < 0.05
    assert abs((face.roll_deg - degrees + 180) % 360 - 180) < 15
    assert face.score > 0.5
