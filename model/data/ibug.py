# SPDX-License-Identifier: Apache-2.0
"""300-W's layout: ``NAME.jpg`` or ``NAME.png`` with 68 points in ``NAME.pts`` beside it.

Source: Sagonas et al., "300 Faces in-the-Wild Challenge", ICCV workshops 2013.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from host.common.arrays import Points
from host.common.errors import UserError
from model.data.records import Listing, Record
from model.data.scheme68 import NUM_68

SUFFIXES = (".jpg", ".png", ".jpeg")


def read_points(path: Path) -> Points:
    """Points (68, 2) of a .pts file in pixels counted from 0; UserError for another file."""
    try:
        text = path.read_text()
        body = text[text.index("{") + 1 : text.index("}")]
        points = np.array([float(v) for v in body.split()]).reshape(-1, 2)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a .pts file: {error}") from error
    if points.shape != (NUM_68, 2):
        raise UserError(f"{path} has {len(points)} points; 300-W has {NUM_68}")
    return points - 1  # the files count pixels from 1


def picture_of(points: Path) -> Path:
    """The picture beside a .pts file; UserError when there is none."""
    for suffix in SUFFIXES:
        if (found := points.with_suffix(suffix)).is_file():
            return found
    raise UserError(f"{points} has no picture beside it; looked for {', '.join(SUFFIXES)}")


def read_folders(folders: list[Path], name: str) -> Listing:
    """All faces in ``folders`` and below them, by name."""
    listing = Listing(name)
    for folder in folders:
        if not folder.is_dir():
            listing.problems.append(f"folder {folder} is missing")
        for path in sorted(folder.rglob("*.pts")):
            try:
                record = Record(image=picture_of(path), points=read_points(path))
                listing.records.append(record)
            except UserError as error:
                listing.problems.append(str(error))
    return listing
