# SPDX-License-Identifier: Apache-2.0
"""How many faces a detector finds, by condition, and how its squares lie to the true ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from host.common.arrays import F64Array, Image, Points
from host.common.errors import UserError
from host.common.tables import to_markdown
from host.face.crop import Transform, square_around_box, square_around_landmarks
from host.face.detect.faces import Detector, Face
from host.face.image import read_image
from host.face.landmarks import LOWER_LIDS, UPPER_LIDS
from model.data.lids import CLOSED
from model.data.records import Record
from model.data.registry import as_98, measured_faces
from model.faces import cover

FAR, SMALL, LARGE = 1 / 3, 0.5, 2.0
"""A square belongs to a face when the centres are less than FAR of the true side apart and its
side is SMALL to LARGE times the true one."""

NOISE = 1.5  #: grey levels that a camera adds to a dark picture

Scene = Callable[[Image, Points, np.random.Generator], tuple[Image, Points]]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A face to be found."""

    image: Path
    points: Points
    """(98, 2) in pixels, unknown ones nan."""
    closed: bool


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What one detector did under one condition."""

    condition: str
    faces: int
    found: int
    closed_faces: int
    closed_found: int


def as_it_is(image: Image, points: Points, rng: np.random.Generator) -> tuple[Image, Points]:
    """The picture unchanged."""
    return image, points


def rolled(
    degrees: float, image: Image, points: Points, rng: np.random.Generator
) -> tuple[Image, Points]:
    """The picture turned clockwise about the face, and as large as that needs."""
    height, width = image.shape[:2]
    middle = np.nanmean(points, axis=0)
    matrix = cv2.getRotationMatrix2D(middle.tolist(), -degrees, 1.0)
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    matrix[:, 2] -= moved.min(axis=0)
    wide, high = np.ceil(np.ptp(moved, axis=0)).astype(int).tolist()
    turned = cv2.warpAffine(image, matrix, (wide, high), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), points @ matrix[:, :2].T + matrix[:, 2]


def darkened(
    light: float, image: Image, points: Points, rng: np.random.Generator
) -> tuple[Image, Points]:
    """The picture at a share of its light, with a camera's noise."""
    dark = image * light + rng.normal(0, NOISE, image.shape)
    return np.clip(np.rint(dark), 0, 255).astype(np.uint8), points


def covered(
    draw: Callable[[Image, Points, np.random.Generator], Image],
    image: Image, points: Points, rng: np.random.Generator,
) -> tuple[Image, Points]:  # fmt: skip
    """The picture with something drawn over the face."""
    return draw(image, points, rng), points


CONDITIONS: dict[str, Scene] = {
    "as it is": as_it_is,
    **{f"roll {a}": partial(rolled, float(a)) for a in (10, 20, 30, 45, 90, 180)},
    **{f"light {f:g}": partial(darkened, f) for f in (0.5, 0.2, 0.1)},
    "sunglasses": partial(covered, cover.sunglasses),
    "mask": partial(covered, cover.mask),
}
"""By name, in the order of the table."""


def collect_samples(roots: dict[str, Path], count: int) -> list[Sample]:
    """Measured faces of data sets by name: all with closed eyes, and at most ``count`` others each.

    UserError: a data set is unknown, or nothing in it can be measured.
    """
    samples = []
    for name, root in roots.items():
        all_of_it = [_sample(record) for record in measured_faces(name, root).records]
        closed = [sample for sample in all_of_it if sample.closed]
        others = [sample for sample in all_of_it if not sample.closed]
        samples += closed + others[:: max(1, -(-len(others) // count))]
    if not samples:
        raise UserError("no data set is given; name one with --data wflw=FOLDER")
    return samples


def _sample(record: Record) -> Sample:
    points = as_98(record)
    return Sample(image=record.image, points=points, closed=bool((openings(points) < CLOSED).all()))


def openings(points: Points) -> F64Array:
    """Height over width (2,) of the eyes of landmarks (98, 2); points that are nan do not count.

    Of 68 points without the middle of the lids, so that more eyes are closed than by
    :func:`model.evaluation.detail.eye_openings`: 94 faces of the lists instead of 19.
    """
    heights = np.linalg.norm(points[UPPER_LIDS] - points[LOWER_LIDS], axis=1).reshape(2, 3)
    corners = points[[60, 64, 68, 72]].reshape(2, 2, 2)
    widths = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
    return np.asarray(np.nanmean(heights, axis=1) / widths, np.float64)


def true_square(points: Points) -> Transform:
    """The square around known landmarks (98, 2)."""
    return square_around_landmarks(points[np.isfinite(points).all(axis=1)])


def belonging(faces: Sequence[Face], points: Points) -> Face | None:
    """The face nearest to the true one, of those that belong to it."""
    true = true_square(points)
    near = [(offset(face, true), face) for face in faces]
    fitting = [
        (float(np.hypot(*gap[1:])), face)
        for gap, face in near
        if np.hypot(*gap[1:]) < FAR and SMALL < gap[0] < LARGE
    ]
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else None


def offset(face: Face, true: Transform) -> F64Array:
    """Side over the true one, and how far the centre is off to the right and down over it: (3,)."""
    square = square_around_box(face.box)
    middle, true_middle = (np.array([one.left, one.top]) + one.side / 2 for one in (square, true))
    return np.array([square.side / true.side, *(middle - true_middle) / true.side])


def rates(
    detector: Detector, samples: Sequence[Sample], conditions: Sequence[str], seed: int = 0
) -> Iterator[Rates]:
    """What the detector finds of the faces under each condition, one after the other."""
    for name in conditions:
        rng, hits = np.random.default_rng(seed), []
        for sample in samples:
            image, points = CONDITIONS[name](read_image(sample.image), sample.points, rng)
            hits.append(belonging(detector.find(image), points) is not None)
        found, closed = np.array(hits), np.array([sample.closed for sample in samples])
        yield Rates(
            condition=name, faces=len(found), found=int(found.sum()),
            closed_faces=int(closed.sum()), closed_found=int(found[closed].sum()),
        )  # fmt: skip


def offsets(detector: Detector, samples: Sequence[Sample]) -> F64Array:
    """Offsets (N, 3) of the found faces, in the frame of the face where its roll is told.

    The true square is that of the face turned upright, as far as the detector says.
    """
    rows = []
    for sample in samples:
        face = belonging(detector.find(read_image(sample.image)), sample.points)
        if face is None:
            continue
        middle = np.array([face.box.x + face.box.width / 2, face.box.y + face.box.height / 2])
        cosine, sine = np.cos(face.roll or 0.0), np.sin(face.roll or 0.0)
        upright = (sample.points - middle) @ np.array([[cosine, -sine], [sine, cosine]]) + middle
        rows.append(offset(face, true_square(upright)))
    if not rows:
        raise UserError("the detector finds none of the faces, so that nothing can be calibrated")
    return np.stack(rows)


def scatter_table(rows: dict[str, F64Array]) -> str:
    """Markdown: how the squares of each detector lie, from offsets (N, 3) by its name."""
    heads = ("detector", "faces", "side / true side", "to the right", "down",
             "95 % within: zoom", "shift")  # fmt: skip
    lines = []
    for name, found in rows.items():
        middle, spread = np.median(found, axis=0), found.std(axis=0)
        zoom = np.percentile(np.abs(np.log(found[:, 0])), 95)
        shift = np.percentile(np.abs(found[:, 1:]).max(axis=1), 95)
        pairs = [f"{m:.3f} ({s:.3f})" for m, s in zip(middle, spread, strict=True)]
        lines.append((name, len(found), *pairs, f"{np.exp(zoom) - 1:.2f}", f"{shift:.2f}"))
    return to_markdown(heads, lines)


def rates_table(results: Mapping[str, Sequence[Rates]]) -> str:
    """Markdown: found faces in percent, all and closed-eyed ones, by condition and detector."""
    heads = ["condition"]
    for name in results:
        heads += [f"{name}, all", f"{name}, closed eyes"]
    lines = []
    for of_condition in zip(*results.values(), strict=True):
        line = [of_condition[0].condition]
        for one in of_condition:
            line.append(_percent(one.found, one.faces))
            line.append(_percent(one.closed_found, one.closed_faces))
        lines.append(line)
    return to_markdown(heads, lines)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} ({part} of {whole})" if whole else "-"
