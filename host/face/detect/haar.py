# SPDX-License-Identifier: Apache-2.0
"""Upright frontal faces by OpenCV's Haar cascade, for machines where the default does not run.

A Haar box is another square than that around the landmarks: it starts above the brows and ends at
the lower lip. How one becomes the other was measured on the faces that the cascade found among
380 WFLW faces (219 found; many are turned or hidden) and 900 faces of 300-W (848 found), w being
the width of the Haar box:

    ==========================  ==============  ==============  ===================
    median (std)                WFLW            300-W           used
    ==========================  ==============  ==============  ===================
    landmarks' longer side / w  0.898 (0.10)    0.892 (0.08)    SIDE = 0.892
    centre to the right         -0.006 w (0.11) 0.002 w (0.09)  0
    centre downwards            0.153 w (0.06)  0.153 w (0.04)  DOWN = 0.153 w
    ==========================  ==============  ==============  ===================
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from host.common.arrays import Image
from host.common.errors import UserError
from host.face.detect.faces import Face, square_box

SIDE = 0.892
"""Longer side of the landmarks' box over the width of the Haar box."""

DOWN = 0.153
"""Shift of the landmarks' box below the Haar box, over the width of the latter."""

CASCADE = "haarcascade_frontalface_alt2.xml"
SEARCH_SIDE = 1024
"""Longer pictures are searched at this length of their longer side; it bounds the time."""

SCALE_STEP = 1.05
"""Ratio of neighbouring face sizes searched; 1.1 takes half the time and finds 88 % of the 300-W
faces instead of 94 %."""

MIN_FACE = 30
"""Smallest face in pixels, after that reduction."""

NEIGHBOURS = 5
"""Least number of overlapping windows that must agree; how many did is the score."""

QUICK_SIDE, QUICK_STEP = 320, 1.1
"""SEARCH_SIDE and SCALE_STEP for moving pictures, where a face missed now is found later."""


class HaarDetector:
    """Finds upright frontal faces; load once, use for many pictures."""

    def __init__(self, quick: bool = False) -> None:
        """Load the cascade.

        Args:
            quick: search reduced pictures in larger steps, for moving pictures.

        Raises:
            UserError: this OpenCV comes without Haar cascades (OpenCV 5 dropped them).
        """
        self._side = QUICK_SIDE if quick else SEARCH_SIDE
        self._step = QUICK_STEP if quick else SCALE_STEP
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder) / CASCADE
        if not folder or not path.is_file():
            raise UserError(
                f"OpenCV {cv2.__version__} has no {CASCADE}; install opencv-python-headless 4.x"
            )
        self._cascade = cv2.CascadeClassifier(str(path))

    def find(self, image: Image) -> list[Face]:
        """Return all faces of a picture, (H, W, 3) BGR or (H, W) grey, the largest first."""
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
        factor = max(1.0, max(grey.shape) / self._side)
        if factor > 1:
            size = (max(1, round(grey.shape[1] / factor)), max(1, round(grey.shape[0] / factor)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        found, windows = self._cascade.detectMultiScale2(
            grey, scaleFactor=self._step, minNeighbors=NEIGHBOURS, minSize=(MIN_FACE, MIN_FACE)
        )
        pairs = zip(np.reshape(found, (-1, 4)) * factor, np.ravel(windows), strict=True)
        faces = [_face(row.tolist(), float(count)) for row, count in pairs]
        return sorted(faces, key=lambda face: (-face.box.width, face.box))


def _face(row: list[float], score: float) -> Face:
    x, y, width, height = row
    box = square_box(x + width / 2, y + height / 2 + DOWN * width, SIDE * width)
    return Face(box=box, score=score)
