# SPDX-License-Identifier: Apache-2.0
"""Sources of frames: what a name means, times, damaged frames, cameras that vanish."""

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from host.drawn.script import DEMO, Event
from host.monitor import capture
from host.monitor.capture import (
    LoopSource,
    Paced,
    StillSource,
    SyntheticSource,
    VideoSource,
    is_picture,
    open_source,
)
from tests.host.drivers import picture

IMAGE = picture()


class Capture:
    """Like cv2.VideoCapture: gives the items of a list, an exception is raised."""

    def __init__(self, items, opened=True):
        self.items, self.opened, self.at, self.released = list(items), opened, 0, False

    def isOpened(self):
        return self.opened

    def get(self, what):
        return {cv2.CAP_PROP_FPS: 20.0, cv2.CAP_PROP_POS_FRAMES: self.at,
                cv2.CAP_PROP_FRAME_COUNT: len(self.items)}[what]  # fmt: skip

    def read(self):
        if self.at >= len(self.items):
            return False, None
        item, self.at = self.items[self.at], self.at + 1
        if isinstance(item, Exception):
            raise item
        return item is not None, item

    def release(self):
        self.released = True


def read_all(source):
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames


@pytest.mark.parametrize(
    ("name", "still"),
    [("astronaut", True), ("face.jpg", True), ("synthetic", False), ("0", False),
     ("/dev/video2", False), ("rtsp://host/stream", False), ("drive.MP4", False),
     ("v4l2src ! video/x-raw", False), (".", False)],
)  # fmt: skip
def test_what_a_name_means(name, still):
    assert is_picture(name) is still


def test_damaged_frames_of_a_file_are_passed_over_and_keep_their_time():
    broken = [cv2.error("bad"), None, np.zeros((0, 0, 3), np.uint8), np.zeros(4, np.uint8)]
    file = Capture([IMAGE, *broken, IMAGE[..., 0]])
    frames = read_all(VideoSource("clip", lambda: file, live=False))
    assert [frame.number for frame in frames] == [0, 5]
    assert frames[1].time_s == pytest.approx(5 / 20)
    assert frames[1].image.shape == IMAGE.shape


def test_a_camera_that_vanishes_is_opened_again(monkeypatch):
    monkeypatch.setattr(capture.time, "sleep", lambda _: None)
    captures = [Capture([IMAGE]), Capture([], opened=False), Capture([IMAGE, IMAGE])]
    source = VideoSource("0", lambda: captures.pop(0), live=True)
    assert [source.read().number for _ in range(3)] == [0, 1, 2]
    assert captures == []


def test_a_camera_that_stays_away_ends_in_one_line(monkeypatch):
    clock = iter(np.arange(0, 100, 0.5))
    monkeypatch.setattr(capture.time, "sleep", lambda _: None)
    monkeypatch.setattr(capture.time, "monotonic", lambda: float(next(clock)))
    source = VideoSource("0", lambda: Capture([]), live=True)
    with pytest.raises(UserError, match="the source 0 gave no frame for 5 s; it has"):
        source.read()


def test_a_real_video_comes_back(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 480))
    for _ in range(3):
        writer.write(IMAGE)
    writer.release()
    source = open_source(str(path))
    frames = read_all(source)
    source.close()
    assert [frame.time_s for frame in frames] == [0, 0.1, 0.2]
    assert np.abs(frames[0].image.astype(int) - IMAGE).mean() < 5
    assert not source.live


def test_a_folder_leaves_out_what_is_no_picture(tmp_path):
    for name in ("b.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / name), IMAGE)
    (tmp_path / "c.png").write_text("no picture")
    (tmp_path / "d.txt").write_text("no picture")
    assert [frame.number for frame in read_all(open_source(str(tmp_path)))] == [0, 1]


@pytest.mark.parametrize(
    ("name", "message"),
    [("no.mp4", r"cannot read the video .*no\.mp4: no such file"), ("", "holds no picture; give")],
)
def test_missing_sources_are_named(tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        open_source(str(tmp_path / name))


def test_a_video_that_is_none_is_named(tmp_path, capfd):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(UserError, match=r"cannot open the source .*text\.mp4; check that it"):
        open_source(str(path))
    capfd.readouterr()


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
