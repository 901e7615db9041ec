# SPDX-License-Identifier: Apache-2.0
"""The 98 landmarks in the order of the WFLW annotation; left and right are the picture's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

COUNT = 98

LEFT_EYE_CORNER = 60
"""Outer corner of the eye on the picture's left."""

RIGHT_EYE_CORNER = 72
"""Outer corner of the eye on the picture's right; 60 to 72 is the inter-ocular distance."""


class Group(NamedTuple):
    """A line through neighbouring landmarks: first to last, closed back to the first or not."""

    name: str
    part: str
    first: int
    last: int
    closed: bool

    @property
    def indices(self) -> list[int]:
        """Landmarks in the order in which a line joins them."""
        return list(range(self.first, self.last + 1))


GROUPS = (
    Group("contour", "contour", 0, 32, False),
    Group("left brow", "brows", 33, 41, True),
    Group("right brow", "brows", 42, 50, True),
    Group("nose bridge", "nose", 51, 54, False),
    Group("nose base", "nose", 55, 59, False),
    Group("left eye", "eyes", 60, 67, True),
    Group("right eye", "eyes", 68, 75, True),
    Group("outer lips", "lips", 76, 87, True),
    Group("inner lips", "lips", 88, 95, True),
    Group("left pupil", "eyes", 96, 96, False),
    Group("right pupil", "eyes", 97, 97, False),
)
"""Every landmark is in exactly one group."""


def inter_ocular(landmarks: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the distance of the outer eye corners of landmarks (..., 98, 2), in their unit."""
    points = np.asarray(landmarks, np.float64)
    corners = points[..., LEFT_EYE_CORNER, :] - points[..., RIGHT_EYE_CORNER, :]
    return np.asarray(np.linalg.norm(corners, axis=-1), np.float64)
