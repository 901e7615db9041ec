# SPDX-License-Identifier: Apache-2.0
"""Landmark metrics, all in percent; the error is normalised by the outer eye corners' distance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host.common.arrays import F64Array, Points
from host.common.errors import UserError
from host.face.landmarks import OUTER_CORNERS, inter_ocular

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


def image_errors(
    predicted: Points, true: Points, corners: tuple[int, int] = OUTER_CORNERS
) -> F64Array:
    """NME of every image (N,) in percent; both arguments (N, P, 2) in the same unit.

    A point that is nan in ``true`` is unknown and does not count. corners: the points whose
    distance normalises the error; default those of the 98-point scheme.
    UserError: the shapes differ or are no landmarks, or two corners coincide or are unknown.
    """
    predicted, true = np.asarray(predicted, np.float64), np.asarray(true, np.float64)
    fits = predicted.shape == true.shape and true.ndim == 3 and true.shape[2] == 2
    if not fits or true.shape[1] <= max(corners) or not len(true):
        raise UserError(
            f"landmarks of shape {predicted.shape} and {true.shape} cannot be compared; both must "
            f"be (N, P, 2) with N of at least 1 and P of more than {max(corners)}"
        )
    unit = inter_ocular(true, corners)
    if not (unit > 0).all():
        worst = int(np.nan_to_num(unit).argmin())
        raise UserError(
            f"image {worst}: points {corners[0]} and {corners[1]} coincide or are unknown; "
            "drop the image"
        )
    distance = np.nanmean(np.linalg.norm(predicted - true, axis=2), axis=1)
    return np.asarray(100 * distance / unit, np.float64)


def summarise(errors: F64Array) -> Metrics:
    """Metrics of images with the given errors (N,) in percent."""
    failed = (errors > THRESHOLD).mean()
    area = np.clip(1 - errors / THRESHOLD, 0, None).mean()
    return Metrics(float(errors.mean()), float(100 * failed), float(100 * area))


def measure(predicted: Points, true: Points) -> Metrics:
    """Metrics of predicted landmarks (N, 98, 2) against the true ones, unknown points nan."""
    return summarise(image_errors(predicted, true))


def measure_known(predicted: Points, true: Points) -> Metrics:
    """The same over the images whose outer eye corners are known; UserError if none has them."""
    known = np.isfinite(true[:, list(OUTER_CORNERS)]).all((1, 2))
    return measure(predicted[known], true[known])
