# SPDX-License-Identifier: Apache-2.0
"""Errors of a network on the measured faces of a data set.

The crop is the square of 1.2 times the longer side of the true landmarks' box, as PFLD evaluates;
a second figure uses the face detector's boxes, as the host does. Both are cut by host.face.crop.
Errors are those of points in the picture. On 98 points they are divided by the distance of the
outer eye corners; on 68 points too, after the mapping of model.data.scheme68, and all 68 count.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np

from host.backends.csim import CsimBackend
from host.common.arrays import F64Array, Images, Points
from host.common.atomic import replacing, write_text
from host.common.errors import UserError, VerifyError
from host.face.crop import Transform, crop_square, square_around_box, square_around_landmarks
from host.face.detect.choice import open_detector
from host.face.draw import tile
from host.face.landmarks import OUTER_CORNERS
from host.face.metrics import Metrics, image_errors, summarise
from model.data.labelled import EVALUATION_SEED, labelled_images
from model.data.records import ATTRIBUTES, Listing, Record, read_picture
from model.data.registry import PROCEDURAL, as_98, is_68, measured_faces
from model.data.scheme68 import OUTER_CORNERS_68, to_68
from model.evaluation import detail
from model.evaluation.predictors import Predictor
from model.export.integer import integer_network

ROUND = 4  #: digits behind the point in reports


@dataclass
class Faces:
    """Crops of the measured faces and what is true about them."""

    name: str
    records: list[Record] = field(default_factory=list)
    images: list[Images] = field(default_factory=list)
    squares: list[Transform] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.records)

    @property
    def stack(self) -> Images:
        """Crops (N, S, S)."""
        return np.stack(self.images)

    @property
    def landmarks(self) -> Points:
        """True points (N, 98, 2), fractions of the crop, nan where unknown."""
        pairs = zip(self.squares, self.records, strict=True)
        return np.stack([square.to_crop(as_98(record)) for square, record in pairs])


def true_crops(listing: Listing, size: int) -> Faces:
    """Crops around the true landmarks; faces that cannot be measured become problems.

    UserError when none can.
    """
    faces = Faces(listing.name, problems=list(listing.problems))
    for record in listing.records:
        try:
            corners = OUTER_CORNERS_68 if is_68(record) else OUTER_CORNERS
            if not record.mask[list(corners)].all():
                raise UserError(f"{record.image}: the outer eye corners are unknown")
            points = as_98(record)
            square = square_around_landmarks(points[np.isfinite(points).all(1)])
            image = crop_square(read_picture(record.image), square, size)
        except UserError as error:
            faces.problems.append(str(error))
            continue
        _add(faces, record, image, square)
    if not len(faces):
        Listing(faces.name, [], faces.problems).checked()
    return faces


def detected_crops(faces: Faces, size: int, detector: str) -> Faces:
    """Crops around the boxes of the detector of that name, of those of ``faces`` that it finds.

    A box belongs to a face when its middle lies in the true square and the squares' sides differ
    less than two-fold. UserError for procedural faces.
    """
    if faces.name == PROCEDURAL:
        raise UserError("procedural faces come as crops, without a picture to detect them in")
    found, finder = Faces(f"{faces.name}, detected"), open_detector(detector)
    for record, true in zip(faces.records, faces.squares, strict=True):
        picture = read_picture(record.image)
        squares = [square_around_box(face.box) for face in finder.find(picture)]
        fitting = [square for square in squares if _belongs(square, true)]
        if fitting:
            best = min(fitting, key=lambda square: _distance(square, true))
            _add(found, record, crop_square(picture, best, size), best)
    return found


def _add(faces: Faces, record: Record, image: Images, square: Transform) -> None:
    faces.records.append(record)
    faces.images.append(image)
    faces.squares.append(square)


def _distance(one: Transform, other: Transform) -> float:
    half, half_other = one.side / 2, other.side / 2
    return float(
        np.hypot(one.left + half - other.left - half_other, one.top + half - other.top - half_other)
    )


def _belongs(square: Transform, true: Transform) -> bool:
    return _distance(square, true) < true.side / 3 and 0.5 < square.side / true.side < 2


def cross_check(weights: Path, build: Path, faces: Faces) -> int:
    """Faces on which the C++ of ``build`` gives the integers of the QONNX file: all of them.

    VerifyError at the first other integer. UserError for a checkpoint.
    """
    if weights.suffix != ".onnx":
        raise UserError(f"{weights} is a checkpoint; --csim compares a QONNX file, .onnx")
    found = CsimBackend(build).accumulate(faces.stack)
    expected = integer_network(weights).run(faces.stack).accumulators
    wrong = np.argwhere(found != expected)
    if len(wrong):
        face, output = (int(v) for v in wrong[0])
        values = found[face, output].item(), expected[face, output].item()
        raise VerifyError("accumulators", (face, output), *values, "C++ simulation")
    return len(found)


def errors_of(predictor: Predictor, faces: Faces, images: Images | None = None) -> F64Array:
    """NME of each face (N,) in percent. images: other crops of them, for example corrupted."""
    return point_errors(place(predictor, faces, images), faces.records)


def place(predictor: Predictor, faces: Faces, images: Images | None = None) -> Points:
    """Predicted landmarks (N, 98, 2) in pixels of the pictures."""
    found = predictor.run(faces.stack if images is None else images)
    pairs = zip(found, faces.squares, strict=True)
    return np.stack([square.to_image(marks) for marks, square in pairs])


def detail_of(placed: Points, errors: F64Array, faces: Faces) -> dict[str, object]:
    """Errors by region and by yaw, and how eyelids and pupils follow."""
    yaw = detail.yaw_degrees(faces.landmarks)
    parts = {
        "regions": detail.by_region(placed, faces.records),
        "yaw": detail.by_yaw(errors, yaw),
        "eyelids": detail.eyelids(placed, faces.records),
        "pupils": detail.pupils(placed, faces.records, yaw),
    }
    return {name: part for name, part in parts.items() if part}


def point_errors(placed: Points, records: list[Record]) -> F64Array:
    """NME of landmarks (N, 98, 2) in pixels of the pictures, in percent."""
    errors = np.empty(len(records))
    for scheme68 in (True, False):
        chosen = [i for i, record in enumerate(records) if is_68(record) == scheme68]
        if chosen:
            true = np.stack([records[i].points for i in chosen])
            found = to_68(placed[chosen]) if scheme68 else placed[chosen]
            corners = OUTER_CORNERS_68 if scheme68 else OUTER_CORNERS
            errors[chosen] = image_errors(found, true, corners)
    return errors


def figures(errors: F64Array) -> dict[str, float]:
    """nme, fr10, auc10, accuracy and the median in percent, and the number of faces."""
    median = round(float(np.median(errors)), ROUND)
    return {**as_keys(summarise(errors)), "median": median, "faces": len(errors)}


def as_keys(metrics: Metrics) -> dict[str, float]:
    """Metrics under the names of the JSON output."""
    values = asdict(metrics)
    named = {"nme": values["nme"], "fr10": values["failure_rate"], "auc10": values["auc"]}
    named["accuracy"] = metrics.accuracy
    return {name: round(value, ROUND) for name, value in named.items()}


def subsets(errors: F64Array, records: list[Record]) -> dict[str, dict[str, float]]:
    """Figures of the faces with each of WFLW's attributes, where there are any."""
    result = {}
    for index, name in enumerate(ATTRIBUTES):
        chosen = np.array([record.attributes[index] for record in records], bool)
        if chosen.any():
            result[name] = figures(errors[chosen])
    return result


def collect_faces(
    dataset: str,
    root: Path | None,
    rows: Path | None,
    size: int,
    images: Path | None = None,
    count: int = 500,
) -> Faces:
    """Crops (size, size) of the faces to measure on: those of a data set, or procedural ones.

    root: the data set's folder. rows: see :func:`model.data.registry.measured_faces`. images: npz
    with images and landmarks in the place of ``count`` procedural faces.
    UserError: an argument is missing, or nothing can be measured.
    """
    if dataset == PROCEDURAL:
        return _labelled(*labelled_images(images, size, count, EVALUATION_SEED))
    if root is None:
        raise UserError(f"--dataset {dataset} needs --root, the folder of the data set")
    return true_crops(measured_faces(dataset, root, rows), size)


def _labelled(images: Images, landmarks: Points) -> Faces:
    """Crops that are known with their landmarks (N, 98, 2), fractions, and without a picture."""
    size = images.shape[-1]
    records = [
        Record(image=Path(f"{PROCEDURAL}/{index:05d}"), points=points * size)
        for index, points in enumerate(landmarks)
    ]
    return Faces(PROCEDURAL, records, list(images), [Transform(0, 0, size)] * len(records))


def evaluate_all(
    predictor: Predictor, others: list[Predictor], faces: Faces, detector: str | None = None
) -> dict[str, object]:
    """Everything that the command prints, as a JSON object; ``others`` are anchors to compare."""
    detected = detected_crops(faces, predictor.size, detector) if detector else None
    result = evaluate(predictor, faces, detected)
    for other in others:
        if other.size != predictor.size:
            raise UserError(f"the anchor takes {other.size} pixels, the network {predictor.size}")
        result[other.kind] = evaluate(other, faces, detected)
    return result


def compare(predictor: Predictor, other: Predictor, faces: Faces) -> dict[str, object]:
    """How two networks differ on the same crops: figures of ``other``, and differences of the NME.

    ``difference`` is that over all faces, ``largest`` that of the face where it is largest, both
    in percentage points and without a sign.
    """
    if other.size != predictor.size:
        raise UserError(f"one network takes {predictor.size} pixels, the other {other.size}")
    errors, others = errors_of(predictor, faces), errors_of(other, faces)
    return {
        "arithmetic": other.kind,
        **figures(others),
        "difference": round(abs(float(others.mean() - errors.mean())), ROUND),
        "largest": round(float(np.abs(others - errors).max()), ROUND),
    }


def evaluate(
    predictor: Predictor, faces: Faces, detected: Faces | None = None
) -> dict[str, object]:
    """Figures of one network as a JSON object."""
    placed = place(predictor, faces)
    errors = point_errors(placed, faces.records)
    result: dict[str, object] = {"arithmetic": predictor.kind, **figures(errors)}
    result |= detail_of(placed, errors, faces)
    if parts := subsets(errors, faces.records):
        result["subsets"] = parts
    if detected is not None and len(detected):
        placed = place(predictor, detected)
        errors = point_errors(placed, detected.records)
        result["detected"] = {**figures(errors), **detail_of(placed, errors, detected)}
    result["left_out"] = len(faces.problems)
    return result


def draw_faces(predictor: Predictor, faces: Faces, count: int, columns: int = 8) -> Images:
    """Grid of faces, BGR: true landmarks green, predicted red."""
    every = max(1, len(faces) // count)
    chosen = list(range(0, len(faces), every))[:count]
    found, true = predictor.run(faces.stack[chosen]), faces.landmarks[chosen]
    cells = []
    for index, known, marks in zip(chosen, true, found, strict=True):
        large = cv2.resize(faces.images[index], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        cell = cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)
        for points, colour in ((known, (0, 220, 0)), (marks, (40, 40, 255))):
            for x, y in points[np.isfinite(points).all(1)] * len(cell):
                cv2.circle(cell, (round(x - 0.5), round(y - 0.5)), 1, colour, -1, cv2.LINE_AA)
        cells.append(cell)
    return tile(cells, columns)


def write_errors(path: Path, faces: Faces, errors: F64Array) -> None:
    """CSV with one row a face: picture, NME in percent."""
    rows = [f"{r.image},{e:.6f}" for r, e in zip(faces.records, errors, strict=True)]
    write_text(path, "\n".join(["image,nme", *rows]) + "\n")


def write_crops(path: Path, faces: Faces) -> None:
    """Npz of images (N, S, S) uint8 and landmarks (N, 98, 2), fractions of the crop.

    UserError when a face has points that are unknown.
    """
    landmarks = faces.landmarks
    incomplete = int((~np.isfinite(landmarks)).any((1, 2)).sum())
    if incomplete:
        raise UserError(
            f"{incomplete} of {len(faces)} faces of {faces.name} have unknown points; "
            "take a data set or a --list of faces with all 98"
        )
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, images=faces.stack, landmarks=landmarks)
