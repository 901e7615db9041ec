# SPDX-License-Identifier: Apache-2.0
"""Where pictures come from: a file, or the portrait that scikit-image carries."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from host.common.errors import UserError

Image = npt.NDArray[np.uint8]

ASTRONAUT = "astronaut"
"""Name of the built-in source; a file of that name is ``./astronaut``."""


def load_source(source: str) -> Image:
    """Return the picture named by ``source``, a path or ASTRONAUT, as (H, W, 3) BGR uint8.

    Raises:
        UserError: the file is missing, unreadable or no picture; scikit-image is missing.
    """
    return astronaut() if source == ASTRONAUT else read_image(Path(source))


def astronaut() -> Image:
    """Return NASA's public-domain portrait of Eileen Collins, (512, 512, 3) BGR uint8."""
    try:
        import skimage.data
    except ImportError as error:
        raise UserError(
            f"the source '{ASTRONAUT}' comes with scikit-image, which is missing; "
            "pip install scikit-image, or name a picture with --source"
        ) from error
    rgb = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)


def read_image(path: Path) -> Image:
    """Read a picture file, turned upright by its EXIF entry, as (H, W, 3) BGR uint8.

    Raises:
        UserError: the file is missing, unreadable or in no format that OpenCV reads.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the picture {path}: {error.strerror or error}") from error
    image = None
    if data:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error as error:
            raise UserError(f"cannot decode the picture {path}: {error.err}") from error
    if image is None:
        raise UserError(
            f"{path} ({len(data)} bytes) is no picture that OpenCV reads; "
            "give a PNG, JPEG, BMP, TIFF or WebP file"
        )
    return np.asarray(image, np.uint8)
