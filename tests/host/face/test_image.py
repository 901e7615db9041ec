# SPDX-License-Identifier: Apache-2.0
"""Picture files, good and bad."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from host.face import image
from host.face.header import read_header
from host.face.image import decode, load_source, read_image


def test_a_picture_file_is_read_as_bgr(portrait, portrait_file):
    assert (load_source(str(portrait_file)) == portrait).all()


def test_a_grey_picture_becomes_bgr(tmp_path):
    cv2.imwrite(str(tmp_path / "g.png"), np.full((3, 4), 77, np.uint8))
    assert (read_image(tmp_path / "g.png") == np.full((3, 4, 3), 77)).all()


def test_the_built_in_portrait_needs_no_file():
    found = load_source("astronaut")
    assert found.shape == (512, 512, 3)
    assert found.dtype == np.uint8
    assert found[60, 400, 2] > found[60, 400, 0] + 20  # the flag's red, in the last channel


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


WRITTEN = (".png", ".jpg", ".bmp", ".webp", ".tif")


@pytest.mark.parametrize("ending", WRITTEN)
def test_the_header_tells_the_size_that_is_decoded(portrait, ending):
    for drawn in (portrait[:300, :201], portrait[:7, :1, 0]):
        data = cv2.imencode(ending, drawn)[1].tobytes()
        assert read_header(data) == (drawn.shape[1], drawn.shape[0], True)
        assert decode("x", data).shape[:2] == drawn.shape[:2]


def test_the_kinds_of_webp(portrait):
    lossless = cv2.imencode(".webp", portrait[:30, :41], (cv2.IMWRITE_WEBP_QUALITY, 101))[1]
    clear = np.dstack([portrait[:30, :41], portrait[:30, :41, :1]])
    for data in (lossless, cv2.imencode(".webp", clear)[1]):
        assert read_header(data.tobytes()) == (41, 30, True)
    assert lossless.tobytes()[12:16] == b"VP8L"


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_a_picture_that_is_cut_off_is_called_so(portrait, tmp_path, ending):
    data = cv2.imencode(ending, portrait)[1].tobytes()
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=rf"cut is cut off after {len(data) // 2} bytes; copy or"):
        read_image(tmp_path / "cut")


def test_a_thumbnails_end_is_not_the_pictures(portrait):
    data = cv2.imencode(".jpg", portrait)[1].tobytes()
    thumbnail = cv2.imencode(".jpg", portrait[::8, ::8])[1].tobytes()
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    data = data[:2] + segment + data[2:]
    assert read_header(data) == (512, 512, True)
    assert read_header(data[:-1000]) == (512, 512, False)


def test_a_picture_of_900_million_pixels_is_refused_before_it_is_decoded(tmp_path, portrait):
    data = bytearray(cv2.imencode(".png", portrait)[1].tobytes())
    data[16:24] = (30000).to_bytes(4, "big") * 2
    (tmp_path / "huge.png").write_bytes(data)
    message = r"huge\.png has 30000 x 30000 pixels; at most 120 million are read, make it smaller"
    with pytest.raises(UserError, match=message):
        read_image(tmp_path / "huge.png")


def test_an_endless_file_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(image, "MAX_BYTES", 2**20)
    with pytest.raises(UserError, match="/dev/zero has more than 1 MB; give a smaller picture"):
        read_image(Path("/dev/zero"))


def test_a_damaged_picture_is_called_so(portrait):
    data = bytearray(cv2.imencode(".png", portrait)[1].tobytes())
    data[60:80] = bytes(20)
    with pytest.raises(UserError, match=r"the picture x \(\d+ bytes\) is damaged; make it anew"):
        decode("x", bytes(data))


def test_a_format_that_is_not_read_here_is_refused():
    with pytest.raises(UserError, match="is no picture that OpenCV reads; give a PNG, JPEG, BMP"):
        decode("huge.pgm", b"P5 60000 60000 255\n" + bytes(10))
