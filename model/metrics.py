# SPDX-License-Identifier: Apache-2.0
"""Landmark metrics, all in percent; the error is normalised by the outer eye corners' distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from host.errors import UserError
from model.landmarks import NUM_LANDMARKS, inter_ocular

Points = npt.NDArray[np.float64]
THRESHOLD = 10.0  #: percent; an image with a larger NME is a failure


@dataclass(frozen=True)
class Metrics:
    """Figures of one set of images, in percent."""

    nme: float
    """Normalised mean error, mean over the images."""
    failure_rate: float
    """Share of the images with an NME above THRESHOLD."""
    auc: float
    """Area under the curve of the errors' distribution up to THRESHOLD; 100 is perfect."""

    @property
    def accuracy(self) -> float:
        """100 - NME."""
        return 100 - self.nme


def image_errors(predicted: Points, true: Points) -> npt.NDArray[np.float64]:
    """NME of every image (N,) in percent; both arguments (N, 98, 2) in the same unit.

    UserError: the shapes differ or are no landmarks, or two eye corners coincide.
    """
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    if predicted.shape != true.shape or true.shape[1:] != (NUM_LANDMARKS, 2) or not len(true):
        raise UserError(
            f"landmarks of shape {predicted.shape} and {true.shape} cannot be compared; both must "
            f"be (N, {NUM_LANDMARKS}, 2) with N of at least 1"
        )
    unit = inter_ocular(true)
    if not (unit > 0).all():
        raise UserError(f"image {int(unit.argmin())}: points 60 and 72 coincide; drop the image")
    return 100 * np.linalg.norm(predicted - true, axis=2).mean(1) / unit


def measure(predicted: Points, true: Points) -> Metrics:
    """Metrics of predicted landmarks (N, 98, 2) against the true ones."""
    errors = image_errors(predicted, true)
    failed = (errors > THRESHOLD).mean()
    area = np.clip(1 - errors / THRESHOLD, 0, None).mean()
    return Metrics(float(errors.mean()), float(100 * failed), float(100 * area))
