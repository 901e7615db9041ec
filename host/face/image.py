# SPDX-License-Identifier: Apache-2.0
"""Where pictures come from: a file, an HTTP server, or the portrait that scikit-image carries."""

from __future__ import annotations

import http.client
import time
import urllib.request
from pathlib import Path

import cv2
import numpy as np

from host.common.arrays import Image
from host.common.errors import UserError
from host.face.header import read_header

ASTRONAUT = "astronaut"
"""Name of the built-in source; a file of that name is ``./astronaut``."""

READ_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
"""Endings of pictures that are read."""

HTTP_SCHEMES = ("http://", "https://")

MAX_PIXELS = 120_000_000
"""Larger pictures are refused before they are decoded; cameras of telephones give up to 108."""

MAX_BYTES = 256 * 2**20
"""Longer files are no pictures of that size."""

ANSWER_S, DOWNLOAD_S = 3.0, 30.0
"""How long a server may be silent, and take for a whole picture."""


def load_source(source: str) -> Image:
    """Return the picture at a path, an HTTP address or ASTRONAUT, as (H, W, 3) BGR uint8.

    Raises:
        UserError: the file is missing, unreadable or no picture; scikit-image is missing.
    """
    if source == ASTRONAUT:
        return astronaut()
    return download_image(source) if source.startswith(HTTP_SCHEMES) else read_image(Path(source))


def astronaut() -> Image:
    """Return NASA's public-domain portrait of Eileen Collins, (512, 512, 3) BGR uint8."""
    try:
        import skimage.data
    except ImportError as error:
        raise UserError(
            f"the source '{ASTRONAUT}' comes with scikit-image, which is missing; "
            "pip install scikit-image, or name a picture with --source"
        ) from error
    rgb = skimage.data.astronaut()
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


def read_image(path: Path) -> Image:
    """Read a picture file, turned upright by its EXIF entry, as (H, W, 3) BGR uint8.

    Raises:
        UserError: the file is missing, unreadable, cut off, too large or in no format of
            READ_SUFFIXES.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"cannot read the picture {path}: {error.strerror or error}") from error
    return decode(str(path), data)


def download_image(address: str) -> Image:
    """Read a picture from an HTTP server; errors as ``read_image``."""
    end = time.monotonic() + DOWNLOAD_S
    parts: list[bytes] = []
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_S) as answer:
            while (part := answer.read1(1 << 16)) and sum(map(len, parts)) <= MAX_BYTES:
                parts.append(part)
                if time.monotonic() > end:
                    raise UserError(f"{address} did not arrive within {DOWNLOAD_S:g} s")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"cannot read the picture {address}: {reason}") from error
    return decode(address, b"".join(parts))


def decode(name: str, data: bytes) -> Image:
    """Decode a picture file's content; ``name`` is for messages, errors as ``read_image``."""
    if len(data) > MAX_BYTES:
        raise UserError(f"{name} has more than {MAX_BYTES >> 20} MB; give a smaller picture")
    header = read_header(data)
    if header is None:
        raise UserError(
            f"{name} ({len(data)} bytes) is no picture that OpenCV reads; "
            "give a PNG, JPEG, BMP, TIFF or WebP file"
        )
    check_pixels(name, header.width, header.height)
    if not header.whole:
        raise UserError(
            f"the picture {name} is cut off after {len(data)} bytes; copy or load it again"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise UserError(f"cannot decode the picture {name}: {error.err}") from error
    if image is None:
        raise UserError(f"the picture {name} ({len(data)} bytes) is damaged; make it anew")
    return np.asarray(image, np.uint8)


def check_pixels(name: str, width: int, height: int) -> None:
    """Raise UserError if a picture of this size, in pixels, would take too much memory."""
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{name} has {width} x {height} pixels; at most {MAX_PIXELS // 10**6} million are "
            "read, make it smaller"
        )


def fitted(picture: Image, shape: tuple[int, ...]) -> Image:
    """A picture (H, W, 3) BGR as a frame (height, width, channels) uint8: grey, or RGB.

    The picture is stretched to the size. UserError for a shape that is no picture's.
    """
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise UserError(
            f"the network takes frames of shape {shape}, which no picture is; use one that takes "
            "(height, width, 1) or (height, width, 3)"
        )
    height, width, channels = shape
    sized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    code = cv2.COLOR_BGR2GRAY if channels == 1 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(sized, code), np.uint8).reshape(shape)
