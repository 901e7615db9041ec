# SPDX-License-Identifier: Apache-2.0
"""Detectors by name."""

from __future__ import annotations

from host.common.errors import UserError
from host.face.detect.blaze import BlazeDetector
from host.face.detect.faces import Detector
from host.face.detect.haar import HaarDetector

DETECTORS = ("blazeface", "haar")
"""Names of detectors, the default first."""

DEFAULT_DETECTOR = DETECTORS[0]


def open_detector(name: str = DEFAULT_DETECTOR, quick: bool = False) -> Detector:
    """Open a detector.

    Args:
        name: one of DETECTORS.
        quick: for moving pictures, where a face missed now is found later.

    Raises:
        UserError: the name is unknown, or this OpenCV lacks what the detector needs.
    """
    if name == "blazeface":
        return BlazeDetector(quick)
    if name == "haar":
        return HaarDetector(quick)
    raise UserError(f"there is no detector {name!r}; use {' or '.join(DETECTORS)}")
