# SPDX-License-Identifier: Apache-2.0
"""AFLW's layout: ``aflw.sqlite`` beside the folder ``flickr`` of pictures, 21 points a face.

A point that cannot be seen has no row in the data base, so that visibility becomes the mask. Five
of the 21 have no partner among the 98: the brows' middles, the ears and the mouth's middle.
Source: Koestinger et al., "Annotated Facial Landmarks in the Wild", ICCV workshops 2011.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from host.common.errors import UserError
from host.face.landmarks import COUNT
from model.data.records import Listing, Record

DATABASE = "aflw.sqlite"
PICTURES = "flickr"
PARTNERS = {
    1: 33, 3: 37, 4: 42, 6: 46,  # ends of the brows
    7: 60, 8: 96, 9: 64, 10: 68, 11: 97, 12: 72,  # eyes: corner, middle, corner
    14: 55, 15: 54, 16: 59,  # nose: left, tip, right
    18: 76, 20: 82, 21: 16,  # corners of the mouth, chin
}  # fmt: skip
"""Index among the 98 of each of AFLW's features, numbered from 1 as in its table FeatureCoords."""

QUERY = """
    SELECT Faces.face_id, FaceImages.filepath, FeatureCoords.feature_id,
           FeatureCoords.x, FeatureCoords.y
    FROM Faces
    JOIN FaceImages ON FaceImages.file_id = Faces.file_id
    JOIN FeatureCoords ON FeatureCoords.face_id = Faces.face_id
    ORDER BY Faces.face_id, FeatureCoords.feature_id
"""


def read_faces(root: Path) -> Listing:
    """All faces of the data base with enough points that have a partner, by number.

    UserError: there is no data base, or it is not AFLW's.
    """
    path = root / DATABASE
    if not path.is_file():
        raise UserError(f"there is no {path}; give AFLW's folder that holds {DATABASE}")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
            rows = base.execute(QUERY).fetchall()
    except sqlite3.Error as error:
        raise UserError(f"{path} is not AFLW's data base: {error}") from error
    faces: dict[int, tuple[str, np.ndarray]] = {}
    for face, picture, feature, x, y in rows:
        _, points = faces.setdefault(face, (picture, np.full((COUNT, 2), np.nan)))
        if feature in PARTNERS:
            points[PARTNERS[feature]] = x, y
    listing = Listing("aflw")
    for face, (picture, points) in faces.items():
        try:
            record = Record(image=root / PICTURES / picture, points=points)
            listing.records.append(record)
        except UserError as error:
            listing.problems.append(f"face {face} of {picture}: {error}")
    return listing
