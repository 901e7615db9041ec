# SPDX-License-Identifier: Apache-2.0
"""The 98-point scheme of WFLW: which index is what, left and right, and a frontal template.

Left and right are those of the picture: point 60 is the outer corner of the picture's left eye.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

NUM_LANDMARKS = 98
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

_LEFT_BROW_MIRROR = (46, 45, 44, 43, 42, 50, 49, 48, 47)
_LEFT_EYE_MIRROR = (72, 71, 70, 69, 68, 75, 74, 73)
_OUTER_LIPS_MIRROR = (82, 81, 80, 79, 78, 77, 76, 87, 86, 85, 84, 83)
_INNER_LIPS_MIRROR = (92, 91, 90, 89, 88, 95, 94, 93)


def _mirror_table() -> npt.NDArray[np.int64]:
    table = np.arange(NUM_LANDMARKS)
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


def mirror(landmarks: Points) -> Points:
    """Landmarks (..., 98, 2), as fractions, of the picture flipped left to right."""
    flipped = np.array(landmarks)[..., MIRROR, :]
    flipped[..., 0] = 1 - flipped[..., 0]
    return flipped


def inter_ocular(landmarks: Points) -> npt.NDArray[np.float64]:
    """Distance of the outer eye corners of landmarks (..., 98, 2), in their unit: (...)."""
    left, right = OUTER_CORNERS
    return np.linalg.norm(landmarks[..., left, :] - landmarks[..., right, :], axis=-1)
