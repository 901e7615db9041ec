# SPDX-License-Identifier: Apache-2.0
"""Open eyes drawn shut: the skin above an eye is stretched over it, a lash line closes it.

On 300-W's test faces the monitor's network gives eyes that are drawn shut the aspect ratios of
truly shut ones (medians 0.09 and 0.10).
"""

from __future__ import annotations

import cv2
import numpy as np

from host.common.arrays import F64Array, Image, Points
from host.face.landmarks import LEFT_EYE, RIGHT_EYE

SKIN = 0.4
"""Height of the skin that is stretched; like all lengths here in widths of the eye."""

RIM, SIDE = 0.05, 0.12
"""How far the eye's rim reaches beyond its landmarks, up and down, and to the sides."""

LASHES, LASH_WIDTH = 0.5, 0.035
"""How much light lashes take, and the standard deviation of their line."""

LASH_UP, BLUR = 0.02, 0.02
"""How far above the lid's edge that line is, and by how much it is blurred."""


def shut_eyes(image: Image, points: Points, amount: float = 1.0) -> Image:
    """The picture with both eyes shut.

    Args:
        image: (H, W) or (H, W, 3), uint8.
        points: (98, 2) in pixels; of an eye, points of each lid must be known, else it stays open.
        amount: 1 shuts the eyes, less lowers the lids by so much of the opening.
    """
    drawn = image
    for outline in (LEFT_EYE, RIGHT_EYE):
        drawn = _shut(drawn, np.asarray(points, np.float64)[[*outline]], amount)
    return drawn


def _shut(image: Image, outline: F64Array, amount: float) -> Image:
    """One eye of (8, 2) points, from its left corner over the upper lid and back."""
    known = np.isfinite(outline[:, 0])
    width = float(np.linalg.norm(outline[4] - outline[0]))
    if not (known[[0, 4]].all() and known[1:4].any() and known[5:].any() and width >= 1):
        return image
    along = (outline[4] - outline[0]) / width
    down = np.array([-along[1], along[0]])
    own = (outline - outline[0]) @ np.column_stack([along, down]) / width
    columns, rows = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[0]))
    place = (np.stack([columns, rows], -1) + 0.5 - outline[0]) @ np.column_stack([along, down])
    across, below = place[..., 0] / width, place[..., 1] / width
    rim = _lid(own[[0, 1, 2, 3, 4]], across) - RIM
    lid = rim + amount * (_lid(own[[0, 7, 6, 5, 4]], across) + RIM - rim)
    top = rim - SKIN
    covered = (below > top) & (below <= lid) & (np.abs(across - 0.5) < 0.5 + SIDE)
    from_above = top + (below - top) / np.maximum(lid - top, 1e-6) * SKIN
    moved = np.where(covered, from_above - below, 0.0)[..., None] * width * down
    source = (np.stack([columns, rows], -1) + moved).astype(np.float32)
    drawn = cv2.remap(image, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = np.clip((0.5 + SIDE - np.abs(across - 0.5)) / SIDE, 0, 1)
    line = np.exp(-0.5 * ((below - lid + LASH_UP) / LASH_WIDTH) ** 2)
    light = cv2.GaussianBlur(1 - LASHES * inside * line, (0, 0), max(BLUR * width, 0.3))
    light = light[..., None] if image.ndim == 3 else light
    return np.asarray(np.clip(np.rint(drawn * light), 0, 255), np.uint8)


def _lid(edge: F64Array, across: F64Array) -> F64Array:
    """Height of a lid of points (5, 2), some of them nan, at places across the eye."""
    known = edge[np.isfinite(edge).all(axis=1)]
    known = known[np.argsort(known[:, 0])]
    return np.asarray(np.interp(across, known[:, 0], known[:, 1]), np.float64)
