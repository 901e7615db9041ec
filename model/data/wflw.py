# SPDX-License-Identifier: Apache-2.0
"""WFLW's lists, and lists of the same rows with a spread.

A row is 196 coordinates, the box (left, top, right, bottom), six attributes 0 or 1 and the
picture's name, separated by blanks. A list of pseudo points has one more column: the spread, the
disagreement of the networks that made them in percent of the inter-ocular distance.
Source: Wu et al., "Look at Boundary: A Boundary-Aware Face Alignment Algorithm", CVPR 2018.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from host.common.errors import UserError
from host.face.landmarks import COUNT
from model.data.records import Listing, Record, read_lines

ANNOTATIONS = Path("WFLW_annotations", "list_98pt_rect_attr_train_test")
IMAGES = Path("WFLW_images")
PSEUDO_LIST = "list_98pt_pseudo.txt"

COORDINATES = 2 * COUNT
NAME = COORDINATES + 10  #: column of the picture's name
RELIABLE_SPREAD = 1.5  #: percent; pseudo points that differ less have full weight


def list_path(root: Path, part: str) -> Path:
    """WFLW's list of ``part`` (train, test, partial) below the data set's folder."""
    return root / ANNOTATIONS / f"list_98pt_rect_attr_{part}.txt"


def read_list(path: Path, images: Path, name: str) -> Listing:
    """Faces of the list ``path``; names of pictures are relative to the folder ``images``.

    A row that cannot be used becomes a problem of the listing. UserError: there is no such list.
    """
    if not path.is_file():
        raise UserError(f"there is no list {path}; give the folder in which {name} was unpacked")
    listing = Listing(name)
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            listing.records.append(parse_row(line, images))
        except UserError as error:
            listing.problems.append(f"{path.name} line {number}: {error}")
    return listing


def parse_row(line: str, images: Path) -> Record:
    """The face of one row; UserError says what is wrong with it."""
    cells = line.split()
    if len(cells) not in (NAME + 1, NAME + 2):
        raise UserError(f"{len(cells)} columns; a row has {NAME + 1}, with a spread {NAME + 2}")
    try:
        numbers = np.array([float(cell) for cell in cells[:NAME]])
        spread = float(cells[NAME + 1]) if len(cells) == NAME + 2 else 0.0
    except ValueError as error:
        raise UserError(f"not a number: {error}") from error
    box = tuple(float(v) for v in numbers[COORDINATES : COORDINATES + 4])
    return Record(
        image=images / cells[NAME],
        points=numbers[:COORDINATES].reshape(COUNT, 2),
        box=(box[0], box[1], box[2], box[3]),
        attributes=tuple(bool(v) for v in numbers[COORDINATES + 4 : NAME]),
        weight=spread_weight(spread),
    )


def spread_weight(spread: float) -> float:
    """Weight 0..1 of a face whose pseudo points differ by ``spread`` percent."""
    return min(1.0, RELIABLE_SPREAD / spread) if spread > 0 else 1.0
