# SPDX-License-Identifier: Apache-2.0
"""Frames from cameras, streams, videos, folders and drawn clips, each with its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from host.common.atomic import IMAGE_SUFFIXES
from host.common.errors import UserError
from host.drawn.script import DEMO_S, FPS, SCRIPTS, Event, check_script, draw_frame, head_at
from host.face.image import ASTRONAUT, load_source, read_image

Image = npt.NDArray[np.uint8]

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm", ".mjpg", ".mjpeg", ".ts")
STREAM_SCHEMES = ("rtsp://", "rtsps://", "http://", "https://", "udp://")
FOLDER_FPS = 25.0
"""Pictures of a folder follow each other at this rate."""

APPSINK = "appsink drop=1 max-buffers=1"
"""How a GStreamer pipeline hands over its newest frame."""

PATIENCE_S = 5.0
"""A camera that stops giving frames is opened again for this long before it counts as gone."""

CORRUPT_LIMIT = 25
"""So many frames of a video in a row may be damaged before it counts as ended."""


class Frame(NamedTuple):
    """A picture and when it was."""

    number: int
    """0 for the first one of the source; pictures that are dropped leave a gap."""
    time_s: float
    """From the source's first frame on."""
    image: Image
    """(H, W, 3) BGR."""


class Source(Protocol):
    """Something that gives frames."""

    @property
    def live(self) -> bool:
        """True if frames come at their own pace, so that a late reader misses some."""

    @property
    def fps(self) -> float:
        """Nominal frames a second."""

    def read(self) -> Frame | None:
        """Return the next frame, None at the end. UserError when the source fails for good."""

    def close(self) -> None:
        """Give back the device."""


def is_picture(source: str) -> bool:
    """True for the portrait and for files that are no video: what gives one picture only."""
    if source == ASTRONAUT:
        return True
    moving = (
        source in SCRIPTS
        or source.isdigit()
        or source.startswith(("/dev/video", *STREAM_SCHEMES))
        or "!" in source
        or Path(source).is_dir()
        or Path(source).suffix.lower() in VIDEO_SUFFIXES
    )
    return not moving


def open_source(source: str) -> Source:
    """Open a source by its name.

    Args:
        source: a camera's number or /dev/video file, a GStreamer pipeline (with "!"; a MIPI
            camera's, for example, without its sink), an RTSP or HTTP address, a video file, a
            folder of pictures, a picture, or one of SCRIPTS.

    Raises:
        UserError: there is no such source or it cannot be opened.
    """
    if source in SCRIPTS:
        return SyntheticSource(SCRIPTS[source])
    if Path(source).is_dir():
        return FolderSource(Path(source))
    if is_picture(source):
        return StillSource(load_source(source))
    if "!" in source:
        pipeline = f"{source} ! videoconvert ! video/x-raw,format=BGR ! {APPSINK}"
        return VideoSource(source, lambda: cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER), True)
    device = int(source) if source.isdigit() else source
    live = isinstance(device, int) or device.startswith(("/dev/video", *STREAM_SCHEMES))
    if not live and not Path(source).is_file():
        raise UserError(f"cannot read the video {source}: no such file")
    return VideoSource(source, lambda: cv2.VideoCapture(device), live)


class SyntheticSource:
    """A drawn driver who follows a script, repeated without end."""

    live = False
    fps = FPS

    def __init__(self, script: Sequence[Event], period_s: float = DEMO_S) -> None:
        """UserError if the script is not possible."""
        check_script(script, period_s)
        self._script, self._period_s, self._number = script, period_s, 0

    def read(self) -> Frame:
        """Draw the next frame."""
        number, self._number = self._number, self._number + 1
        head = head_at(self._script, number / self.fps, self._period_s)
        return Frame(number, number / self.fps, draw_frame([] if head is None else [head]))

    def close(self) -> None:
        """Nothing is held."""


class Paced:
    """Another source at its nominal speed instead of as fast as it can."""

    live = True

    def __init__(self, source: Source) -> None:
        self._source, self.fps = source, source.fps
        self._begin_s: float | None = None

    def read(self) -> Frame | None:
        """Return the next frame when its time has come."""
        frame = self._source.read()
        now = time.monotonic()
        self._begin_s = now if self._begin_s is None else self._begin_s
        if frame is not None:
            time.sleep(max(0.0, self._begin_s + frame.time_s - now))
        return frame

    def close(self) -> None:
        """Close the source."""
        self._source.close()


class LoopSource:
    """Frames in memory, over and over, as fast as they are read: for measuring speed.

    Their times are the clock's, as a camera's would be.
    """

    live = False

    def __init__(self, images: Sequence[Image], fps: float = FPS) -> None:
        self._images, self.fps, self._number = images, fps, 0
        self._begin_s = time.monotonic()

    def read(self) -> Frame:
        """Return the next frame."""
        number, self._number = self._number, self._number + 1
        image = self._images[number % len(self._images)]
        return Frame(number, time.monotonic() - self._begin_s, image)

    def close(self) -> None:
        """Nothing is held."""


class StillSource:
    """One picture, once."""

    live = False
    fps = 1.0

    def __init__(self, image: Image) -> None:
        self._image: Image | None = image

    def read(self) -> Frame | None:
        """Return the picture the first time."""
        image, self._image = self._image, None
        return None if image is None else Frame(0, 0.0, image)

    def close(self) -> None:
        """Nothing is held."""


class FolderSource:
    """The pictures of a folder in the order of their names; damaged ones are left out."""

    live = False
    fps = FOLDER_FPS

    def __init__(self, folder: Path) -> None:
        """UserError if there is no picture in it."""
        self._paths = sorted(
            path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES
        )
        self._number = 0
        if not self._paths:
            raise UserError(f"{folder} holds no picture; give one with {', '.join(IMAGE_SUFFIXES)}")

    def read(self) -> Frame | None:
        """Return the next picture that can be read."""
        while self._number < len(self._paths):
            number, self._number = self._number, self._number + 1
            try:
                image = read_image(self._paths[number])
            except UserError:
                continue
            return Frame(number, number / self.fps, image)
        return None

    def close(self) -> None:
        """Nothing is held."""


class VideoSource:
    """A camera, a stream or a video file, through OpenCV."""

    def __init__(self, name: str, opener: Callable[[], Any], live: bool) -> None:
        """Open it.

        Args:
            name: for messages.
            opener: gives something like cv2.VideoCapture; called again when a camera vanishes.
            live: camera or stream, not a file.

        Raises:
            UserError: it does not open.
        """
        self._name, self._opener, self.live = name, opener, live
        self._capture = opener()
        if not self._capture.isOpened():
            self._capture.release()
            raise UserError(
                f"cannot open the source {name}; check that it exists, that no other program uses "
                "it and that this OpenCV supports it"
            )
        rate = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = rate if 1 <= rate <= 1000 else FOLDER_FPS
        self._number, self._begin_s = 0, time.monotonic()

    def read(self) -> Frame | None:
        """Return the next frame.

        A file's damaged frames are passed over; None at its end. A camera is opened again.
        """
        image = self._live_image() if self.live else self._file_image()
        if image is None:
            return None
        number, self._number = self._number, self._number + 1
        now = time.monotonic() - self._begin_s if self.live else number / self.fps
        return Frame(number, now, image)

    def _file_image(self) -> Image | None:
        for _ in range(CORRUPT_LIMIT):
            image = self._grab()
            if image is not None:
                return image
            if self._capture.get(cv2.CAP_PROP_POS_FRAMES) >= self._capture.get(
                cv2.CAP_PROP_FRAME_COUNT
            ):
                break
            self._number += 1
        return None

    def _live_image(self) -> Image:
        give_up = time.monotonic() + PATIENCE_S
        while True:
            image = self._grab()
            if image is not None:
                return image
            if time.monotonic() > give_up:
                raise UserError(
                    f"the source {self._name} gave no frame for {PATIENCE_S:g} s; it has been "
                    "unplugged or has stopped"
                )
            time.sleep(0.1)
            self._capture.release()
            self._capture = self._opener()

    def _grab(self) -> Image | None:
        """Return a whole BGR frame, None for a missing or damaged one."""
        try:
            worked, image = self._capture.read()
        except cv2.error:
            return None
        if not worked or image is None or image.ndim not in (2, 3) or image.size == 0:
            return None
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image)

    def close(self) -> None:
        """Release the device."""
        self._capture.release()
