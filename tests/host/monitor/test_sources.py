# SPDX-License-Identifier: Apache-2.0
"""What the name of a source means, and which options fit it."""

import http.server
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest

from host.common.errors import UserError
from host.monitor import sources
from host.monitor.sources import Options, is_picture, open_source, without_password
from host.monitor.streams import LiveSource, Recording
from tests.host.conftest import ROOT
from tests.host.drivers import picture

IMAGE = picture()


@pytest.mark.parametrize(
    ("name", "still"),
    [("astronaut", True), ("face.jpg", True), ("synthetic", False), ("0", False),
     ("/dev/video2", False), ("rtsp://host/stream", False), ("drive.MP4", False),
     ("v4l2src ! video/x-raw", False), (".", False), ("http://host/face.JPG?size=2", True),
     ("http://host/cam.mjpg", False), ("http://host/", False), ("\u0663", True)],
)  # fmt: skip
def test_what_a_name_means(name, still):
    assert is_picture(name) is still


@pytest.mark.parametrize(
    ("name", "message"),
    [("no.mp4", r"cannot read the video .*no\.mp4: no such file"), ("", "holds no picture; give")],
)
def test_missing_sources_are_named(tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        open_source(str(tmp_path / name))


def test_a_source_without_a_name_is_none():
    with pytest.raises(UserError, match="the source is empty; name a camera, a stream, a record"):
        open_source("")


def test_a_video_that_is_none_is_named(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(UserError, match=r"cannot open the source .*text\.mp4; check that it"):
        open_source(str(path))


def test_a_recording_without_its_index_is_named(tmp_path, clip):
    path = tmp_path / "cut.mp4"
    data = clip(tmp_path / "clip.mp4").read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(UserError, match=r"cut\.mp4 is cut off: it has no index \(moov\), because"):
        open_source(str(path))


@pytest.mark.parametrize("size", [2**64 - 1, 2**63 + 8, 2**62, 3])
def test_a_recording_with_a_damaged_size_of_a_box_is_named(tmp_path, clip, size):
    data = bytearray(clip(tmp_path / "clip.mp4").read_bytes())
    first = int.from_bytes(data[:4], "big")
    data[first : first + 16] = (1).to_bytes(4, "big") + b"free" + size.to_bytes(8, "big")
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"damaged\.mp4"):
        open_source(str(path))


@pytest.mark.parametrize("name", ["10:30.mp4", "wow!.mp4", "a b\u00e9.mp4"])
def test_a_recording_of_an_odd_name_opens(tmp_path, monkeypatch, clip, name):
    clip(tmp_path / "clip.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert not is_picture(name)
    source = open_source(name)
    assert source.read().image.shape[2] == 3
    source.close()


def test_a_folder_with_an_exclamation_mark_is_one(tmp_path):
    folder = tmp_path / "new!"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), picture())
    source = open_source(str(folder))
    assert source.read() is not None
    source.close()


def test_a_name_that_is_not_utf8_is_told():
    with pytest.raises(UserError, match=r"the source K\\udcf6ln\.mp4 is not UTF-8; rename it"):
        open_source("K\udcf6ln.mp4")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://me:secret@cam:554/a?b=1", "rtsp://me:***@cam:554/a?b=1"),
        ("http://me@cam/a", "http://me@cam/a"), ("http://cam/a@b", "http://cam/a@b"),
        ("clip@home.mp4", "clip@home.mp4"),
    ],
)  # fmt: skip
def test_passwords_of_addresses_are_not_shown(address, shown):
    assert without_password(address) == shown


def test_libraries_write_nothing_to_stderr(tmp_path):
    """Only the first use of FFmpeg in a process takes its log level, hence a new one."""
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    program = (
        "import sys\nfrom host.monitor.sources import open_source\nfor name in sys.argv[1:]:\n"
        "    try:\n        open_source(name)\n    except Exception as e:\n        print(e)\n"
    )
    words = [sys.executable, "-c", program, str(path), "/dev/video77", "rtsp://127.0.0.1:9/x"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout.count("cannot open the source"), done.stderr) == (3, "")


def test_gstreamer_is_named_where_opencv_lacks_it(monkeypatch):
    monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda _: False)
    with pytest.raises(UserError, match="built without GStreamer, .* apt-get install python3-ope"):
        open_source("v4l2src ! video/x-raw")


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("synthetic", {"fps": 5.0}, "--fps is for folders of pictures and cameras; synthetic has"),
        ("synthetic", {"size": (64, 48)}, "--size is for cameras; synthetic has its own size"),
    ],
)
def test_options_that_a_source_has_no_use_for_are_refused(source, options, message):
    with pytest.raises(UserError, match=message):
        open_source(source, Options(**options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fps": 0.0}, "--fps 0 is not possible; give 1000 or less, above 0"),
        ({"fps": float("nan")}, "--fps nan is not possible"),
        ({"rotate": 45}, "--rotate 45 is not possible; give 0, 90, 180 or 270"),
        ({"give_up_s": -1.0}, "--give-up -1 is not possible; give a time above 0"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        Options(**options)


def test_a_camera_is_asked_for_size_and_rate_and_what_it_refuses_is_told(monkeypatch):
    class Camera:
        """Always 320 wide."""

        def __init__(self, device, *_):
            self.device, self.given = device, {}
            cameras[device] = self

        def isOpened(self):
            return True

        def set(self, what, value):
            self.given[what] = value

        def get(self, what):
            return 320.0 if what == cv2.CAP_PROP_FRAME_WIDTH else self.given.get(what, 0.0)

        def read(self):
            return True, IMAGE

        def release(self):
            pass

    cameras, said = {}, []
    monkeypatch.setattr(sources.cv2, "VideoCapture", Camera)
    source = open_source("3", Options(size=(640, 480), fps=15.0), said.append)
    source.close()
    assert set(cameras[3].given.values()) == {640, 480, 15.0}
    assert source.fps == 15
    assert said == ["the camera 3 gives 320 x 480 x 15 instead of 640 x 480 x 15"]


@pytest.fixture
def web(tmp_path):
    """Address of a web server for ``tmp_path``."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_pictures_and_recordings_come_over_http_too(tmp_path, web, clip):
    cv2.imwrite(str(tmp_path / "face.png"), IMAGE)
    assert (open_source(f"{web}/face.png").read().image == IMAGE).all()
    with pytest.raises(UserError, match=r"cannot read the picture http.*no\.png: File not found"):
        open_source(f"{web}/no.png")
    clip(tmp_path / "clip.mp4")
    source = open_source(f"{web}/clip.mp4")
    assert isinstance(source, Recording)
    count = 0
    while source.read() is not None:
        count += 1
    source.close()
    assert count == 8


def test_a_server_that_is_not_there_is_named_within_three_seconds():
    with pytest.raises(UserError, match="cannot read the picture http.*: .*refused"):
        open_source("http://127.0.0.1:9/face.png")
    with pytest.raises(UserError, match="cannot open the source rtsp://127"):
        open_source("rtsp://127.0.0.1:9/cam")


def test_live_addresses_are_live(monkeypatch):
    class Stream:
        def isOpened(self):
            return True

        def get(self, _):
            return 0.0

        def read(self):
            return True, np.array(IMAGE)

        def release(self):
            pass

    monkeypatch.setattr(sources, "_open_stream", lambda _: Stream())
    source = open_source("rtsp://host/cam", Options(rotate=90))
    assert source.live
    assert source.read().image.shape == (640, 480, 3)
    source.close()
    source = open_source("http://host/cam.mjpg")
    assert isinstance(source, LiveSource)
    source.close()
