# SPDX-License-Identifier: Apache-2.0
"""Faces by BlazeFace, a CNN of 315 kB, on OpenCV's dnn; weights/README.md tells where it is from.

The network looks for faces in cells of 16 and 32 pixels of a picture of any size. For each it
gives a score, a square, and six points: both eyes, nose, mouth and ears. It bears a roll of 45
degrees; faces turned further are found in a turned picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from host.common.arrays import F64Array, Image
from host.common.errors import UserError
from host.face.detect.faces import Face, square_box
from host.face.detect.light import brighten

WEIGHTS = Path(__file__).parent / "weights" / "blazeface_back.tflite"
HEADS = {16: ("classificator_16", "regressor_16"), 32: ("classificator_32", "regressor_32")}
"""Layers of scores and of positions, by the side of their cells in pixels."""

VALUES = 8
"""Pairs of numbers for a face: centre, size and six points."""

CENTRE, SIZE, LEFT_EYE, RIGHT_EYE = range(4)
"""Which pair is what; left and right as in an upright picture."""

GRID = 32
"""Sides of the network's input are multiples of this."""

SIDES = (256, 512, 1024)
"""Lengths of the longer side at which a still picture is searched; a moving one at the first."""

LEAST = 1.5
"""A picture is not searched at more than this times its own length, but for the first."""

TURNS = (2, 1, 3)
"""Quarter turns of the picture that are tried when no sure face is found, upside down first."""

SCORE = 0.6
"""Least score of a face."""

TILT = math.radians(55)
"""Most roll of a face within its pass; what is turned further is no face or one of another pass."""

SURE = 0.8
"""When the best face has less than this, a still picture is searched turned, too."""

TURNED_SCORE = 0.8
"""The same in turned pictures, which show more that is no face."""

SAME = 0.3
"""Squares are one face when they share more than this of their union."""

INSIDE = 0.7
"""And when they share more than this of the smaller one."""


SIDE = 0.935
"""Longer side of the landmarks' box over the side of the square; docs/host.md has the scatter."""

DOWN = 0.09
"""Shift of the landmarks' box towards the chin, over the side of the square."""


@dataclass(frozen=True)
class Candidates:
    """Faces of one pass: scores (N,) and pairs of numbers (N, VALUES, 2) in pixels."""

    scores: F64Array
    pairs: F64Array


class BlazeDetector:
    """Finds faces up to a profile, at any roll; load once, use for many pictures, in one thread."""

    def __init__(self, quick: bool = False, weights: Path = WEIGHTS) -> None:
        """Load the network.

        Args:
            quick: search at one size, and turned pictures in turn from call to call.
            weights: the network, a TensorFlow Lite file.

        Raises:
            UserError: the file is missing, or this OpenCV does not read it.
        """
        self._quick = quick
        self._turn = 0
        try:
            self._net = cv2.dnn.readNetFromTFLite(np.frombuffer(weights.read_bytes(), np.uint8))
        except OSError as error:
            raise UserError(
                f"cannot read the detector {weights}: {error.strerror}; install the project again"
            ) from error
        except (cv2.error, AttributeError) as error:
            raise UserError(
                f"OpenCV {cv2.__version__} does not read the detector {weights}; install "
                "opencv-python-headless 4.8 or later, or use --detector haar"
            ) from error

    def find(self, image: Image) -> list[Face]:
        """Return all faces of a picture, (H, W, 3) BGR or (H, W) grey, the most prominent first."""
        colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image
        found = [self._search(colour, 0)]
        if not self._sure(found[0]):
            found += [self._search(colour, turn) for turn in self._turns()]
        faces = [_as_face(pairs, score) for score, pairs in _distinct(found)]
        return sorted(faces, key=_prominence, reverse=True)

    def _sure(self, found: Candidates) -> bool:
        least = SCORE if self._quick else SURE
        return bool((found.scores >= least).any())

    def _turns(self) -> tuple[int, ...]:
        if not self._quick:
            return TURNS
        self._turn = (self._turn + 1) % len(TURNS)
        return (TURNS[self._turn],)

    def _search(self, image: Image, turn: int) -> Candidates:
        """Faces of the picture turned by quarters of a circle, in pixels of the picture."""
        turned = np.ascontiguousarray(np.rot90(image, turn))
        longer = max(image.shape[:2])
        finer = () if self._quick else [side for side in SIDES[1:] if side < LEAST * longer]
        found = _joined([self._pass(turned, side) for side in (SIDES[0], *finer)])
        sure = found.scores >= (TURNED_SCORE if turn else SCORE)
        sure &= np.abs(_rolls(found.pairs)) <= TILT
        height, width = image.shape[:2]
        return Candidates(found.scores[sure], _turn_back(found.pairs[sure], turn, width, height))

    def _pass(self, image: Image, side: int) -> Candidates:
        """Faces of a picture searched at this length of its longer side, in its pixels."""
        factor = max(image.shape[:2]) / side
        given = _reduced(image, factor)
        self._net.setInput(
            cv2.dnn.blobFromImage(given, 1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True)
        )
        outputs = self._net.forward([name for names in HEADS.values() for name in names])
        heads = zip(outputs[::2], outputs[1::2], HEADS, strict=True)
        found = _merged(_joined([_decode(*head) for head in heads]))
        return Candidates(found.scores, found.pairs * factor)


def _joined(parts: list[Candidates]) -> Candidates:
    return Candidates(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.pairs for part in parts]),
    )


def _reduced(image: Image, factor: float) -> Image:
    """The picture reduced, bright, and filled up with black to multiples of GRID."""
    height, width = (max(1, round(side / factor)) for side in image.shape[:2])
    method = cv2.INTER_AREA if factor > 1 else cv2.INTER_LINEAR
    bright = image if factor > 1 else brighten(image, factor)
    small = np.asarray(cv2.resize(bright, (width, height), interpolation=method), np.uint8)
    small = brighten(small, factor) if factor > 1 else small
    return np.pad(small, ((0, -height % GRID), (0, -width % GRID), (0, 0)))


def _decode(scores: F64Array, positions: F64Array, cell: int) -> Candidates:
    """Candidates of one head, in pixels of its input, that reach SCORE.

    scores: (1, A, H, W) for A squares a cell, before the sigmoid. positions: (1, A * 2 * VALUES,
    H, W), relative to the middle of the cell but for the size.
    """
    _, kinds, rows, columns = scores.shape
    flat = scores[0].transpose(1, 2, 0).reshape(-1).astype(np.float64)
    pairs = positions[0].transpose(1, 2, 0).reshape(rows, columns, kinds, VALUES, 2)
    pairs = pairs.astype(np.float64)
    y, x = np.mgrid[:rows, :columns]
    middle = (np.stack([x, y], axis=-1)[:, :, None, None] + 0.5) * cell
    is_position = (np.arange(VALUES) != SIZE)[:, None]
    pairs = (pairs + middle * is_position).reshape(-1, VALUES, 2)
    probability = 1 / (1 + np.exp(-np.clip(flat, -50, 50)))
    kept = probability >= SCORE
    return Candidates(probability[kept], pairs[kept])


def _overlaps(pairs: F64Array, one: F64Array) -> tuple[F64Array, F64Array]:
    """Area that each square (N, VALUES, 2) shares with one: over the union, over the smaller."""
    low, high = pairs[:, CENTRE] - pairs[:, SIZE] / 2, pairs[:, CENTRE] + pairs[:, SIZE] / 2
    its_low, its_high = one[CENTRE] - one[SIZE] / 2, one[CENTRE] + one[SIZE] / 2
    shared = np.clip(np.minimum(high, its_high) - np.maximum(low, its_low), 0, None).prod(axis=1)
    area, its_area = pairs[:, SIZE].prod(axis=1), one[SIZE].prod()
    return shared / (area + its_area - shared), shared / np.minimum(area, its_area)


def _merged(found: Candidates) -> Candidates:
    """Candidates of one pass that lie on one another become their mean, weighted by the score."""
    left = np.argsort(-found.scores, kind="stable")
    scores, pairs = [], []
    while len(left):
        union, _ = _overlaps(found.pairs[left], found.pairs[left[0]])
        same, weights = left[union > SAME], found.scores[left[union > SAME]]
        scores.append(found.scores[left[0]])
        pairs.append(np.average(found.pairs[same], axis=0, weights=weights))
        left = left[union <= SAME]
    return Candidates(np.array(scores), np.reshape(pairs, (-1, VALUES, 2)))


def _distinct(passes: list[Candidates]) -> list[tuple[float, F64Array]]:
    """Score and pairs of each face; where several passes found one, the surest counts."""
    found = _joined(passes)
    left, chosen = np.argsort(-found.scores, kind="stable"), []
    while len(left):
        best = found.pairs[left[0]]
        chosen.append((float(found.scores[left[0]]), best))
        union, inside = _overlaps(found.pairs[left], best)
        left = left[(union <= SAME) & (inside <= INSIDE)]
    return chosen


def _turn_back(pairs: F64Array, turn: int, width: int, height: int) -> F64Array:
    """Pairs (N, VALUES, 2) found after ``turn`` counter-clockwise quarters, in the picture."""
    back = pairs.copy()
    for done in range(turn):
        sides = (width, height) if (turn - done) % 2 else (height, width)
        x, y = back[..., 0].copy(), back[..., 1].copy()
        back[..., 0], back[..., 1] = sides[0] - y, x
        back[:, SIZE] = pairs[:, SIZE]
    return back


def _rolls(pairs: F64Array) -> F64Array:
    """Clockwise roll (N,) of faces (N, VALUES, 2), from eye to eye, in radians."""
    across = pairs[:, RIGHT_EYE] - pairs[:, LEFT_EYE]
    return np.asarray(np.arctan2(across[:, 1], across[:, 0]), np.float64)


def _prominence(face: Face) -> float:
    """A face that is half as sure must be sixteen times as large to come first."""
    return face.box.width * face.score**4


def _as_face(pairs: F64Array, score: float) -> Face:
    """The landmarks' box, from the square and the points; see docs/host.md."""
    roll = float(_rolls(pairs[np.newaxis])[0])
    down = np.array([-math.sin(roll), math.cos(roll)])
    side = float(pairs[SIZE].max())
    x, y = pairs[CENTRE] + DOWN * side * down
    return Face(box=square_box(float(x), float(y), SIDE * side), score=score, roll=roll)
