# SPDX-License-Identifier: Apache-2.0
"""Eyelids in the labels: how far eyes are open, and what pseudo points must be corrected by.

Networks shrink the opening of an eye towards the usual one, so do the points that they label with.
LEVEL and SLOPE are the line true = LEVEL + SLOPE * pseudo through the eye aspect ratios of the
4,034 eyes of 300-W's training faces (correlation 0.83).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from host.face.landmarks import LEFT_EYE, LOWER_LIDS, RIGHT_EYE, UPPER_LIDS

Points = npt.NDArray[np.float64]

CLOSED = 0.15  #: an eye of a smaller aspect ratio is closed
LEVEL, SLOPE = -0.027, 1.207
LEAST, MOST = 0.3, 1.3  #: of the factor that an opening is corrected by
PSEUDO_LIDS = 0.3  #: weight of pseudo points in the lids' loss; true ones have 1
SLITS_68 = (((37, 41), (38, 40)), ((43, 47), (44, 46)))
"""Upper and lower lid's points among the 68, the outer two pairs of three of each eye."""


def openings(points: npt.ArrayLike) -> Points:
    """Eye aspect ratios (..., 2) of landmarks (..., 98, 2): mean height over width; nan unknown."""
    marks = np.asarray(points, np.float64)
    heights = np.linalg.norm(marks[..., UPPER_LIDS, :] - marks[..., LOWER_LIDS, :], axis=-1)
    widths = [
        np.linalg.norm(marks[..., eye[4], :] - marks[..., eye[0], :], axis=-1)
        for eye in (LEFT_EYE, RIGHT_EYE)
    ]
    means = heights.reshape(*heights.shape[:-1], 2, 3).mean(-1)
    return np.asarray(means / np.maximum(np.stack(widths, -1), 1e-9), np.float64)


def _place(points: Points, ways: Points) -> Points:
    """``points`` (98, 2) with the way ``ways`` (6, 2) from each lower lid to the upper one."""
    placed = points.copy()
    middle = (points[UPPER_LIDS] + points[LOWER_LIDS]) / 2
    placed[UPPER_LIDS], placed[LOWER_LIDS] = middle + ways / 2, middle - ways / 2
    return placed


def corrected(points: Points) -> Points:
    """Pseudo points (98, 2) with eyes as far open as true ones would be."""
    found = openings(points)
    factors = np.clip((LEVEL + SLOPE * found) / np.maximum(found, 1e-6), LEAST, MOST)
    ways = points[UPPER_LIDS] - points[LOWER_LIDS]
    return _place(points, ways * np.repeat(factors, 3)[:, None])


def opened_as(points: Points, true68: Points) -> Points:
    """``points`` (98, 2) with the openings of 68 true ones across the line of each eye.

    Along it annotators' habits differ. The middle pair of a lid has no partner among the 68; it is
    as much wider than the other two as in ``points``.
    """
    ways = points[UPPER_LIDS] - points[LOWER_LIDS]
    for eye, (pairs, outline) in enumerate(zip(SLITS_68, (LEFT_EYE, RIGHT_EYE), strict=True)):
        line = points[outline[4]] - points[outline[0]]
        across = np.array([-line[1], line[0]]) / max(float(np.linalg.norm(line)), 1e-9)
        own = ways[3 * eye : 3 * eye + 3]
        heights = own @ across
        first, last = (float((true68[upper] - true68[lower]) @ across) for upper, lower in pairs)
        outer = abs(heights[0] + heights[2]) / 2
        wider = np.clip(abs(heights[1]) / max(float(outer), 1e-9), 1.0, 1.3)
        wanted = np.array([first, wider * (first + last) / 2, last])
        own += (wanted - heights)[:, None] * across
    return _place(points, ways)
