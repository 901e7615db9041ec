# SPDX-License-Identifier: Apache-2.0
"""The look at the eyes: its patches, its file, the shipped one on a portrait and on drawn heads."""

import cv2
import numpy as np
import pytest

from host.backends import DEFAULT_MODEL, open_backend
from host.common.errors import UserError
from host.drawn.head import Head
from host.drawn.script import draw_frame
from host.face import eyes
from host.face.crop import (
    PORTRAIT_SQUARE,
    crop_square,
    square_around_box,
    square_around_landmarks,
)
from host.face.detect.choice import open_detector
from host.face.eyes import (
    FEATURES,
    PATCH,
    Network,
    eye_features,
    load_network,
    look_at_eyes,
    probabilities,
)

EYES = np.array([[203.0, 105.0], [250.0, 105.0]])  # read off the portrait by eye


def landmarks(centres=EYES, width=24.0):
    """98 points of which the eyes' corners and the extent are those of a face."""
    apart = centres[1] - centres[0]
    points = np.repeat(centres.mean(axis=0)[None], 98, axis=0)
    points[0], points[32] = centres[0] - 0.7 * apart, centres[1] + 0.7 * apart
    points[16] = centres.mean(axis=0) + 1.8 * np.array([-apart[1], apart[0]])
    along = apart / np.linalg.norm(apart) * width / 2
    points[[60, 64]] = centres[0] - along, centres[0] + along
    points[[68, 72]] = centres[1] - along, centres[1] + along
    return points


def patches(features):
    """Both eyes as they lie in the picture; the network sees the right one mirrored."""
    both = features[:, : PATCH[0] * PATCH[1]].reshape(2, PATCH[1], PATCH[0])
    return np.stack([both[0], both[1, :, ::-1]])


@pytest.fixture(scope="module")
def found(portrait):
    """Landmarks of the portrait by the shipped network."""
    backend = open_backend("cpu", DEFAULT_MODEL, threads=1)
    crop = crop_square(portrait, PORTRAIT_SQUARE, backend.input_size)
    points = PORTRAIT_SQUARE.to_image(backend.infer(crop[np.newaxis])[0])
    backend.close()
    return points


def cover_box(picture, points, first):
    """The picture with a black box over one eye and its surroundings."""
    low, high = points[first : first + 8].min(axis=0), points[first : first + 8].max(axis=0)
    left, top = np.floor(low - np.array([8, 12])).astype(int)
    right, bottom = np.ceil(high + np.array([8, 12])).astype(int)
    covered = picture.copy()
    covered[top:bottom, left:right] = 8
    return covered


def test_both_eyes_of_the_portrait_can_be_judged(portrait, found):
    for picture in (portrait, cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)):
        look = look_at_eyes(picture, found)
        assert min(look.visible) > 0.7
        assert min(look.open) > 0.7


@pytest.mark.parametrize(("first", "hidden"), [(60, 0), (68, 1)])
def test_a_covered_eye_is_told_from_the_other(portrait, found, first, hidden):
    visible = look_at_eyes(cover_box(portrait, found, first), found).visible
    assert visible[hidden] < 0.3
    assert visible[1 - hidden] > 0.6


def test_eyes_in_the_dark_and_in_a_strong_blur_cannot_be_judged(portrait, found):
    noise = np.random.default_rng(1).normal(2, 1.5, portrait.shape)
    black = np.clip(np.rint(noise), 0, 255).astype(np.uint8)
    assert max(look_at_eyes(black, found).visible) < 0.3
    assert max(look_at_eyes(cv2.GaussianBlur(portrait, (0, 0), 12), found).visible) < 0.3


@pytest.mark.parametrize("yaw", [-20.0, 0.0, 20.0])
def test_open_and_shut_eyes_of_a_drawn_head_are_told_apart(yaw):
    backend = open_backend("cpu", DEFAULT_MODEL, threads=1)
    for opening, low, high in ((1.0, 0.7, 1.0), (0.0, 0.0, 0.3)):
        picture = draw_frame([Head(x=320, y=185, unit=105, eyes=opening, yaw=yaw)])
        square = square_around_box(open_detector(quick=True).find(picture)[0].box)
        for _ in range(2):
            crop = crop_square(picture, square, backend.input_size)
            points = square.to_image(backend.infer(crop[np.newaxis])[0])
            square = square_around_landmarks(points)
        look = look_at_eyes(picture, points)
        assert min(look.visible) > 0.5
        assert low <= min(look.open) <= max(look.open) <= high
    backend.close()


def test_a_patch_is_centred_level_and_relative_to_the_light():
    image = np.full((300, 400), 100, np.uint8)
    image[101:105, 190:216] = 200  # a bar through the left eye
    upright = patches(eye_features(image, landmarks()))
    rows, columns = np.nonzero(upright[0] > upright[0].max() / 2)
    assert abs(rows.mean() - (PATCH[1] - 1) / 2) < 1.5
    assert abs(columns.mean() - (PATCH[0] - 1) / 2) < 1
    assert np.ptp(upright[1]) == 0
    matrix = cv2.getRotationMatrix2D((200, 150), 30, 1)
    turned = cv2.warpAffine(image, matrix, (400, 300), borderMode=cv2.BORDER_REPLICATE)
    moved = EYES @ matrix[:, :2].T + matrix[:, 2]
    again = patches(eye_features(turned, landmarks(moved)))
    assert np.abs(again[0] - upright[0]).mean() < 0.15 * np.ptp(upright[0])


def test_landmarks_that_are_no_face_have_no_visible_eyes(portrait):
    assert look_at_eyes(portrait, np.full((98, 2), np.nan)).visible == (0, 0)
    assert look_at_eyes(portrait, np.full((98, 2), 50.0)).visible == (0, 0)
    outside = landmarks() + 5000.0
    assert np.isfinite(look_at_eyes(portrait, outside)).all()


def test_a_missing_or_other_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the eye test .*install the project again"):
        load_network(tmp_path / "no.npz")
    file = tmp_path / "other.npz"
    np.savez(file, a=np.zeros((FEATURES, 2)))
    with pytest.raises(UserError, match="cannot read the eye test"):
        load_network(file)
    np.savez(file, **network(inputs=7)._asdict())
    with pytest.raises(UserError, match="is for 7 numbers behind its convolutions, the program"):
        load_network(file)


def network(inputs=12 * 2 + 4, **parts):
    """A network of one channel a layer, or two in the last, of zeros but for ``parts``."""
    sizes = {"conv1": (18, 1), "bias1": 1, "conv2": (9, 1), "bias2": 1, "conv3": (9, 2),
             "bias3": 2, "hidden": (inputs, 3), "bias4": 3, "out": (3, 2), "bias5": 2}  # fmt: skip
    zeros = {name: np.zeros(size, np.float32) for name, size in sizes.items()}
    return Network(**zeros | parts)


def test_what_a_network_computes_is_exact():
    """One path: the middle of a patch through all layers, and a summary beside it."""
    features = np.zeros((3, FEATURES), np.float32)
    features[0, :-4] = 1.0  # flat: the stretched patch is 0
    features[1, -1] = 2.0
    first = np.zeros((18, 1), np.float32)
    first[4] = 2.0  # the middle of the patch as it is
    middle = np.zeros((9, 1), np.float32)
    middle[4] = 1.0
    last = np.concatenate([middle, 0 * middle], axis=1)
    hidden = np.zeros((28, 3), np.float32)
    hidden[:24, 0], hidden[27, 1] = 1 / 12, 1.0
    out = np.array([[1.0, 0], [0, -1], [0, 0]], np.float32)
    said = probabilities(
        features,
        network(conv1=first, conv2=middle, conv3=last, hidden=hidden, out=out),
    )
    scores = np.log(said / (1 - said))
    assert scores == pytest.approx(np.array([[2, 0], [0, -2], [0, 0]]), abs=1e-5)


def test_the_shipped_file_is_small():
    assert eyes.WEIGHTS.stat().st_size < 60_000
