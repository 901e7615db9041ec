# SPDX-License-Identifier: Apache-2.0
"""Frames with their times; those of folders, drawn clips and memory. See host.monitor.sources."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from host.common.arrays import Image
from host.common.errors import UserError
from host.drawn.script import DEMO_S, FPS, Event, check_script, draw_frame, head_at
from host.face.image import READ_SUFFIXES, read_image

FOLDER_FPS = 25.0
"""Pictures of a folder follow each other at this rate unless another one is given."""

TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
"""Angles by which pictures can be turned clockwise."""

Tell = Callable[[str], None]
"""Takes a line about something that happened meanwhile."""


class Frame(NamedTuple):
    """A picture and when it was."""

    number: int
    """0 for the first one of the source; pictures that are dropped leave a gap."""
    time_s: float
    """From the source's first frame on."""
    image: Image
    """(H, W, 3) BGR; the last one while there is a fault."""
    fault: str = ""
    """Why this is no new picture: a live source gives none, or always the same."""
    stale_s: float = 0.0
    """How long the source has given no new picture, while there is a fault."""


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
        self.due_s = 0.0
        """When the next frame comes, by the monotonic clock; a recording may have gaps."""

    def read(self) -> Frame | None:
        """Return the next frame when its time has come."""
        frame = self._source.read()
        now = time.monotonic()
        self._begin_s = now if self._begin_s is None else self._begin_s
        if frame is not None:
            self.due_s = self._begin_s + frame.time_s
            time.sleep(max(0.0, self.due_s - now))
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
    """The pictures of a folder in natural order (f2 before f10); damaged ones are left out."""

    live = False

    def __init__(self, folder: Path, fps: float = FOLDER_FPS, tell: Tell | None = None) -> None:
        """UserError if there is no picture in it. tell: gets a line for each one left out."""
        self.fps, self._tell = fps, tell
        found = (path for path in folder.iterdir() if path.suffix.lower() in READ_SUFFIXES)
        self._paths = sorted(found, key=natural)
        self._number = 0
        if not self._paths:
            raise UserError(f"{folder} holds no picture; give one with {', '.join(READ_SUFFIXES)}")

    def read(self) -> Frame | None:
        """Return the next picture that can be read."""
        while self._number < len(self._paths):
            number, self._number = self._number, self._number + 1
            try:
                image = read_image(self._paths[number])
            except UserError as error:
                if self._tell is not None:
                    self._tell(f"left out: {error}")
                continue
            return Frame(number, number / self.fps, image)
        return None

    def close(self) -> None:
        """Nothing is held."""


class Turned:
    """Another source, its pictures turned clockwise."""

    def __init__(self, source: Source, degrees: int) -> None:
        """degrees: one of TURNS."""
        self._source, self._turn = source, TURNS[degrees]
        self.live, self.fps = source.live, source.fps

    def read(self) -> Frame | None:
        """Return the next frame, turned."""
        frame = self._source.read()
        if frame is None:
            return None
        return frame._replace(image=np.asarray(cv2.rotate(frame.image, self._turn), np.uint8))

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def natural(path: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Key that sorts names with numbers in them as people count."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts
    ], path.name
