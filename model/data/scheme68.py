# SPDX-License-Identifier: Apache-2.0
"""300-W's 68 points and their partners among WFLW's 98.

Each of the 68 points has a partner, but the annotators' habits differ: on 300-W the inner points of
an eyelid stand closer to the eye's middle, the contour starts lower, and so on. HABITS is the
median difference partner minus point, measured between the true points of 300-W's training faces
and 98 points found there by networks trained on WFLW, in percent of the inter-ocular distance
along the line of the eyes and across it. Both directions of the mapping correct for it.
"""

from __future__ import annotations

import numpy as np

from host.common.arrays import Points
from host.face.landmarks import COUNT, OUTER_CORNERS

NUM_68 = 68
OUTER_CORNERS_68 = (36, 45)  #: their distance normalises the error on 300-W
PARTNERS = np.array(
    [
        *range(0, 33, 2),  # contour
        *range(33, 38),
        *range(42, 47),  # brows
        *range(51, 60),  # nose
        *(60, 61, 63, 64, 65, 67),
        *(68, 69, 71, 72, 73, 75),  # eyes
        *range(76, 96),  # lips
    ]
)
"""Index among the 98 of each of the 68 points, (68,)."""

HABITS = np.array(
    [
        (-1.3, -5.6),
        (-0.7, -5.2),
        (-1.3, -4.6),
        (-1.4, -4.2),
        (-1.8, -3.2),
        (-2.2, -2.1),
        (-2.6, -1.1),
        (-2.4, -1.3),
        (-1.2, 0.1),
        (0.2, -0.8),
        (0.8, -0.6),
        (0.8, -1.6),
        (0.5, -2.7),
        (0.3, -3.6),
        (0.4, -4.1),
        (0, -4.6),
        (0.3, -5.2),
        (2, 1),
        (2.9, -0.3),
        (0.7, 0.9),
        (-1.6, 0.3),
        (-2.9, -2.1),
        (1.8, -1.6),
        (-0.3, 0.7),
        (-2.5, 1),
        (-4.1, -0.4),
        (-2.7, 1.3),
        (-1, 2),
        (-1, 3),
        (-1.1, 4.2),
        (-1.1, 4.2),
        (-1.9, 0.6),
        (-1.4, -0.3),
        (-0.8, -1.3),
        (-0.3, -0.3),
        (0.8, 0.4),
        (-2.2, 0.2),
        (-4, 0.9),
        (2.8, 0.7),
        (1.3, 0),
        (2.4, 0),
        (-3.4, -0.5),
        (-2.2, 0),
        (-4.2, 0.9),
        (2.8, 0.8),
        (1.4, 0.2),
        (1.8, -0.3),
        (-4.3, 0),
        (-0.8, -0.5),
        (-0.6, 0.2),
        (0.6, 1),
        (-0.5, -0.8),
        (-2.6, 1),
        (-1.4, -0.1),
        (-0.7, -0.4),
        (1.3, -3.5),
        (2.1, -2.8),
        (-0.7, -1.9),
        (-4.2, -2.9),
        (-3.2, -3.6),
        (-2.9, -0.6),
        (-7.1, -0.4),
        (-0.5, -0.9),
        (5.2, -0.4),
        (1.4, -0.6),
        (5.5, -0.7),
        (-0.5, -0.2),
        (-7.4, -0.8),
    ]
)
"""Partner minus point (68, 2), percent: along the eyes' line (right) and across it (down)."""


def _shift(corners: Points) -> Points:
    """HABITS in the picture (N, 68, 2), for outer eye corners (N, 2, 2)."""
    axis = corners[:, 1] - corners[:, 0]
    x, y = axis[:, 0, None], axis[:, 1, None]
    along, across = HABITS[None, :, 0] / 100, HABITS[None, :, 1] / 100
    return np.stack([x * along - y * across, y * along + x * across], axis=2)


def to_98(points: Points) -> Points:
    """The 98 points that 68 points (N, 68, 2) tell of, (N, 98, 2); the others are nan."""
    result = np.full((len(points), COUNT, 2), np.nan)
    result[:, PARTNERS] = points + _shift(points[:, list(OUTER_CORNERS_68)])
    return result


def to_68(points: Points) -> Points:
    """The 68 points (N, 68, 2) of 98 points (N, 98, 2)."""
    return points[:, PARTNERS] - _shift(points[:, list(OUTER_CORNERS)])
