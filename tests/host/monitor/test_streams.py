# SPDX-License-Identifier: Apache-2.0
"""Recordings and live sources: time stamps, damage, silence, frozen pictures, real servers."""

import signal
import threading
import time

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from host.monitor import streams
from host.monitor.pipeline import Pipeline
from host.monitor.sinks.video import H264Writer
from host.monitor.sources import open_source
from host.monitor.streams import FROZEN, SILENT, LiveSource, Recording
from host.monitor.track import DirectSearch, Tracker
from tests.host.drivers import Backend, Finder, Sink, picture
from tests.host.monitor.servers import free_port, mjpeg, rtsp

IMAGE = picture()


class Capture:
    """Like cv2.VideoCapture: gives the items of a list, an exception is raised; then nothing."""

    rate = 20.0

    def __init__(self, items, opened=True, count=None, wait=None, stamps=None):
        self.stamps = stamps
        self.items, self.opened, self.at, self.released = list(items), opened, 0, False
        self.count, self.wait = len(self.items) if count is None else count, wait

    def isOpened(self):
        return self.opened

    def get(self, what):
        stamp = self.stamps[self.at - 1] if self.stamps else 0.0
        return {cv2.CAP_PROP_FPS: self.rate, cv2.CAP_PROP_POS_FRAMES: self.at,
                cv2.CAP_PROP_FRAME_COUNT: self.count, cv2.CAP_PROP_POS_MSEC: stamp,
                cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480}[what]  # fmt: skip

    def read(self):
        if self.at >= len(self.items):
            if self.wait:
                self.wait()
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
    source.close()
    return frames


# -- recordings ------------------------------------------------------------------------------------


def test_damaged_frames_of_a_file_are_passed_over_and_keep_their_time():
    broken = [cv2.error("bad"), None, np.zeros((0, 0, 3), np.uint8), np.zeros(4, np.uint8)]
    file = Capture([IMAGE, *broken, IMAGE[..., 0]])
    frames = read_all(Recording("clip", lambda: file))
    assert [frame.number for frame in frames] == [0, 5]
    assert frames[1].time_s == pytest.approx(5 / 20)
    assert frames[1].image.shape == IMAGE.shape


def test_stamps_that_begin_anew_go_on():
    """Of parts put together; a stamp that only trembles back does not move the others."""
    stamps = [500, 550, 600, 590, 650, 0, 50, 100, 40, 140]
    source = Recording("parts", lambda: Capture([IMAGE] * len(stamps), stamps=stamps))
    times = [frame.time_s for frame in read_all(source)]
    assert times == pytest.approx([0, 0.05, 0.1, 0.1, 0.15, 0.25, 0.3, 0.35, 0.35, 0.39])


def test_a_real_video_comes_back(tmp_path, clip):
    frames = read_all(open_source(str(clip(tmp_path / "clip.avi", "MJPG"))))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 10 for n in range(8)])
    assert np.abs(frames[0].image.astype(int) - IMAGE).mean() < 5


def test_the_times_of_a_variable_rate_are_the_files(tmp_path):
    av = pytest.importorskip("av", reason="needs the package av")
    times = [0.0, 0.04, 0.08, 0.5, 1.0, 1.04, 2.5]
    writer = H264Writer(av, tmp_path / "vfr.mp4", 25.0, (64, 48))
    for number, time_s in enumerate(times):
        writer.write(np.full((48, 64, 3), 30 * number, np.uint8), time_s)
    writer.close()
    frames = read_all(open_source(str(tmp_path / "vfr.mp4")))
    assert [frame.time_s for frame in frames] == pytest.approx(times, abs=0.002)


def test_a_recording_that_lies_on_its_side_is_turned_upright(tmp_path):
    """Telephones write the angle into the track's matrix; here a quarter turn clockwise."""
    av = pytest.importorskip("av", reason="needs the package av")
    path = tmp_path / "phone.mp4"
    writer = H264Writer(av, path, 25.0, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    writer.close()
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    one = 1 << 16
    for index, value in enumerate((0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30)):
        data[at + 4 * index : at + 4 * index + 4] = (value & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(data)
    (frame,) = read_all(open_source(str(path)))
    assert frame.image.shape == (64, 48, 3)


def test_a_recording_that_is_cut_off_says_so_at_its_end(tmp_path, clip):
    path = clip(tmp_path / "clip.avi", "MJPG")
    read_all(open_source(str(path)))  # whole, it ends well
    source = Recording("cut", lambda: Capture([IMAGE] * 10, count=100))
    with pytest.raises(UserError, match=r"cut is cut off or damaged: 4\.5 s of it are missing; wh"):
        read_all(source)


@pytest.mark.parametrize("step_ms", [0.0, 1.0])
def test_stamps_that_stand_still_are_told_and_the_rate_goes_on(step_ms):
    """For five seconds of twenty frames a second."""
    stamps = [50.0 * n for n in range(1, 41)] + [2000 + step_ms * n for n in range(1, 101)]
    told = []
    source = Recording("s", lambda: Capture([IMAGE] * len(stamps), stamps=stamps), told.append)
    times = [frame.time_s for frame in read_all(source)]
    assert times[39] == pytest.approx(1.95)
    assert len(stamps) / 20 - streams.STANDS / 20 <= times[-1] <= len(stamps) / 20
    assert (np.diff(times) >= 0).all()
    (line,) = told
    assert line.endswith("s on; it goes on by its rate of 20 frames per second")


@pytest.mark.parametrize(("name", "raised"), [("a.mkv", False), ("a.ts", False), ("a.mp4", True)])
def test_where_the_sound_may_be_longer_the_end_is_told_and_no_error(name, raised):
    told = []
    source = Recording(name, lambda: Capture([IMAGE] * 10, count=100), told.append)
    if raised:
        with pytest.raises(UserError, match="is cut off or damaged"):
            read_all(source)
    else:
        read_all(source)
        assert told == [f"the pictures of {name} end 4.5 s before it says: it is cut off, or its "
                        "sound is longer"]  # fmt: skip


def test_pictures_that_begin_late_are_not_missing_at_the_end():
    stamps = [5000 + 50 * n for n in range(1, 11)]
    told = []
    capture = Capture([IMAGE] * 10, count=110, stamps=stamps)
    assert len(read_all(Recording("a.mkv", lambda: capture, told.append))) == 10
    assert told == []
    with pytest.raises(UserError, match=r"a\.mp4 is cut off"):  # it counts its pictures
        read_all(Recording("a.mp4", lambda: Capture([IMAGE] * 10, count=110, stamps=stamps)))


def test_parts_put_together_are_whole():
    stamps = [50 * n for n in range(40)] * 3
    read_all(Recording("a.avi", lambda: Capture([IMAGE] * 120, stamps=stamps)))


def test_bursts_of_a_recording_by_motion_keep_their_times():
    """Ninety pictures of three seconds, two minutes of nothing, ninety more: 1.2 a second."""
    stamps = [n * 1000 / 30 for n in range(1, 91)] + [150_000 + n * 1000 / 30 for n in range(90)]
    told = []
    capture = Capture([IMAGE] * 180, count=0, stamps=stamps)
    capture.rate = 1.2
    times = [frame.time_s for frame in read_all(Recording("a.mp4", lambda: capture, told.append))]
    assert times == pytest.approx([(stamp - stamps[0]) / 1000 for stamp in stamps])
    assert told == []


def test_too_large_pictures_are_refused_before_they_are_decoded(monkeypatch):
    huge = Capture([IMAGE])
    monkeypatch.setattr(streams, "check_pixels", lambda name, *_: (_ for _ in ()).throw(
        UserError(f"{name} is too large")))  # fmt: skip
    with pytest.raises(UserError, match="clip is too large"):
        Recording("clip", lambda: huge)
    assert huge.released


# -- live sources ----------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """Faults after tenths of a second."""
    for name, value in (("SILENCE_S", 0.1), ("BEAT_S", 0.05), ("RETRY_S", (0.01, 0.02)),
                        ("FROZEN_S", 0.3)):  # fmt: skip
        monkeypatch.setattr(streams, name, value)


@pytest.fixture
def patient(quick, monkeypatch):
    """As quick, but a busy machine that holds up the reader is no silent source."""
    monkeypatch.setattr(streams, "SILENCE_S", 10.0)


def read_until(source, condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition(frame := source.read()):
        assert time.monotonic() < end
    return frame


@pytest.mark.usefixtures("quick")
def test_a_camera_that_vanishes_is_opened_again():
    last = picture(left=300)
    captures = [Capture([IMAGE]), Capture([], opened=False), Capture([last])]
    opener = lambda: captures.pop(0) if captures else Capture([], opened=False)  # noqa: E731
    source = LiveSource("0", opener)
    frame = read_until(source, lambda frame: (frame.image == last).all() and not frame.fault)
    assert frame.number == 1
    frame = read_until(source, lambda frame: frame.fault)
    assert (frame.fault, (frame.image == last).all()) == (SILENT, True)
    source.close()
    assert captures == []


@pytest.mark.usefixtures("quick")
def test_a_driver_that_fails_while_it_is_opened_again_is_asked_again():
    tries = iter([Capture([IMAGE]), RuntimeError("busy"), Capture([IMAGE - 1])])

    def opener():
        one = next(tries)
        if isinstance(one, Exception):
            raise one
        return one

    source = LiveSource("camera", opener)
    assert read_until(source, lambda frame: (frame.image == IMAGE - 1).all())
    source.close()


@pytest.mark.usefixtures("quick")
def test_a_device_that_hangs_does_not_hold_up_the_reader():
    source = LiveSource("0", lambda: Capture([IMAGE], wait=lambda: time.sleep(2)))
    begin = time.monotonic()
    frame = read_until(source, lambda frame: frame.stale_s > 0.4)
    assert frame.fault == SILENT
    assert time.monotonic() - begin < 1
    begin = time.monotonic()
    source.close()
    assert time.monotonic() - begin < 1
    assert source.read() is None


@pytest.mark.usefixtures("quick")
def test_a_frozen_picture_is_found_out():
    class Frozen(Capture):
        def read(self):
            time.sleep(0.01)
            return True, IMAGE

    source = LiveSource("0", lambda: Frozen([]))
    frame = read_until(source, lambda frame: frame.fault)
    source.close()
    assert frame.fault == FROZEN
    assert 0.3 <= frame.stale_s < 0.6


@pytest.mark.usefixtures("patient")
def test_noise_is_not_frozen():
    class Noisy(Capture):
        def read(self):
            time.sleep(0.01)
            self.at += 1
            image = IMAGE.copy()
            image[7 * (self.at % 60), 5] += 1
            return True, image

    source = LiveSource("0", lambda: Noisy([]))
    faults = {source.read().fault for _ in range(60)}
    source.close()
    assert faults == {""}


class Encoded(Capture):
    """What an encoder makes of pictures in turn, over and over; it differs each time."""

    def read(self):
        time.sleep(0.01)
        self.at += 1
        image = self.items[self.at % len(self.items)].astype(np.int16)
        noise = np.random.default_rng(self.at).integers(-3, 4, image.shape)
        return True, (image + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("alive", [False, True])
@pytest.mark.usefixtures("patient")
def test_a_camera_that_hangs_behind_its_encoder_is_frozen(alive):
    images = [IMAGE, picture(left=300)] if alive else [IMAGE]
    source = LiveSource("rtsp", lambda: Encoded(images), encoded=True)
    faults = {source.read().fault for _ in range(60)}
    source.close()
    assert faults == ({""} if alive else {"", FROZEN})


@pytest.mark.parametrize(("step", "changed"), [(3, False), (6, True)])
def test_a_dim_scene_moves_by_less(step, changed):
    """A head is a tenth of the picture; noise of one level everywhere."""
    rng = np.random.default_rng(1)
    before = np.full((60, 80), 128.0, np.float32)
    now = before + rng.uniform(-1, 1, before.shape).astype(np.float32)
    before[20:40, 20:40] = 40
    now[20:40, 20:40] = 40
    now[20:40, 40] = 128 + step
    assert streams.same_scene(before, now) != changed
    assert streams.same_scene(before / 4, now / 4) != changed
    assert streams.same_scene(before / 99, now / 99)  # dark


@pytest.mark.usefixtures("quick")
def test_a_camera_that_stays_away_ends_in_one_line_when_asked():
    captures = [Capture([IMAGE])]
    opener = lambda: captures.pop() if captures else Capture([], opened=False)  # noqa: E731
    source = LiveSource("0", opener, give_up_s=0.3)
    with pytest.raises(UserError, match=r"the source 0 gave no frame for 0\.3 s; it has"):
        read_until(source, lambda _: False)
    source.close()


# -- real servers ----------------------------------------------------------------------------------


class Clock(Sink):
    """When each state began, on the clock."""

    def write(self, seen):
        if not self.seen or seen.state != self.seen[-1][1]:
            self.seen.append((time.monotonic(), seen.state, seen.alarm))

    def wait(self, state, seconds):
        end = time.monotonic() + seconds
        while not (self.seen and self.seen[-1][1] == state):
            assert time.monotonic() < end, self.seen
            time.sleep(0.02)
        return self.seen[-1]


class Running:
    """A pipeline on an address, in a thread."""

    def __init__(self, address):
        self.clock = Clock()
        tracker = Tracker(Backend(), DirectSearch(Finder()))
        self.pipeline = Pipeline(open_source(address), tracker, [self.clock])
        self.thread = threading.Thread(target=self.pipeline.run)
        self.thread.start()

    def __enter__(self):
        self.clock.wait("normal", 10)
        return self

    def __exit__(self, *_):
        self.pipeline.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()


def test_an_rtsp_server_that_stalls_is_no_picture_within_three_seconds(capfd):
    port = free_port()
    with rtsp(port) as process, Running(f"rtsp://127.0.0.1:{port}/cam") as run:
        process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        at, _, alarm = run.clock.wait("no picture", 10)
        assert at - stopped <= 3
        assert alarm
        process.send_signal(signal.SIGCONT)
        end = time.monotonic() + 20
        while "pictures again" not in " ".join(run.pipeline.notices.lines):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert run.clock.seen[-1][1] == "no picture" or run.clock.seen[-1][0] > at
    said = capfd.readouterr().err
    assert "note: the source gives no pictures\nnote: the source gives pictures again\n" in said


def test_an_mjpeg_server_that_dies_and_comes_back_is_seen_again():
    port = free_port()
    with mjpeg(port) as process, Running(f"http://127.0.0.1:{port}/cam.mjpg") as run:
        process.kill()
        died = time.monotonic()
        at, *_ = run.clock.wait("no picture", 10)
        assert at - died <= 3
        with mjpeg(port):
            end = time.monotonic() + 20
            while "pictures again" not in " ".join(run.pipeline.notices.lines):
                assert time.monotonic() < end
                time.sleep(0.05)
