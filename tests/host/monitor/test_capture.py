# SPDX-License-Identifier: Apache-2.0
"""Sources in memory and folders: order, times, damaged pictures, turning."""

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from host.drawn.script import DEMO, Event
from host.monitor import capture
from host.monitor.capture import (
    FolderSource,
    LoopSource,
    Paced,
    StillSource,
    SyntheticSource,
    Turned,
)
from tests.host.drivers import picture

IMAGE = picture()


def read_all(source):
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


def test_a_folder_leaves_out_what_is_no_picture(tmp_path):
    for name in ("b.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / name), IMAGE)
    (tmp_path / "c.png").write_text("no picture")
    (tmp_path / "d.txt").write_text("no picture")
    assert [frame.number for frame in read_all(FolderSource(tmp_path))] == [0, 1]


def test_a_folder_is_read_as_people_count_at_a_given_rate(tmp_path):
    for number, name in enumerate(("f0.png", "f1.webp", "F2.tif", "f10.bmp")):
        cv2.imwrite(str(tmp_path / name), np.full((4, 5, 3), 40 * number, np.uint8))
    frames = read_all(FolderSource(tmp_path, 5.0))
    assert [round(frame.image.mean() / 40) for frame in frames] == [0, 1, 2, 3]
    assert [frame.time_s for frame in frames] == [0, 0.2, 0.4, pytest.approx(0.6)]


def test_pictures_left_out_are_told(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), IMAGE)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[:1000])
    said = []
    read_all(FolderSource(tmp_path, tell=said.append))
    (line,) = said
    assert "b.png is cut off after 1000 bytes; copy or load it again" in line


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"holds no picture; give one with \.png, .*\.webp"):
        FolderSource(tmp_path)


def test_digits_of_other_scripts_are_letters(tmp_path):
    for name in ("\u00b21.png", "2.png", "10.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    assert len(read_all(FolderSource(tmp_path))) == 3


def test_pictures_are_turned_clockwise():
    for degrees, turns in ((90, -1), (180, 2), (270, 1)):
        source = Turned(StillSource(IMAGE), degrees)
        assert (source.read().image == np.rot90(IMAGE, turns)).all()
        assert source.read() is None
        source.close()


def test_one_picture_comes_once():
    source = StillSource(IMAGE)
    assert source.read().image is IMAGE
    assert source.read() is None


def test_a_loop_repeats_its_frames():
    source = LoopSource([IMAGE, IMAGE[:10]])
    frames = [source.read() for _ in range(4)]
    assert [frame.number for frame in frames] == [0, 1, 2, 3]
    assert frames[3].image is frames[1].image


def test_a_paced_source_keeps_its_times(monkeypatch):
    waits = []
    monkeypatch.setattr(capture.time, "sleep", waits.append)
    monkeypatch.setattr(capture.time, "monotonic", lambda: 100.0)
    source = Paced(SyntheticSource([]))
    assert [source.read().number for _ in range(3)] == [0, 1, 2]
    assert waits == pytest.approx([0, 0.04, 0.08])
    assert Paced(StillSource(IMAGE)).live


def test_the_drawn_clip_follows_its_script():
    source = SyntheticSource(DEMO)
    assert source.read().image.shape == (480, 640, 3)
    assert source.read().time_s == pytest.approx(0.04)
    with pytest.raises(UserError, match="is no event of a script of 20 s; use the kinds blink"):
        SyntheticSource([Event("sneeze", 1, 2)])
    with pytest.raises(UserError, match="0 <= begin_s < end_s <= 20"):
        SyntheticSource([Event("blink", 2, 21)])
