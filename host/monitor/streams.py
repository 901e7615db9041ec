# SPDX-License-Identifier: Apache-2.0
"""Recordings, cameras and network streams, through OpenCV.

A recording is read in the thread that asks. A live source has a thread of its own, so that a device
or a server which hangs cannot keep the reader waiting: it is told that there is no new picture.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import cv2
import numpy as np

from host.common.arrays import F32Array, Image
from host.common.errors import UserError
from host.face.image import check_pixels
from host.monitor.capture import FOLDER_FPS, Frame, Tell

LIMIT_MS = 2500
"""OpenCV waits this long for a stream to open, and for each frame."""

SILENCE_S = 1.0
"""A live source that gives no picture for this long is at fault."""

BEAT_S = 0.25
"""While it is, the reader gets a frame that says so this often."""

FROZEN_S = 3.0
"""So long nothing that moves is a fault too: a sensor has noise and a driver moves."""

ROWS = 7
"""Every so many rows are compared for that."""

RETRY_S = (0.2, 2.0)
"""First and longest wait before a live source is opened again."""

JOIN_S = 0.3
"""How long ``close`` waits for the thread; a device that hangs is left alone."""

CORRUPT_LIMIT = 25
"""So many frames of a recording in a row may be damaged before it counts as ended."""

BACK_S = 0.2
"""Time stamps of a recording that fall by more than this begin anew: parts put together."""

CUT_S = 1.0
"""A recording that ends earlier than it says by more than this is cut off."""

UNCOUNTED = (".mkv", ".webm", ".ts")
"""Containers that say how long they are, with their sound, and not how many pictures they have."""

STANDS, STILL = 25, 0.05
"""So many frames that span less than this part of their time by the nominal rate, or by FOLDER_FPS
where that is slower, as of pictures in bursts, have stamps that stand still."""

BLOCKS = (80, 60)
"""Size to which pictures are shrunk to see whether anything moves."""

MOVED, OF_RANGE, LEAST = 4.0, 0.05, 1.0
"""Grey levels by which a block differs where something moves, in dim pictures this part of their
range, but not less than the last."""

SILENT, FROZEN = "the source gives no pictures", "the picture is frozen"

Opener = Callable[[], Any]
"""Gives something like cv2.VideoCapture."""


def quiet() -> None:
    """Keep OpenCV and its FFmpeg from writing to stderr; what goes wrong is said in our words."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


def opened(name: str, opener: Opener) -> Any:
    """Open a capture. UserError if it does not open or its pictures are too large."""
    quiet()
    capture = opener()
    if not capture.isOpened():
        capture.release()
        raise UserError(
            f"cannot open the source {name}; check that it exists, that no other program uses "
            "it and that this OpenCV supports it"
        )
    sides = (capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    try:
        check_pixels(name, *(int(side) for side in sides))
    except UserError:
        capture.release()
        raise
    return capture


def rate(capture: Any) -> float:
    """Nominal frames a second; FOLDER_FPS if it tells none that is possible."""
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if 1 <= fps <= 1000 else FOLDER_FPS


def grab(capture: Any) -> Image | None:
    """Return a whole BGR frame, None for a missing or damaged one."""
    try:
        worked, image = capture.read()
    except cv2.error:
        return None
    if not worked or image is None or image.ndim not in (2, 3) or image.size == 0:
        return None
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image)


class Recording:
    """A video file or one that a server keeps; times are its own time stamps."""

    live = False

    def __init__(self, name: str, opener: Opener, tell: Tell | None = None) -> None:
        """Open it; ``tell`` takes a line about what is odd. UserError if it does not open."""
        self._name, self._capture, self._tell = name, opened(name, opener), tell
        self._begin_s = 0.0
        self._since = (0, 0.0)  # number and time of a frame from which on stamps are watched
        self._by_rate = False
        self.fps = rate(self._capture)
        self._number = -1
        self._first_s: float | None = None
        self._time_s = 0.0

    def read(self) -> Frame | None:
        """Return the next frame, passing over damaged ones; None at the end.

        Raises:
            UserError: it ends much earlier than it says.
        """
        for _ in range(CORRUPT_LIMIT):
            image = grab(self._capture)
            self._number += 1
            if image is not None:
                return Frame(self._number, self._stamp(), image)
            if self._capture.get(cv2.CAP_PROP_POS_FRAMES) >= self._declared():
                break
        self._check_end()
        return None

    def _declared(self) -> float:
        return float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def _stamp(self) -> float:
        """Time of the frame just read; by the nominal rate where the file has no time stamps."""
        stamp = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1e3
        if self._first_s is None:
            self._first_s = self._begin_s = stamp
        found = self._time_s + 1 / self.fps if self._by_rate else stamp - self._first_s
        if not self._by_rate and found <= self._time_s and self._number > 0:
            if stamp <= 0:
                found = max(self._time_s, self._number / self.fps)
            elif found < self._time_s - BACK_S:
                found = self._time_s + 1 / self.fps
                self._first_s = stamp - found
            else:
                found = self._time_s
        self._time_s = found
        self._watch_stamps()
        return self._time_s

    def _watch_stamps(self) -> None:
        """Go on by the nominal rate where stamps stand still: nobody would ever be asleep."""
        number, time_s = self._since
        if self._by_rate or self._number - number < STANDS:
            return
        wanted = (self._number - number) / self.fps
        if self._time_s - time_s < STILL * min(wanted, STANDS / FOLDER_FPS):
            self._by_rate = True
            self._time_s = time_s + wanted
            self._say(
                f"the time stamps of {self._name} stand still from {time_s:.1f} s on; it goes on "
                f"by its rate of {self.fps:g} frames per second"
            )
        self._since = (self._number, self._time_s)

    def _say(self, text: str) -> None:
        if self._tell is not None:
            self._tell(text)

    def _check_end(self) -> None:
        missing = self._declared() / self.fps - self._time_s
        uncounted = Path(urlsplit(self._name).path).suffix.lower() in UNCOUNTED
        if uncounted:
            missing -= max(0.0, self._begin_s)
        if missing <= CUT_S + 1 / self.fps:
            return
        if self._first_s is not None and uncounted:
            self._say(
                f"the pictures of {self._name} end {missing:.1f} s before it says: it is cut off, "
                "or its sound is longer"
            )
            return
        read = self._first_s is not None
        judged = "what comes before was judged" if read else "nothing of it could be read"
        raise UserError(
            f"{self._name} is cut off or damaged: {missing:.1f} s of it are missing; {judged}"
        )

    def close(self) -> None:
        """Release the file."""
        self._capture.release()


class _Picture(NamedTuple):
    number: int
    at_s: float
    image: Image


class LiveSource:
    """A camera or a stream, opened again whenever it gives nothing."""

    live = True

    def __init__(
        self, name: str, opener: Opener, give_up_s: float | None = None, encoded: bool = False
    ) -> None:
        """Open it and begin to read.

        Args:
            name: for messages.
            opener: gives something like cv2.VideoCapture; called again when nothing comes.
            give_up_s: time without a new picture after which ``read`` fails; None: never.
            encoded: pictures come through an encoder, which may go on when its camera hangs.

        Raises:
            UserError: it does not open.
        """
        self._name, self._opener, self._give_up_s = name, opener, give_up_s
        self._encoded = encoded
        self._capture = opened(name, opener)
        self.fps = rate(self._capture)
        self._begin_s = self._last_s = self._new_s = self._unequal_s = time.monotonic()
        self._number = 0
        self._waiting: _Picture | None = None
        self._image: Image = np.zeros((480, 640, 3), np.uint8)
        self._blocks = blocks_of(self._image)
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def read(self) -> Frame | None:
        """Return the newest picture, or the last one with its fault; None after ``close``.

        Raises:
            UserError: there was no new picture for ``give_up_s``.
        """
        with self._changed:
            silence = self._last_s + SILENCE_S - time.monotonic()
            self._changed.wait_for(
                lambda: self._waiting is not None or self._closed.is_set(), max(BEAT_S, silence)
            )
            if self._closed.is_set():
                return None
            picture, self._waiting = self._waiting, None
            now = time.monotonic() if picture is None else picture.at_s
            stale, away = now - self._new_s, now - self._unequal_s
            number = self._number if picture is None else picture.number
            fault = SILENT if picture is None else FROZEN if stale >= FROZEN_S else ""
            image = self._image
        if fault and self._give_up_s is not None and away > self._give_up_s:
            raise UserError(
                f"the source {self._name} gave no frame for {self._give_up_s:g} s; it has been "
                "unplugged or has stopped"
            )
        return Frame(number, now - self._begin_s, image, fault, stale if fault else 0.0)

    def close(self) -> None:
        """End the thread, which gives back the device."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while not self._closed.is_set():
            image = grab(self._capture)
            if image is None:
                self._open_again()
            else:
                self._publish(image)
        self._capture.release()

    def _publish(self, image: Image) -> None:
        now = time.monotonic()
        blocks = blocks_of(image) if self._encoded else self._blocks
        with self._changed:
            if self._number == 0 or not self._equal(image):
                self._unequal_s = now
                if self._number == 0 or not (self._encoded and same_scene(self._blocks, blocks)):
                    self._new_s, self._blocks = now, blocks
            self._last_s, self._image = now, image
            self._waiting = _Picture(self._number, now, image)
            self._number += 1
            self._changed.notify_all()

    def _equal(self, image: Image) -> bool:
        """Whether a picture has the pixels of the one before it."""
        last = self._image
        return last.shape == image.shape and np.array_equal(image[::ROWS], last[::ROWS])

    def _open_again(self) -> None:
        """Open until it works or the source is closed."""
        self._capture.release()
        wait_s, longest_s = RETRY_S
        while not self._closed.wait(wait_s):
            try:
                self._capture = self._opener()
                if self._capture.isOpened():
                    return
                self._capture.release()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything; try again
                logging.getLogger(__name__).warning("opening %s: %s", self._name, error)
            wait_s = min(2 * wait_s, longest_s)


def blocks_of(image: Image) -> F32Array:
    """Grey levels of a picture, BLOCKS of them."""
    small = cv2.resize(image, BLOCKS, interpolation=cv2.INTER_AREA)
    grey: F32Array = small.astype(np.float32).mean(axis=2)
    return grey


def same_scene(before: F32Array, now: F32Array) -> bool:
    """Whether nothing has moved from one picture's blocks to the other's.

    An encoder behind a camera that hangs gives pictures that differ a little, by up to three grey
    levels in a block each time that it sends a whole one (x264, 800 kbit/s, measured). A clock that
    it draws into the picture moves.
    """
    low, high = np.percentile(before, (5, 95))
    level = min(MOVED, max(LEAST, OF_RANGE * float(high - low)))
    return float(np.abs(now - before).max()) < level


def cut_off_mp4(path: Path) -> bool:
    """True for an MP4 file without its index: the recording was never finished."""
    kinds = set()
    length = path.stat().st_size
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[:4], "big")
            kinds.add(head[4:])
            if size == 1:
                size = int.from_bytes(file.read(8), "big") - 8
            if not 8 <= size <= length:  # as 0, to the end, or damaged
                break
            file.seek(size - 8, os.SEEK_CUR)
    return b"ftyp" in kinds and b"moov" not in kinds
