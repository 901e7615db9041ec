# SPDX-License-Identifier: Apache-2.0
"""Builds of networks that are not about faces, on whole pictures."""

import json

import cv2
import numpy as np
import pytest

from host import run
from host.backends import open_backend
from host.common.errors import UserError
from host.face.image import fitted

BYTES = np.array([[[10, 20, 30], [40, 250, 60]], [[70, 80, 90], [15, 25, 35]]], np.uint8)  # RGB
COUNT = BYTES.size


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), BYTES[..., ::-1])
    return path


@pytest.fixture
def build(make_build):
    """A build whose accumulators are the bytes of its RGB picture of 2 x 2 pixels, less 128."""
    made = make_build(
        frame=COUNT,
        outputs=COUNT,
        task="classes",
        input={"shape": [*BYTES.shape], "dtype": "UINT8"},
        output={"shape": [COUNT], "dtype": "INT22", "scale": [0.5] * COUNT, "bias": [0] * COUNT},
    )
    return describe(made, outputs=[{"name": "scores", "shape": [COUNT, 1, 1]}])


def describe(build, **changes):
    """Change the content of a build's settings.json."""
    path = build / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return build


def started(build, picture, *more):
    return run.main(["--backend", "sim", "--build", str(build), "--source", str(picture), *more])


def test_a_classifier_names_the_class_of_an_rgb_picture(build, picture, capsys):
    assert started(build, picture) == 0
    assert capsys.readouterr().out.startswith("classes: scores 4, backend sim (load ")


def test_its_result_as_json(build, picture, capsys):
    assert started(build, picture, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["task"], found["outputs"]) == ("classes", {"scores": 4.0})
    assert found["details"]["accumulators"] == [(BYTES.reshape(-1).astype(int) - 128).tolist()]
    assert found["picture"] == {"width": 2, "height": 2}


def test_a_map_keeps_its_shape(build, picture, capsys):
    describe(build, task="map", outputs=[{"name": "depth", "shape": [3, 2, 2]}])
    assert started(build, picture, "--json") == 0
    depth = np.array(json.loads(capsys.readouterr().out)["outputs"]["depth"])
    assert np.array_equal(depth, 0.5 * (np.moveaxis(BYTES.astype(int), -1, 0) - 128))


def test_a_turned_picture(build, picture, capsys):
    assert started(build, picture, "--json", "--rotate", "180") == 0
    assert json.loads(capsys.readouterr().out)["outputs"] == {"scores": 7.0}


def test_what_only_landmarks_have_is_refused(build, picture, capsys, tmp_path):
    assert started(build, picture, "--out", str(tmp_path / "face.png")) == 1
    assert "draws landmarks, the build gives classes; use --json" in capsys.readouterr().err
    backend = open_backend("sim", build=build)
    with pytest.raises(UserError, match="tiny gives classes of whole pictures, not landmarks"):
        backend.infer(BYTES[np.newaxis])


def test_frames_of_another_size_are_refused(build):
    with pytest.raises(UserError, match=r"uint8 of shape \(1, 2, 2\); .* uint8 \(N, 2, 2, 3\)"):
        open_backend("sim", build=build).accumulate(BYTES[np.newaxis, ..., 0])


def test_a_picture_is_grey_or_rgb():
    assert fitted(BYTES[..., ::-1], (2, 2, 3)).tolist() == BYTES.tolist()
    assert fitted(BYTES, (4, 5, 1)).shape == (4, 5, 1)
    with pytest.raises(UserError, match=r"frames of shape \(7,\), which no picture is"):
        fitted(BYTES, (7,))
