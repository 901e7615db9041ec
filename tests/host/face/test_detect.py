# SPDX-License-Identifier: Apache-2.0
"""Both face detectors on the built-in portrait, whole, turned, dark and small."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import skimage.data

from host.common.errors import UserError
from host.face.crop import PORTRAIT_SQUARE, square_around_box
from host.face.detect import blaze, haar
from host.face.detect.blaze import BlazeDetector
from host.face.detect.choice import DETECTORS, open_detector
from host.face.detect.faces import find_first
from host.face.detect.haar import HaarDetector
from host.face.detect.light import BRIGHT, brighten

EYES = np.array([[203, 105], [250, 105]])  # read off the portrait by eye
MIDDLE = np.array([225.5, 129.5])  # of the landmarks' square in it


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request):
    return open_detector(request.param)


@pytest.fixture(scope="module")
def blazeface():
    return BlazeDetector()


def middle_of(face):
    return np.array([face.box.x + face.box.width / 2, face.box.y + face.box.height / 2])


def turned(picture, degrees):
    """The picture turned clockwise about the face, as large as before."""
    matrix = cv2.getRotationMatrix2D(MIDDLE.tolist(), -degrees, 1)
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def test_the_portrait_has_one_face_with_both_eyes_in_it(detector, portrait):
    faces = detector.find(portrait)
    assert len(faces) == 1
    x, y, width, height = faces[0].box
    assert (EYES - (x, y) > 0).all()
    assert (EYES - (x + width, y + height) < 0).all()
    assert 80 < width < 120


def test_a_grey_picture_is_searched_too(detector, portrait):
    grey = detector.find(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY))
    assert len(grey) == 1
    found = detector.find(portrait)[0]
    assert np.linalg.norm(middle_of(grey[0]) - middle_of(found)) < 0.05 * found.box.width


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("quick", [False, True])
def test_all_detectors_lead_to_about_the_same_crop(name, quick, portrait):
    face = find_first(open_detector(name, quick), portrait)
    square = square_around_box(face.box)
    assert 0.9 < square.side / PORTRAIT_SQUARE.side < 1.15
    assert np.abs(middle_of(face) - MIDDLE).max() < 0.1 * PORTRAIT_SQUARE.side


def test_large_pictures_are_searched_reduced_and_boxes_scaled_back(detector, portrait):
    side = haar.SEARCH_SIDE
    small = find_first(detector, cv2.resize(portrait, (side, side))).box
    large = find_first(detector, cv2.resize(portrait, (3 * side, 3 * side))).box
    assert np.abs(np.array(large) / 3 - small).max() < 0.05 * small.width


def test_the_largest_face_comes_first(detector, portrait):
    face = portrait[20:220, 120:320]
    picture = np.zeros((600, 700, 3), np.uint8)
    picture[:200, :200] = face
    picture[200:, 300:] = cv2.resize(face, (400, 400))
    faces = detector.find(picture)
    assert [one.box.x > 300 for one in faces] == [True, False]
    assert find_first(detector, picture) == faces[0]


def test_no_face_is_an_error(detector):
    with pytest.raises(UserError, match="no face found in the 300x200 picture; give one that show"):
        find_first(detector, np.zeros((200, 300, 3), np.uint8))


def test_a_picture_of_one_pixel_is_searched(detector):
    assert detector.find(np.zeros((1, 5000), np.uint8)) == []


@pytest.mark.parametrize("degrees", [0, 20, -45, 45, 90, -90, 135, 180])
def test_a_face_is_found_at_every_roll(blazeface, portrait, degrees):
    faces = blazeface.find(turned(portrait, degrees))
    assert len(faces) == 1
    assert np.linalg.norm(middle_of(faces[0]) - MIDDLE) < 0.15 * PORTRAIT_SQUARE.side
    off = (np.degrees(faces[0].roll) - degrees + 180) % 360 - 180
    assert abs(off) < 10


@pytest.mark.parametrize("name", ["brick", "page", "text", "gravel"])
def test_things_are_no_faces(blazeface, name):
    picture = getattr(skimage.data, name)()
    colour = picture[..., ::-1] if picture.ndim == 3 else picture
    assert blazeface.find(np.ascontiguousarray(colour)) == []


def test_moving_pictures_are_turned_from_call_to_call(portrait):
    quick, upside_down = BlazeDetector(quick=True), turned(portrait, 180)
    found = [bool(quick.find(upside_down)) for _ in range(6)]
    assert sum(found) == 2
    assert found[:3] == found[3:]


@pytest.mark.parametrize("light", [0.5, 0.2, 0.1, 0.05])
def test_a_dark_face_is_found(blazeface, portrait, light):
    noise = np.random.default_rng(5).normal(0, 1, portrait.shape)
    dark = np.clip(np.rint(portrait * light + noise), 0, 255).astype(np.uint8)
    face = find_first(blazeface, dark)
    assert np.linalg.norm(middle_of(face) - MIDDLE) < 0.1 * PORTRAIT_SQUARE.side


def test_a_small_face_needs_the_finer_passes(portrait):
    street = np.full((1000, 1000, 3), 128, np.uint8)
    street[700:828, 300:428] = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    face = find_first(BlazeDetector(), street)
    assert np.abs(middle_of(face) - (300, 700) - MIDDLE / 4).max() < 5
    assert BlazeDetector(quick=True).find(street) == []


def test_a_dark_picture_is_brightened_and_a_light_one_is_not(portrait):
    assert brighten(portrait, 1.0) is portrait
    raised = brighten((portrait // 8).astype(np.uint8), 1.0)
    assert abs(np.percentile(raised[..., 1], 99) - BRIGHT) < 10


@pytest.mark.parametrize("data", [None, SimpleNamespace(haarcascades="/nowhere/")])
def test_an_opencv_without_cascades_is_named(monkeypatch, data):
    monkeypatch.setattr(cv2, "data", data)
    with pytest.raises(UserError, match=r"OpenCV \S+ has no haarcascade_.*; install opencv-python"):
        HaarDetector()


def test_an_opencv_that_is_too_old_is_named(monkeypatch):
    monkeypatch.delattr(blaze.cv2.dnn, "readNetFromTFLite")
    with pytest.raises(UserError, match=r"OpenCV \S+ does not read .*use --detector haar"):
        BlazeDetector()


def test_a_damaged_or_missing_network_is_named(tmp_path):
    file = tmp_path / "net.tflite"
    with pytest.raises(UserError, match=r"cannot read the detector .*No such file"):
        BlazeDetector(weights=file)
    file.write_bytes(b"TFL3" * 30)
    with pytest.raises(UserError, match=r"does not read the detector"):
        BlazeDetector(weights=file)


def test_an_unknown_detector_is_named():
    with pytest.raises(UserError, match="there is no detector 'yunet'; use blazeface or haar"):
        open_detector("yunet")
