# SPDX-License-Identifier: Apache-2.0
"""Picture files, good and bad."""

import sys

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from host.face.image import load_source, read_image


def test_a_picture_file_is_read_as_bgr(portrait, portrait_file):
    assert (load_source(str(portrait_file)) == portrait).all()


def test_a_grey_picture_becomes_bgr(tmp_path):
    cv2.imwrite(str(tmp_path / "g.png"), np.full((3, 4), 77, np.uint8))
    assert (read_image(tmp_path / "g.png") == np.full((3, 4, 3), 77)).all()


def test_the_built_in_portrait_needs_no_file():
    image = load_source("astronaut")
    assert image.shape == (512, 512, 3)
    assert image.dtype == np.uint8
    assert image[60, 400, 2] > image[60, 400, 0] + 20  # the flag's red, in the last channel


def test_missing_scikit_image_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(UserError, match="'astronaut' comes with scikit-image, which is missing"):
        load_source("astronaut")


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the picture .*no\.png: No such file"):
        load_source(str(tmp_path / "no.png"))


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the picture .*: Is a directory"):
        load_source(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"just some text\n", b"\x89PNG\r\n\x1a\n damaged"])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UserError, match=rf"\({len(content)} bytes\) is no picture that OpenCV"):
        read_image(tmp_path / "x.png")


def test_a_picture_beyond_opencvs_limit_is_refused(tmp_path):
    header = b"P5 60000 60000 255\n"
    (tmp_path / "huge.pgm").write_bytes(header + bytes(10))
    with pytest.raises(UserError, match=r"cannot decode the picture .*huge\.pgm: "):
        read_image(tmp_path / "huge.pgm")
