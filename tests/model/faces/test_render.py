# SPDX-License-Identifier: Apache-2.0
"""Procedural faces: repeatable, with landmarks on the features that were drawn."""

import time
from dataclasses import replace

import numpy as np
import pytest

from host.common.errors import UserError
from host.face import landmarks
from host.face.landmarks import LEFT_EYE, MIRROR, OUTER_LIPS, RIGHT_EYE
from model.faces import shape as face_shape
from model.faces.cache import CHUNK, make_chunks, read_chunks
from model.faces.camera import Camera
from model.faces.render import contact_sheet, make_face, make_faces

COUNT = 60


@pytest.fixture(scope="module")
def faces():
    return make_faces(COUNT, seed=5)


def symmetric_shape(seed: int) -> face_shape.Shape:
    shape = face_shape.draw_shape(np.random.default_rng(seed))
    return replace(shape, skew=0.0, gaze=(0.0, 0.0))


def test_format(faces):
    assert faces.images.shape == (COUNT, 112, 112)
    assert faces.images.dtype == np.uint8
    assert faces.landmarks.shape == (COUNT, 98, 2)
    assert faces.pose.shape == (COUNT, 3)
    assert np.isfinite(faces.landmarks).all()


def test_a_face_depends_on_seed_and_index_only(faces):
    again = make_faces(2, seed=5, first=7)
    np.testing.assert_array_equal(again.images, faces.images[7:9])
    np.testing.assert_array_equal(again.landmarks, faces.landmarks[7:9])
    other = make_faces(2, seed=6, first=7)
    assert (other.images != again.images).any(axis=(1, 2)).all()


def test_landmarks_fill_the_crop(faces):
    inside = ((faces.landmarks > 0) & (faces.landmarks < 1)).all(2)
    assert inside.mean() > 0.98
    size = np.ptp(faces.landmarks, axis=1).max(1)
    assert ((size > 0.65) & (size < 1.0)).all()  # the crop is about 1.2 times the box


def test_eye_points_bracket_the_pupil(faces):
    upright = np.abs(faces.pose).max(1) < 0.35
    assert upright.sum() > 10
    for eye, pupil in ((LEFT_EYE, 96), (RIGHT_EYE, 97)):
        x = faces.landmarks[upright][:, list(eye), 0]
        assert (faces.landmarks[upright, pupil, 0] > x.min(1)).all()
        assert (faces.landmarks[upright, pupil, 0] < x.max(1)).all()


def test_lips_are_inside_the_contour_and_below_the_nose(faces):
    upright = np.abs(faces.pose).max(1) < 0.3
    points = faces.landmarks[upright]
    assert (points[:, list(OUTER_LIPS), 1].max(1) < points[:, 16, 1]).all()
    assert (points[:, list(OUTER_LIPS), 1].mean(1) > points[:, 57, 1]).all()


@pytest.mark.parametrize("seed", range(5))
def test_mirror_table_maps_a_symmetric_face_to_itself(seed):
    flat = face_shape.flat_points(symmetric_shape(seed))
    flipped = flat[MIRROR] * (-1, 1)
    np.testing.assert_allclose(flipped, flat, rtol=0, atol=1e-12)


def test_turning_the_head_moves_the_nose_the_same_way():
    shape = symmetric_shape(3)
    rng = np.random.default_rng(0)
    field = face_shape.height_field(shape, rng)
    flat = face_shape.flat_points(shape)
    offsets = []
    for yaw in (-0.5, 0.0, 0.5):
        camera = Camera.aim(rng, shape, field, flat, face_shape.rotation(yaw, 0, 0))
        eyes = camera.landmarks[list(landmarks.OUTER_CORNERS), 0]
        offsets.append((camera.landmarks[54, 0] - eyes.mean()) / np.ptp(eyes))
    assert offsets[0] < -0.1
    assert offsets[1] == pytest.approx(0, abs=0.02)
    assert offsets[2] > 0.1


def test_roll_turns_clockwise_for_positive_angles():
    down = face_shape.rotation(0, 0, 0.3) @ (1, 0, 0)
    np.testing.assert_allclose(down, (np.cos(0.3), np.sin(0.3), 0), atol=1e-12)


def test_pupils_are_darker_than_the_cheeks(faces):
    """The drawn features are where the landmarks say, seen over many faces."""
    darker = 0
    for image, points in zip(faces.images, faces.landmarks * 112, strict=True):
        pupils = [image[int(y), int(x)] for x, y in np.clip(points[96:98], 0, 111)]
        cheeks = (points[[55, 59]] + points[[4, 28]]) / 2
        cheek = [image[int(y), int(x)] for x, y in np.clip(cheeks, 0, 111)]
        darker += np.mean(pupils) < np.mean(cheek)
    assert darker > 0.75 * COUNT


def test_speed():
    start = time.process_time()
    make_faces(10, seed=8)
    assert time.process_time() - start < 5  # a tenth of the usual speed


def test_contact_sheet_has_every_face(faces):
    part = make_faces(5, seed=1)
    sheet = contact_sheet(part, columns=4, zoom=2)
    assert sheet.shape == (2 * 224, 4 * 224, 3)
    assert sheet[:224, :224].any()
    assert not sheet[224:, 224:].any()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"count": 0}, "count=0 is not possible; use 1 or more"),
        ({"count": 1, "seed": -1}, "seed=-1 is not possible; use 0 or more"),
        ({"count": 1, "first": -2}, "first=-2 is not possible; use 0 or more"),
    ],
)
def test_bad_arguments(arguments, text):
    with pytest.raises(UserError, match=text):
        make_faces(**arguments)


def test_cache_is_filled_once(tmp_path, monkeypatch):
    monkeypatch.setattr("model.faces.cache.CHUNK", 3)
    paths = list(make_chunks(tmp_path, 5, seed=2, workers=1))
    assert len(paths) == 2
    stamp = [path.stat().st_mtime_ns for path in paths]
    assert list(make_chunks(tmp_path, 5, seed=2, workers=1)) == paths
    assert [path.stat().st_mtime_ns for path in paths] == stamp
    faces = read_chunks(paths, 5)
    assert len(faces.images) == 5
    np.testing.assert_array_equal(faces.images[4], make_face(2, 4)[0])
    assert CHUNK > 3
