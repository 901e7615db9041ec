# SPDX-License-Identifier: Apache-2.0
"""Images for calibration, fine-tuning and golden vectors."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import skimage.data

from host.common.arrays import F64Array, Images
from host.common.errors import UserError
from host.common.npz import reading_npz
from host.face.crop import PORTRAIT_SQUARE, crop_square
from model.faces.render import make_faces

CALIBRATION_SEED = 101  #: seeds of procedural faces that no training uses
GOLDEN_SEED = 102
TUNING_SEED = 103
EVALUATION_SEED = 104


def portrait(size: int) -> Images:
    """The face of the portrait that scikit-image carries: (size, size) uint8."""
    image = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    return crop_square(np.asarray(image, np.uint8), PORTRAIT_SQUARE, size)


def labelled_images(path: Path | None, size: int, count: int, seed: int) -> tuple[Images, F64Array]:
    """Images (N, size, size) and landmarks (N, points, 2): from ``path``, else procedural faces.

    Of procedural faces there are ``count``, of a file at most so many. UserError for another file.
    """
    if path is not None:
        return read_images(path, size, count)
    faces = make_faces(count, seed)
    scaled = [cv2.resize(i, (size, size), interpolation=cv2.INTER_AREA) for i in faces.images]
    return np.stack(scaled), faces.landmarks.astype(np.float64)


def read_images(path: Path, size: int, count: int) -> tuple[Images, F64Array]:
    """First ``count`` images (N, size, size) and landmarks (N, points, 2) of an npz file.

    The file has the keys images uint8 and landmarks (fractions of the crop); UserError otherwise.
    """
    with reading_npz(path, "npz file with images and landmarks") as content:
        images, landmarks = content["images"], content["landmarks"]
    if images.dtype != np.uint8 or images.shape[1:] != (size, size) or not len(images):
        raise UserError(
            f"{path}: images are {images.dtype} of shape {images.shape}; the network needs uint8 "
            f"(N, {size}, {size})"
        )
    if landmarks.shape[:1] != images.shape[:1] or landmarks.ndim != 3:
        raise UserError(f"{path}: landmarks {landmarks.shape} do not fit {len(images)} images")
    return images[:count], np.asarray(landmarks[:count], np.float64)
