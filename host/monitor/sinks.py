# SPDX-License-Identifier: Apache-2.0
"""Where observations go: JSON lines, annotated video, a window, MQTT, alarm hooks."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Protocol

import cv2

from host.common.errors import UserError
from host.monitor.pipeline import Observation, Stop

FORMAT = 1
"""Version of the JSON lines."""

ESCAPE = 27
MIN_FREE_BYTES = 32 * 2**20
"""A video ends with an error when the disk has less room than this: OpenCV tells of no failed
write."""

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v", ".mov": "mp4v"}


def as_json(seen: Observation) -> dict[str, object]:
    """One line of the JSON log; docs/monitor.md describes it."""
    numbers = {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(seen.measures).items()
    }
    landmarks, square = seen.track.landmarks, seen.track.square
    return {
        "format": FORMAT,
        "frame": seen.frame.number,
        "state": seen.state,
        **numbers,
        "crop": None if square is None else dataclasses.asdict(square),
        "landmarks": None if landmarks is None else landmarks.round(2).tolist(),
        "times_ms": {name: round(value, 3) for name, value in seen.times_ms.items()},
    }


class JsonSink:
    """One JSON object a line, flushed at once, to a file or to stdout."""

    lossy = False

    def __init__(self, path: Path | None) -> None:
        """None is stdout. UserError if the file cannot be written."""
        self.name = "JSON" if path is None else str(path)
        self._owned = path is not None
        try:
            self._file = sys.stdout if path is None else path.open("w")
        except OSError as error:
            raise UserError(
                f"cannot write {path}: {error.strerror or error}; "
                "give a path in a writable folder with room"
            ) from error

    def write(self, seen: Observation) -> None:
        """Write a line."""
        self._file.write(json.dumps(as_json(seen), separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._owned:
            self._file.close()


class VideoSink:
    """An annotated video; it gets its name when it is complete."""

    lossy = False

    def __init__(self, path: Path, fps: float) -> None:
        """UserError for an ending that is none of CODECS or a folder that is not there."""
        self.name = str(path)
        if path.suffix.lower() not in CODECS:
            raise UserError(
                f"cannot write {path}: no video format for the ending '{path.suffix}'; "
                f"use {', '.join(CODECS)}"
            )
        if not os.access(path.parent, os.W_OK):
            raise UserError(f"cannot write {path}: no writable folder {path.parent}")
        self._path, self._fps = path, fps
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
        self._writer: Any = None
        self._size = (0, 0)

    def write(self, seen: Observation) -> None:
        """Append a frame; the first one gives the size. OSError when the disk is full."""
        picture = seen.picture
        if self._writer is None:
            self._open((picture.shape[1], picture.shape[0]))
        room = shutil.disk_usage(self._path.parent).free
        if room < MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if (picture.shape[1], picture.shape[0]) != self._size:
            picture = cv2.resize(picture, self._size)
        self._writer.write(picture)

    def _open(self, size: tuple[int, int]) -> None:
        code = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        self._size = size
        self._writer = cv2.VideoWriter(str(self._partial), code, self._fps, size)
        if not self._writer.isOpened():
            raise UserError(f"this OpenCV cannot write {self._path}; try the ending .avi")

    def close(self) -> None:
        """Finish the file; without a frame there is none."""
        if self._writer is not None:
            self._writer.release()
            self._partial.replace(self._path)
            self._writer = None


class WindowSink:
    """A window on the screen; Esc ends the run."""

    name = "window"
    lossy = True
    TITLE = "driver monitor (Esc ends)"

    def write(self, seen: Observation) -> None:
        """Show the frame. Raises Stop on Esc, UserError without a screen."""
        try:
            cv2.imshow(self.TITLE, seen.picture)
            key = cv2.waitKey(1)
        except cv2.error as error:
            raise UserError(
                "this OpenCV shows no windows; install opencv-python instead of "
                "opencv-python-headless, or use --dashboard"
            ) from error
        if key & 0xFF == ESCAPE:
            raise Stop

    def close(self) -> None:
        """Nothing to finish; the window goes with the program."""


class Hook(Protocol):
    """Something that is told each new state; see host.monitor.state."""

    def set(self, state: str) -> None:
        """Tell the state."""

    def close(self) -> None:
        """Finish."""


class HookSink:
    """Tells hooks when the state changes."""

    name = "alarm"
    lossy = False

    def __init__(self, hooks: list[Hook]) -> None:
        self._hooks = hooks
        self._state: str | None = None

    def write(self, seen: Observation) -> None:
        """Tell the state if it is new."""
        if seen.state != self._state:
            self._state = seen.state
            for hook in self._hooks:
                hook.set(seen.state)

    def close(self) -> None:
        """Close all hooks."""
        for hook in self._hooks:
            hook.close()


class MqttSink:
    """Publishes each new state, and the measures once a second, to an MQTT broker."""

    lossy = True

    def __init__(self, address: str, topic: str = "driver") -> None:
        """Connect; the client library goes on trying in the background.

        Args:
            address: HOST or HOST:PORT.
            topic: messages go to TOPIC/state (retained) and TOPIC/measures.

        Raises:
            UserError: paho-mqtt is missing, or the address is wrong or refuses.
        """
        try:
            from paho.mqtt import client as mqtt
        except ImportError as error:
            raise UserError(
                "--mqtt needs paho-mqtt, which is missing; pip install paho-mqtt"
            ) from error
        host, _, port = address.partition(":")
        if not host or not (port or "1883").isdigit():
            raise UserError(f"the MQTT address {address!r} is none; give HOST or HOST:PORT")
        self.name, self._topic = f"MQTT {address}", topic
        self._state: str | None = None
        self._sent_s = float("-inf")
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        try:
            self._client.connect(host, int(port or "1883"), keepalive=30)
        except OSError as error:
            raise UserError(f"no MQTT broker at {address}: {error.strerror or error}") from error
        self._client.loop_start()

    def write(self, seen: Observation) -> None:
        """Publish what is new."""
        if seen.state != self._state:
            self._state = seen.state
            self._client.publish(f"{self._topic}/state", seen.state, qos=1, retain=True)
        if seen.frame.time_s - self._sent_s >= 1:
            self._sent_s = seen.frame.time_s
            line = as_json(seen)
            del line["landmarks"]
            self._client.publish(f"{self._topic}/measures", json.dumps(line))

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
