# SPDX-License-Identifier: Apache-2.0
"""Which eyes on the pictures of the data sets can be judged, as people see them.

``eyes_seen.csv`` names eyes that are hidden, by sunglasses, hair, a hand or a cap, and those of
which that is unclear, mostly as the picture is too coarse; all others count as seen. It holds names
of files and places in them, no picture. It was written by looking at the 1,536 eyes of training
faces that an eye test believed least, at the 576 that one trained on those believed least, at
WFLW's test list, and at the 314 least believed of the other test lists.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np

from host.common.arrays import F64Array, Points
from host.face.eyes import EYES

FILE = Path(__file__).with_name("eyes_seen.csv")
VALUES = {"hidden": 0.0, "unclear": np.nan}
NEAR = 0.5  #: a row's place is so far from the eye's centre at most, over the eyes' distance

HIDDEN, SEEN = 0.4, 0.7  #: shares of an eye up to which it is hidden, from which on it is seen


def eyes_seen(image: Path, points: Points) -> F64Array:
    """Of the eye on the left and the one on the right: 1 seen, 0 hidden, nan unclear.

    Args:
        image: file of the picture; its name and that of its folder are compared.
        points: (98, 2) in pixels; of the eyes, only the corners are used.
    """
    corners = np.asarray(points, np.float64)[EYES]
    centres = (corners[0::2] + corners[1::2]) / 2
    near = NEAR * float(np.linalg.norm(centres[1] - centres[0]))
    seen = np.ones(2)
    for place, value in _rows().get(f"{image.parent.name}/{image.name}", ()):
        distances = np.linalg.norm(centres - place, axis=1)
        if distances.min() < near:
            seen[distances.argmin()] = value
    return seen


def judged(shares: F64Array) -> F64Array:
    """From the share of an eye that is seen, 0 to 1: 1 seen, 0 hidden, nan unclear; any shape."""
    return np.where(shares >= SEEN, 1.0, np.where(shares <= HIDDEN, 0.0, np.nan))


@cache
def _rows() -> dict[str, list[tuple[F64Array, float]]]:
    rows: dict[str, list[tuple[F64Array, float]]] = defaultdict(list)
    with FILE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            place = np.array([float(row["x"]), float(row["y"])])
            rows[row["image"]].append((place, VALUES[row["eye"]]))
    return dict(rows)
