# SPDX-License-Identifier: Apache-2.0
"""What the name of a source means, and how it is opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2

from host.common.errors import UserError
from host.drawn.script import SCRIPTS
from host.face.image import ASTRONAUT, HTTP_SCHEMES, READ_SUFFIXES, load_source
from host.monitor.capture import (
    FOLDER_FPS,
    TURNS,
    FolderSource,
    Source,
    StillSource,
    SyntheticSource,
    Tell,
    Turned,
)
from host.monitor.streams import LIMIT_MS, LiveSource, Recording, cut_off_mp4, quiet

KEPT_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".m4v", ".webm")
"""Recordings, also those that a server keeps."""

VIDEO_SUFFIXES = (*KEPT_SUFFIXES, ".mjpg", ".mjpeg", ".ts")
STREAM_SCHEMES = ("rtsp://", "rtsps://", *HTTP_SCHEMES, "udp://")

APPSINK = "appsink drop=1 max-buffers=1"
"""How a GStreamer pipeline hands over its newest frame."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a source is to be opened."""

    fps: float | None = None
    """Rate of a folder's pictures, or asked from a camera."""
    size: tuple[int, int] | None = None
    """Width and height asked from a camera."""
    rotate: int = 0
    """Degrees clockwise by which pictures are turned: 0, 90, 180 or 270."""
    give_up_s: float | None = None
    """A live source that gives nothing for this long ends the run; None: never."""

    def __post_init__(self) -> None:
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise UserError(f"--fps {self.fps:g} is not possible; give 1000 or less, above 0")
        if self.give_up_s is not None and not self.give_up_s > 0:
            raise UserError(f"--give-up {self.give_up_s:g} is not possible; give a time above 0")
        if self.rotate not in (0, *TURNS):
            raise UserError(f"--rotate {self.rotate} is not possible; give 0, 90, 180 or 270")


PLAIN = Options()


def _suffix(source: str) -> str:
    """The ending of a path or of an address without its query, in lower case."""
    return Path(urlsplit(source).path if _streams(source) else source).suffix.lower()


def _streams(source: str) -> bool:
    return source.startswith(STREAM_SCHEMES)


def _camera(source: str) -> bool:
    return (source.isascii() and source.isdigit()) or source.startswith("/dev/video")


def _pipeline(source: str) -> bool:
    """A file or folder of that name comes first."""
    return "!" in source and not os.path.exists(source)  # False for one that is too long for a path


def without_password(source: str) -> str:
    """An address as others may read it."""
    if not _streams(source):
        return source
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise UserError(f"the address {source} is none: {error}") from error
    user, _, place = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    return parts._replace(netloc=f"{name}:***@{place}").geturl() if colon else source


def is_picture(source: str) -> bool:
    """True for the portrait, and for files and addresses that give one picture only."""
    if source == ASTRONAUT:
        return True
    if _streams(source):
        return source.startswith(HTTP_SCHEMES) and _suffix(source) in READ_SUFFIXES
    moving = (
        source in SCRIPTS
        or _camera(source)
        or _pipeline(source)
        or os.path.isdir(source)
        or _suffix(source) in VIDEO_SUFFIXES
    )
    return not moving


def open_source(source: str, options: Options = PLAIN, tell: Tell | None = None) -> Source:
    """Open a source by its name.

    Args:
        source: a camera's number or /dev/video file, a GStreamer pipeline (with "!"; a MIPI
            camera's, for example, without its sink), an RTSP or HTTP address, a video file, a
            folder of pictures, a picture, or one of SCRIPTS.
        options: rate, size, rotation, patience.
        tell: takes a line about what differs from what was asked.

    Raises:
        UserError: there is no such source, it cannot be opened, or an option does not fit it.
    """
    _check(source, options)
    found = _open(source, options, tell)
    return Turned(found, options.rotate) if options.rotate else found


def _check(source: str, options: Options) -> None:
    if not source:
        raise UserError("the source is empty; name a camera, a stream, a recording or a folder")
    check_name("the source", source)
    without_password(source)  # or it is no address
    folder = source not in SCRIPTS and os.path.isdir(source)
    if options.fps is not None and not (folder or _camera(source)):
        raise UserError(f"--fps is for folders of pictures and cameras; {source} has its own rate")
    if options.give_up_s is not None and not (
        _camera(source) or _pipeline(source) or _streams(source)
    ):
        raise UserError(f"--give-up is for cameras and streams; {source} does not stay away")
    if options.size is not None and not _camera(source):
        raise UserError(f"--size is for cameras; {source} has its own size")


def _open(source: str, options: Options, tell: Tell | None) -> Source:
    if source in SCRIPTS:
        return SyntheticSource(SCRIPTS[source])
    if os.path.isdir(source):
        return FolderSource(Path(source), options.fps or FOLDER_FPS, tell)
    if is_picture(source):
        return StillSource(load_source(source))
    shown = without_password(source)
    if _streams(source) and _suffix(source) not in KEPT_SUFFIXES:
        return LiveSource(shown, lambda: _open_stream(source), options.give_up_s, encoded=True)
    if _streams(source):
        return Recording(shown, lambda: _open_stream(source), tell)
    if _pipeline(source):
        return _open_pipeline(source, options)
    if _camera(source):
        return _open_camera(source, options, tell)
    return _open_recording(source, tell)


def check_name(what: str, name: str) -> None:
    """UserError for the name of a file that OpenCV and FFmpeg cannot be given."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"{what} {name.encode(errors='backslashreplace').decode()} is not UTF-8; rename it"
        ) from error


def _open_stream(address: str) -> Any:
    limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, LIMIT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, LIMIT_MS)
    return cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)


def _open_pipeline(source: str, options: Options) -> Source:
    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        raise UserError(
            f"this OpenCV {cv2.__version__} is built without GStreamer, which the pipeline "
            f"'{source}' needs; use the system's OpenCV (on the board and on Debian: apt-get "
            "install python3-opencv gstreamer1.0-plugins-good, in an environment made with "
            "--system-site-packages), or name the camera as /dev/videoN, which needs none"
        )
    pipeline = f"{source} ! videoconvert ! video/x-raw,format=BGR ! {APPSINK}"
    limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, LIMIT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, LIMIT_MS)
    return LiveSource(
        source, lambda: cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER, limits), options.give_up_s
    )


def _open_camera(source: str, options: Options, tell: Tell | None) -> Source:
    device = int(source) if source.isdigit() else source
    asked: dict[int, float] = {}
    if options.size is not None:
        asked[cv2.CAP_PROP_FRAME_WIDTH], asked[cv2.CAP_PROP_FRAME_HEIGHT] = options.size
    if options.fps is not None:
        asked[cv2.CAP_PROP_FPS] = options.fps

    def opener() -> Any:
        capture = cv2.VideoCapture(device)
        for what, value in asked.items():
            capture.set(what, value)
        given = [capture.get(what) for what in asked]
        if tell is not None and capture.isOpened() and given != list(asked.values()):
            tell(f"the camera {source} gives {_listed(given)} instead of {_listed(asked.values())}")
        return capture

    return LiveSource(source, opener, options.give_up_s)


def _listed(values: Any) -> str:
    return " x ".join(f"{value:g}" for value in values)


def _open_recording(source: str, tell: Tell | None) -> Source:
    path = Path(source)
    if not path.is_file():
        raise UserError(f"cannot read the video {source}: no such file")
    quiet()
    try:
        # From the root, as FFmpeg takes what stands before a colon for a protocol.
        return Recording(source, lambda: cv2.VideoCapture(str(path.absolute())), tell)
    except UserError as error:
        if cut_off_mp4(path):
            raise UserError(
                f"the video {source} is cut off: it has no index (moov), because its recording was "
                "not finished; repair it with a tool for that, or record fragmented MP4"
            ) from error
        raise
