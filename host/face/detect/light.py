# SPDX-License-Identifier: Apache-2.0
"""Dark pictures made bright enough for a detector."""

from __future__ import annotations

import cv2
import numpy as np

from host.common.arrays import Image

BRIGHT = 180.0
"""Grey level to which the brightest hundredth of a dark picture is raised."""

MOST = 20.0
"""Largest gain."""

SMOOTHING = 1.0
"""Standard deviation in pixels of the blur that the gain needs: it would raise noise, too."""


def brighten(image: Image, reduction: float) -> Image:
    """Raise a dark picture to the light of day; others are returned as they are.

    Args:
        image: picture, (H, W, 3) BGR, uint8.
        reduction: how much smaller than the camera's the picture is; reducing takes out noise, so
            that from 1.5 on nothing needs to be smoothed.
    """
    level = float(np.percentile(image[..., 1], 99))
    if level >= BRIGHT:
        return image
    gain = min(BRIGHT / max(level, 1.0), MOST)
    calm = cv2.GaussianBlur(image, (0, 0), SMOOTHING) if gain > 2 and reduction < 1.5 else image
    return np.asarray(cv2.convertScaleAbs(calm, alpha=gain), np.uint8)
