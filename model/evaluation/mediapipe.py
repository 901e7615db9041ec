# SPDX-License-Identifier: Apache-2.0
"""Google's MediaPipe on the same pictures as this project's landmarks: eyes and processor time.

The package mediapipe wants versions of others than this project does, so it is imported only here;
docs/comparison.md says how to make an environment for it. The points that both have and that
300-W's annotators set alike are those of the eyes: corners and two on each lid.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from host.backends import DEFAULT_MODEL, open_backend
from host.common.arrays import Image
from host.common.errors import UserError
from host.common.tables import to_markdown
from host.face.detect.choice import open_detector
from host.face.image import read_image
from host.face.landmarker import Landmarker
from model.data.records import Record
from model.data.scheme68 import OUTER_CORNERS_68, to_68
from model.evaluation.detail import ROUND, Floats, eye_openings, follow

EYES_68 = slice(36, 48)
"""Of the 68 points: outer corner, upper lid, inner corner, lower lid of the eye on the picture's
left, then the same from the inner corner on of the other."""

EYES_MESH = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
"""The same points of the mesh, from the connections that mediapipe draws around eyes."""

Finder = Callable[[Image], list[Floats]]
"""From a picture (H, W, 3) BGR to the eyes' points (12, 2) of each face, in pixels."""


def mediapipe_finder(attention: bool) -> Finder:
    """MediaPipe's face mesh; attention: with the model that looks at eyes and lips again.

    Raises UserError without the package.
    """
    try:
        from mediapipe.python.solutions.face_mesh import FaceMesh
    except ImportError as error:
        raise UserError(
            "mediapipe is missing; docs/comparison.md says how to make an environment for it"
        ) from error
    mesh: Any = FaceMesh(static_image_mode=True, max_num_faces=3, refine_landmarks=attention)

    def find(image: Image) -> list[Floats]:
        height, width = image.shape[:2]
        faces = mesh.process(np.ascontiguousarray(image[..., ::-1])).multi_face_landmarks or []
        marks = [[(face.landmark[i].x, face.landmark[i].y) for i in EYES_MESH] for face in faces]
        return [np.asarray(eyes) * (width, height) for eyes in marks]

    return find


def own_finder() -> Finder:
    """The driver monitor's network and detector, on one thread."""
    landmarker = Landmarker(open_backend("cpu", DEFAULT_MODEL, threads=1), open_detector())

    def find(image: Image) -> list[Floats]:
        return [to_68(face.landmarks[None])[0, EYES_68] for face in landmarker.find(image)]

    return find


@dataclass
class Tally:
    """What a finder gives for the pictures of a data set."""

    records: list[Record] = field(default_factory=list)
    eyes: list[Floats] = field(default_factory=list)
    """(12, 2) of the face that is meant, for each of ``records``."""
    seconds: list[float] = field(default_factory=list)
    """Processor time of each picture, of all threads."""

    def add(self, find: Finder, record: Record) -> None:
        """Look at the picture of ``record``; it is kept where a face is at its place."""
        picture, true = read_image(record.image), record.points[EYES_68]
        begin = time.process_time()
        faces = find(picture)
        self.seconds.append(time.process_time() - begin)
        apart = np.linalg.norm(true[0] - true[9])
        near = [eyes for eyes in faces if _distance(eyes, true) < apart / 2]
        if near:
            self.records.append(record)
            self.eyes.append(min(near, key=lambda eyes: _distance(eyes, true)))

    def figures(self) -> dict[str, object]:
        """Faces found, error of the eyes' points in percent of the distance of the outer corners,
        what :func:`model.evaluation.detail.follow` says, median milliseconds of a processor."""
        if not self.records:
            return {"found": 0}
        true = np.stack([record.points for record in self.records])
        placed = true.copy()
        placed[:, EYES_68] = np.stack(self.eyes)
        corners = true[:, list(OUTER_CORNERS_68)]
        unit = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1)
        apart = np.linalg.norm(placed - true, axis=2)[:, EYES_68].mean(1)
        return {
            "found": len(self.records),
            "nme": round(100 * float((apart / unit).mean()), ROUND),
            **follow(_openings(placed), _openings(true)),
            "processor_ms": round(1000 * float(np.median(self.seconds)), ROUND),
        }


def _openings(faces: Floats) -> Floats:
    return np.stack([eye_openings(points) for points in faces])


def _distance(eyes: Floats, true: Floats) -> float:
    return float(np.linalg.norm(eyes.mean(0) - true.mean(0)))


def compare(finders: dict[str, Finder], records: list[Record], tell: Callable[[int], None]) -> str:
    """Markdown with a row per finder, over the same pictures; tell: gets how many are done."""
    tallies = {name: Tally() for name in finders}
    for done, record in enumerate(records, 1):
        for name, find in finders.items():
            tallies[name].add(find, record)
        tell(done)
    figures = {name: tally.figures() for name, tally in tallies.items()}
    columns = ("found", "nme", "slope", "correlation", "auc", "interval", "processor_ms")
    rows = ([name, *(f"{row.get(key, '-')}" for key in columns)] for name, row in figures.items())
    return to_markdown(("", *columns), rows)
