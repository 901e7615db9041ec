# SPDX-License-Identifier: Apache-2.0
"""An annotated video.

With the package ``av`` it is H.264 in fragments of a second: browsers play it, its frames have the
times of the source, and what was written before a crash can be played. Without, OpenCV writes it.
"""

from __future__ import annotations

import errno
import os
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from host.common.arrays import Image
from host.common.errors import UserError
from host.monitor.judge import Observation

MIN_FREE_BYTES = 32 * 2**20
"""A video ends with an error when the disk has less room than this: OpenCV tells of no failed
write."""

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v", ".mov": "mp4v"}
"""What OpenCV writes by ending."""

TICK = Fraction(1, 1000)
"""Time base of H.264 in seconds."""

FRAGMENTS = {
    ".mp4": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    ".mov": {"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    ".mkv": {"cluster_time_limit": "1000"},
}
"""Options of the containers that H.264 goes into, so that each second stands by itself."""

QUALITY = {"preset": "veryfast", "tune": "zerolatency", "crf": "23"}


class Writer(Protocol):
    """Takes pictures of one size."""

    def write(self, image: Image, time_s: float) -> None:
        """Append a picture (H, W, 3) BGR. OSError when it cannot be written."""

    def close(self) -> None:
        """Finish the file."""


class H264Writer:
    """By FFmpeg through the package ``av``; the file has its name from the beginning."""

    def __init__(self, av: Any, path: Path, fps: float, size: tuple[int, int]) -> None:
        """av: the package. OSError if the file cannot be written."""
        self._av = av
        options = {"flush_packets": "1", **FRAGMENTS[path.suffix.lower()]}
        self._container = av.open(str(path.absolute()), "w", options=options)
        self._stream = self._container.add_stream(
            "libx264", rate=Fraction(fps).limit_denominator(1000), options=dict(QUALITY)
        )
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = TICK
        self._stream.codec_context.gop_size = max(1, round(fps))
        self._last = -1

    def write(self, image: Image, time_s: float) -> None:
        """Append a picture at its time, at least one tick after the last one."""
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
        self._last = frame.pts = max(self._last + 1, round(time_s / TICK))
        frame.time_base = TICK
        self._send(frame)

    def close(self) -> None:
        """Write what the encoder still holds."""
        try:
            self._send(None)
        finally:
            self._container.close()

    def _send(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


class OpenCvWriter:
    """By OpenCV, at a fixed rate; the file gets its name when it is complete."""

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        """UserError if this OpenCV cannot write it."""
        self._path = path
        self._partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
        code = cv2.VideoWriter.fourcc(*CODECS[path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(self._partial.absolute()), code, fps, size)
        if not self._writer.isOpened():
            raise UserError(f"this OpenCV cannot write {path}; try the ending .avi")

    def write(self, image: Image, time_s: float) -> None:
        """Append a picture."""
        self._writer.write(image)

    def close(self) -> None:
        """Finish the file and give it its name."""
        self._writer.release()
        self._partial.replace(self._path)


class VideoSink:
    """Writes the annotated frames; without a frame there is no file."""

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
        self._writer: Writer | None = None
        self._size = (0, 0)

    def write(self, seen: Observation) -> None:
        """Append a frame; the first one gives the size. OSError when the disk is full."""
        picture = seen.picture
        if self._writer is None:
            self._size = (picture.shape[1] // 2 * 2, picture.shape[0] // 2 * 2)
            self._writer = open_writer(self._path, self._fps, self._size)
        if shutil.disk_usage(self._path.parent).free < MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if (picture.shape[1], picture.shape[0]) != self._size:
            picture = np.asarray(cv2.resize(picture, self._size), np.uint8)
        self._writer.write(picture, seen.frame.time_s)

    def close(self) -> None:
        """Finish the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def open_writer(path: Path, fps: float, size: tuple[int, int]) -> Writer:
    """Open H.264 where the package ``av`` is there and the ending can hold it, else OpenCV's."""
    if path.suffix.lower() in FRAGMENTS:
        try:
            import av
        except ImportError:
            return OpenCvWriter(path, fps, size)
        return H264Writer(av, path, fps, size)
    return OpenCvWriter(path, fps, size)
