# SPDX-License-Identifier: Apache-2.0
"""The 98 landmarks of the WFLW annotation: which index is what, groups for drawing, mirroring.

Left and right are those of the picture: point 60 is the outer corner of the eye on its left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from host.common.arrays import F64Array, IntArray, Points

COUNT = 98

CONTOUR = tuple(range(33))  #: from the left ear over the chin (16) to the right ear
LEFT_BROW = tuple(range(33, 42))  #: outer end, upper edge inwards, lower edge outwards
RIGHT_BROW = tuple(range(42, 51))  #: inner end, upper edge outwards, lower edge inwards
NOSE_RIDGE = tuple(range(51, 55))
NOSE_BASE = tuple(range(55, 60))
LEFT_EYE = tuple(range(60, 68))  #: outer corner, upper lid, inner corner, lower lid
RIGHT_EYE = tuple(range(68, 76))  #: inner corner, upper lid, outer corner, lower lid
OUTER_LIPS = tuple(range(76, 88))  #: left corner, upper edge, right corner, lower edge
INNER_LIPS = tuple(range(88, 96))
LEFT_PUPIL, RIGHT_PUPIL = 96, 97
OUTER_CORNERS = (60, 72)  #: their distance is the inter-ocular distance

UPPER_LIDS = [61, 62, 63, 69, 70, 71]
LOWER_LIDS = [67, 66, 65, 75, 74, 73]
"""The points below those of UPPER_LIDS, in their order."""


class Group(NamedTuple):
    """A line through neighbouring landmarks, closed back to the first or not."""

    name: str
    part: str
    indices: list[int]
    """Landmarks in the order in which a line joins them."""
    closed: bool


GROUPS = (
    Group("contour", "contour", [*CONTOUR], False),
    Group("left brow", "brows", [*LEFT_BROW], True),
    Group("right brow", "brows", [*RIGHT_BROW], True),
    Group("nose bridge", "nose", [*NOSE_RIDGE], False),
    Group("nose base", "nose", [*NOSE_BASE], False),
    Group("left eye", "eyes", [*LEFT_EYE], True),
    Group("right eye", "eyes", [*RIGHT_EYE], True),
    Group("outer lips", "lips", [*OUTER_LIPS], True),
    Group("inner lips", "lips", [*INNER_LIPS], True),
    Group("left pupil", "eyes", [LEFT_PUPIL], False),
    Group("right pupil", "eyes", [RIGHT_PUPIL], False),
)
"""Every landmark is in exactly one group."""

_LEFT_BROW_MIRROR = (46, 45, 44, 43, 42, 50, 49, 48, 47)
_LEFT_EYE_MIRROR = (72, 71, 70, 69, 68, 75, 74, 73)
_OUTER_LIPS_MIRROR = (82, 81, 80, 79, 78, 77, 76, 87, 86, 85, 84, 83)
_INNER_LIPS_MIRROR = (92, 91, 90, 89, 88, 95, 94, 93)


def _mirror_table() -> IntArray:
    table = np.arange(COUNT)
    table[list(CONTOUR)] = CONTOUR[::-1]
    table[list(NOSE_BASE)] = NOSE_BASE[::-1]
    table[list(OUTER_LIPS)] = _OUTER_LIPS_MIRROR
    table[list(INNER_LIPS)] = _INNER_LIPS_MIRROR
    pairs = [*zip(LEFT_BROW, _LEFT_BROW_MIRROR, strict=True)]
    pairs += [*zip(LEFT_EYE, _LEFT_EYE_MIRROR, strict=True), (LEFT_PUPIL, RIGHT_PUPIL)]
    for left, right in pairs:
        table[left], table[right] = right, left
    return table


MIRROR = _mirror_table()
"""Index of the point that point i becomes when the picture is flipped left to right, (98,)."""


def mirror(landmarks: Points) -> F64Array:
    """Landmarks (..., 98, 2), as fractions, of the picture flipped left to right."""
    flipped = np.array(landmarks)[..., MIRROR, :]
    flipped[..., 0] = 1 - flipped[..., 0]
    return flipped


def inter_ocular(landmarks: npt.ArrayLike, corners: tuple[int, int] = OUTER_CORNERS) -> F64Array:
    """Distance of the points ``corners`` of landmarks (..., P, 2), in their unit: (...).

    corners: default the outer eye corners of the 98 points; on 68 points they are 36 and 45.
    """
    points = np.asarray(landmarks, np.float64)
    first, second = corners
    distances = np.linalg.norm(points[..., first, :] - points[..., second, :], axis=-1)
    return np.asarray(distances, np.float64)
