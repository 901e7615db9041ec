# SPDX-License-Identifier: Apache-2.0
"""Reflections in glasses: what they hide is where they are, and how much of it is told."""

import cv2
import numpy as np
import pytest

from host.backends import DEFAULT_MODEL, open_backend
from host.face.crop import PORTRAIT_SQUARE, crop_square, square_around_landmarks
from host.face.eyes import look_at_eyes
from host.face.image import astronaut
from model.faces import reflect
from model.faces.lids import shut_eyes


def eye_regions(points):
    return [
        cv2.boundingRect(points[part].astype(np.float32)) for part in (slice(60, 68), slice(68, 76))
    ]


def parts(image, points):
    return [image[y : y + height, x : x + width] for x, y, width, height in eye_regions(points)]


def openings(points):
    """Ellipses around the eyes' centres, as wide as the eyes and 0.44 times as high."""
    for left, right in ((60, 64), (68, 72)):
        centre, width = points[[left, right]].mean(axis=0), points[right, 0] - points[left, 0]
        down, across = np.mgrid[:224, :224] + 0.5
        apart = ((across - centre[0]) / (0.5 * width)) ** 2
        yield apart + ((down - centre[1]) / (0.22 * width)) ** 2 <= 1


@pytest.mark.parametrize("colour", [False, True])
def test_a_scene_replaces_the_eyes_in_dark_lenses(face, colour):
    """Two pictures of other eyes are the same behind them; two scenes are not."""
    image, points = face
    image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if colour else image
    before, blank = image.copy(), image.copy()
    for x, y, width, height in eye_regions(points):
        blank[y : y + height, x : x + width] = 128
    ramp = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (96, 1))
    with_eyes, without, turned = (
        reflect.mirroring(shown, points, scene, np.random.default_rng(2))
        for shown, scene in ((image, ramp), (blank, ramp), (image, ramp.T.copy()))
    )
    assert with_eyes.shape == image.shape
    assert with_eyes.dtype == np.uint8
    assert (image == before).all()
    for one, other, third in zip(
        *(parts(picture, points) for picture in (with_eyes, without, turned)), strict=True
    ):
        through, shown = (np.abs(one.astype(int) - part).mean() for part in (other, third))
        assert through <= 3  # levels, of up to 128
        assert shown > 3 * through


def test_a_veil_adds_its_light_and_says_how_much(face):
    image, points = face
    white = np.full((96, 96), 255, np.uint8)
    white[:, :2] = 0  # so that the scene has a range
    for strength in (0.1, 0.4, 0.9):
        drawn, light = reflect.veiled(image, points, white, strength, np.random.default_rng(1))
        assert light == pytest.approx([strength, strength], abs=0.03)
        for one, other in zip(parts(drawn, points), parts(image, points), strict=True):
            wanted = np.minimum(other.astype(float) + 255 * strength, 255)
            assert np.median(np.abs(one - wanted)) <= 8


def test_lamps_hide_as_much_as_they_say(face):
    """Spots are brighter than anything; where much is hidden much of the eye is that bright."""
    image, points = face
    image = (image * 0.6).astype(np.uint8)
    told, found = [], []
    for seed in range(60):
        drawn, hidden = reflect.lamps(image, points, np.random.default_rng(seed))
        assert ((hidden >= 0) & (hidden <= 1)).all()
        told += hidden.tolist()
        found += [float((drawn[inside] > image.max()).mean()) for inside in openings(points)]
    assert np.corrcoef(told, found)[0, 1] > 0.9
    assert min(told) == 0
    assert max(told) > 0.6


def test_scenes_are_of_many_kinds_and_repeat():
    scenes = [reflect.drawn_scene(np.random.default_rng(seed)) for seed in range(40)]
    again = reflect.drawn_scene(np.random.default_rng(3))
    assert (scenes[3] == again).all()
    assert all(scene.shape == (reflect.SCENE, reflect.SCENE) for scene in scenes)
    assert len({scene.tobytes() for scene in scenes}) == 40
    assert np.ptp([scene.mean() for scene in scenes]) > 80


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (480, 640)])
def test_what_is_beside_a_face_is_away_from_it(size):
    picture = np.zeros(size, np.uint8)
    picture[:, size[1] // 2 :] = 255
    rng = np.random.default_rng(0)
    scenes = [reflect.beside(picture, np.array([0.0, 0.0]), rng) for _ in range(30)]
    assert {scene.shape for scene in scenes} == {(reflect.SCENE, reflect.SCENE)}
    if size == (480, 640):
        assert np.mean(scenes) > 150  # five tries each: mostly the far half


def test_the_eye_test_sees_no_open_eyes_in_reflections():
    """The portrait with shut eyes behind glasses; the landmarks are those found in the picture."""
    backend = open_backend("cpu", DEFAULT_MODEL, threads=1)

    def found(picture, square=PORTRAIT_SQUARE):
        return square.to_image(backend.infer(crop_square(picture, square, 112)[np.newaxis])[0])

    points = found(astronaut())
    square, shut = square_around_landmarks(points), shut_eyes(astronaut(), points)
    seen, opened = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        dark = reflect.mirroring(shut, points, reflect.drawn_scene(rng), rng)
        spots, _ = reflect.lamps(shut, points, rng)
        for looks, picture in ((seen, dark), (opened, spots)):
            look = look_at_eyes(picture, found(picture, square))
            looks.append([look.visible, look.open])
    backend.close()
    dark, lit = np.array(seen) > 0.5, np.array(opened) > 0.5
    assert dark[:, 0].any(axis=1).mean() <= 0.15
    assert lit.all(axis=1).mean() <= 0.01
