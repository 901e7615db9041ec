# SPDX-License-Identifier: Apache-2.0
"""Reading pictures from files, and the portrait that scikit-image carries."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from host.errors import UserError

PORTRAIT = "astronaut"


def read_source(source: str) -> npt.NDArray[np.uint8]:
    """Return a picture, (H, W, 3) BGR uint8: the file ``source``, or PORTRAIT for the portrait.

    Raises:
        UserError: the file is missing, unreadable or no picture; scikit-image is missing.
    """
    return read_portrait() if source == PORTRAIT else read_image(Path(source))


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Return the picture in a file, (H, W, 3) BGR uint8, turned as its EXIF entry says."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read the picture {path}: {error.strerror}; give a readable file, "
            f"or {PORTRAIT} for the built-in portrait"
        ) from error
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise UserError(
            f"{path} ({len(content)} bytes) is not a picture that OpenCV reads; "
            "give a PNG, JPEG or BMP file"
        )
    return np.asarray(image, np.uint8)


def read_portrait() -> npt.NDArray[np.uint8]:
    """Return NASA's public-domain portrait of Eileen Collins, (512, 512, 3) BGR uint8."""
    try:
        from skimage.data import astronaut
    except ImportError as error:
        raise UserError(
            f"the picture {PORTRAIT} needs the package scikit-image: pip install scikit-image; "
            "or give a picture with --source"
        ) from error
    portrait = astronaut()  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(portrait[..., ::-1], np.uint8)
