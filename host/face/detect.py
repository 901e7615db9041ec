# SPDX-License-Identifier: Apache-2.0
"""Face boxes from OpenCV's Haar cascade.

The network is trained on squares 1.2 times as wide as the longer side of the landmarks' bounding
box, centred on it. A Haar box is another square: it starts above the brows and ends at the lower
lip. How one becomes the other was measured with this detector on the faces that it found among
380 WFLW faces (219 found; many are turned or hidden) and 900 faces of 300-W (848 found), w being
the width of the box:

    =====================  ==============  ==============  ====================
    median (std)           WFLW            300-W           used
    =====================  ==============  ==============  ====================
    training square / w    1.077 (0.12)    1.070 (0.10)    CROP_SCALE = 1.07
    centre to the right    -0.006 w (0.11) 0.002 w (0.09)  0
    centre downwards       0.153 w (0.06)  0.153 w (0.04)  CROP_DOWN = 0.153 w
    =====================  ==============  ==============  ====================

The standard deviations tell how much shift and scale the training's augmentation must cover.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from host.common.errors import UserError

CROP_SCALE = 1.07
"""Side of the crop over the width of the Haar box."""

CROP_DOWN = 0.153
"""Shift of the crop's centre below the centre of the Haar box, over the width of the box."""

CASCADE = "haarcascade_frontalface_alt2.xml"
SEARCH_SIDE = 1024
"""Longer pictures are searched at this length of their longer side; it bounds the time."""

SCALE_STEP = 1.05
"""Ratio of neighbouring face sizes searched; 1.1 takes half the time and finds 88 % of the 300-W
faces instead of 94 %."""

MIN_FACE = 30
"""Smallest face in pixels, after that reduction."""


QUICK_SIDE, QUICK_STEP = 320, 1.1
"""SEARCH_SIDE and SCALE_STEP for moving pictures, where a face missed now is found later."""

YUNET_SCORE = 0.7
"""Least score of YuNet's faces."""

TIGHT_TO_HAAR = 1.2 / CROP_SCALE
"""Haar box over the longer side of a box from brows to chin: both lead to the same crop."""


class Box(NamedTuple):
    """A face: left, top, width and height in pixels of the picture."""

    x: int
    y: int
    width: int
    height: int


class FaceDetector:
    """Finds upright frontal faces; load once, use for many pictures."""

    def __init__(self, search_side: int = SEARCH_SIDE, scale_step: float = SCALE_STEP) -> None:
        """Load the cascade.

        Args:
            search_side: longer pictures are searched at this length of their longer side.
            scale_step: ratio of neighbouring face sizes searched.

        Raises:
            UserError: this OpenCV comes without Haar cascades (OpenCV 5 dropped them).
        """
        self._search_side, self._scale_step = search_side, scale_step
        folder = getattr(getattr(cv2, "data", None), "haarcascades", "")
        path = Path(folder) / CASCADE
        if not folder or not path.is_file():
            raise UserError(
                f"OpenCV {cv2.__version__} has no {CASCADE}; install opencv-python-headless 4.x"
            )
        self._cascade = cv2.CascadeClassifier(str(path))

    def find(self, image: npt.NDArray[np.uint8]) -> list[Box]:
        """Return all faces, the largest first.

        Args:
            image: picture, (H, W, 3) BGR or (H, W) grey, uint8.
        """
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
        factor = max(1.0, max(grey.shape) / self._search_side)
        if factor > 1:
            size = (max(1, round(grey.shape[1] / factor)), max(1, round(grey.shape[0] / factor)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        found = self._cascade.detectMultiScale(
            grey, scaleFactor=self._scale_step, minNeighbors=5, minSize=(MIN_FACE, MIN_FACE)
        )
        boxes = [Box(*(round(float(value) * factor) for value in row)) for row in found]
        return sorted(boxes, key=lambda box: (-box.width * box.height, box.x, box.y))

    def find_largest(self, image: npt.NDArray[np.uint8]) -> Box:
        """Return the largest face.

        Raises:
            UserError: no face is found.
        """
        boxes = self.find(image)
        if not boxes:
            height, width = image.shape[:2]
            raise UserError(
                f"no face found in the {width}x{height} picture; give one with an upright frontal "
                f"face at least {MIN_FACE} pixels wide (of {self._search_side} for larger pictures)"
            )
        return boxes[0]


class YunetDetector:
    """Faces by YuNet, a small CNN, through OpenCV; its ONNX file is not part of this project."""

    def __init__(self, model: Path) -> None:
        """Load the file, for example face_detection_yunet_2023mar.onnx of the OpenCV zoo.

        Raises:
            UserError: the file is missing or no such network.
        """
        if not model.is_file():
            raise UserError(
                f"there is no detector {model}; use haar, mtcnn or the ONNX file of YuNet"
            )
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", (320, 320), YUNET_SCORE)
        except cv2.error as error:
            raise UserError(f"{model} is no YuNet that OpenCV reads: {error.err}") from error

    def find(self, image: npt.NDArray[np.uint8]) -> list[Box]:
        """Return all faces as boxes of the Haar cascade's kind, the largest first."""
        height, width = image.shape[:2]
        self._net.setInputSize((width, height))
        _, found = self._net.detect(image)
        rows = np.zeros((0, 4)) if found is None else found[:, :4]
        return _as_haar(rows)


class MtcnnDetector:
    """Faces by MTCNN, a cascade of small CNNs, from the package facenet-pytorch."""

    def __init__(self) -> None:
        """UserError if facenet-pytorch is missing."""
        try:
            from facenet_pytorch import MTCNN
        except ImportError as error:
            raise UserError(
                "the detector mtcnn needs facenet-pytorch, which is missing; "
                "pip install facenet-pytorch"
            ) from error
        self._net = MTCNN(keep_all=True)

    def find(self, image: npt.NDArray[np.uint8]) -> list[Box]:
        """Return all faces as boxes of the Haar cascade's kind, the largest first."""
        corners, _ = self._net.detect(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        if corners is None:
            return []
        rows = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        return _as_haar(rows)


def _as_haar(rows: npt.NDArray[np.float64]) -> list[Box]:
    """Boxes (N, 4) around brows to chin as the squares that the Haar cascade would give."""
    boxes = []
    for x, y, width, height in rows.tolist():
        side = TIGHT_TO_HAAR * max(width, height)
        middle_x, middle_y = x + width / 2, y + height / 2 - CROP_DOWN * side
        corner = (middle_x - side / 2, middle_y - side / 2, side, side)
        boxes.append(Box(*(round(value) for value in corner)))
    return sorted(boxes, key=lambda box: -box.width * box.height)


def open_detector(name: str) -> FaceDetector | YunetDetector | MtcnnDetector:
    """Open a detector for moving pictures: ``haar``, ``mtcnn`` or the path of YuNet's ONNX file.

    Raises:
        UserError: a file or package is missing.
    """
    if name == "haar":
        return FaceDetector(QUICK_SIDE, QUICK_STEP)
    return MtcnnDetector() if name == "mtcnn" else YunetDetector(Path(name))
