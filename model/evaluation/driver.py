# SPDX-License-Identifier: Apache-2.0
"""What the driver monitor's measures are worth on real faces with a network's landmarks.

Truth comes from known points: of 68, an eye's aspect ratio is the mean of two heights over the
width, of 98 that of three, as a mouth's. Faces in between count for nothing, and eyes and mouths of
video frames about which the tracker of the data set and its pseudo points differ. As few people are
photographed with shut eyes, open ones are drawn shut. Pictures of one person are told by names that
differ in what follows the last underscore (YouTube Faces).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from host.backends.base import Backend
from host.common.arrays import BoolArray, F64Array, Image, Points
from host.common.errors import UserError
from host.face.crop import crop_square, square_around_landmarks
from host.face.eyes import Look
from host.face.landmarks import INNER_LIPS, inter_ocular
from host.face.pose import head_pose
from host.monitor.eyes import Eyes, aspect_ratio, eye_ratios, straightened, visible_sides, with_look
from host.monitor.measures import Measurer
from host.monitor.thresholds import Thresholds
from model.data.ibug import read_folders
from model.data.records import Listing, Record, read_picture
from model.data.registry import as_98, frames_to_train, is_68, measured_faces, person, pseudo_points
from model.evaluation.detail import eye_openings
from model.faces.lids import shut_eyes

EYES_68 = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47))
INNER_LIPS_68 = (60, 61, 62, 63, 64, 65, 66, 67)

SHUT, OPEN = 0.12, 0.20
"""True aspect ratios below which both eyes are shut, and above which both are open."""

WIDE, NOT_WIDE = 0.6, 0.4
"""True aspect ratios of a wide open mouth, and of one that is not."""

CROPS = 3
"""A face is cropped this often, each time around the landmarks found before."""

HELD_S, RATE = 5.0, 15.0
"""Each picture of a clip is held for so long, at so many frames a second."""

CLIPS = 60
"""So many clips are made at most."""

NOISE = 0.004
"""Scatter of a point from frame to frame in inter-ocular distances (model.evaluation.scatter)."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Faces with true points and what a network found."""

    landmarks: Points
    """(N, 98, 2) in pixels of the pictures."""
    eyes: F64Array
    """True aspect ratios of the eyes, (N, 2)."""
    mouth: F64Array
    """True aspect ratio of the inner lips, (N,)."""
    people: tuple[str, ...]
    """Whose face, of N; a name of its own where nothing is known."""
    looks: tuple[Look | None, ...]
    """What the pictures tell of the eyes, of N; None where nobody has looked."""

    @property
    def shut(self) -> BoolArray:
        """Faces whose eyes are both shut, (N,)."""
        return np.asarray((self.eyes < SHUT).all(axis=1))

    @property
    def open(self) -> BoolArray:
        """Faces whose eyes are both open, (N,)."""
        return np.asarray((self.eyes > OPEN).all(axis=1))


def driver_faces(roots: dict[str, Path]) -> list[Record]:
    """Faces of data sets by name that no training has seen.

    Of ytf the frames of the people of whom trainings take one only, without that. UserError: a data
    set is unknown, none is given, or nothing in it can be measured.
    """
    records: list[Record] = []
    for name, root in roots.items():
        records += (_other_frames(root) if name == "ytf" else measured_faces(name, root)).records
    if not records:
        raise UserError("no data set is given; name one with --data 300w=FOLDER")
    return records


def _other_frames(root: Path) -> Listing:
    training = frames_to_train(read_folders([root / "training"], "ytf training")).records
    taken, times = {r.image for r in training}, Counter(map(person, training))
    every = read_folders([root / "training", root / "test"], "ytf")
    pseudo = pseudo_points(root)
    kept = [
        _undisputed(record, pseudo.get(record.image))
        for record in every.records
        if record.image not in taken and times[person(record)] <= 1
    ]
    return Listing(every.name, kept, every.problems).checked()


def _undisputed(record: Record, pseudo: Record | None) -> Record:
    """A frame without the points of what the pseudo points tell otherwise.

    That is an eye of which one of the two says open and the other not, and a mouth of which one
    says wide and the other not wide: the tracker sees a mouth behind a microphone.
    """
    if pseudo is None:
        return record
    first, second = (eye_openings(face.points) for face in (record, pseudo))
    differ = (np.minimum(first, second) < OPEN) & (np.maximum(first, second) > OPEN)
    points = record.points.copy()
    for eye, unknown in zip(EYES_68, differ, strict=True):
        points[list(eye)] = np.nan if unknown else points[list(eye)]
    less, more = sorted([_true_mouth(record), _true_mouth(pseudo)])
    if less < NOT_WIDE and more >= WIDE:
        points[list(INNER_LIPS_68)] = np.nan
    return replace(record, points=points)


def drawn_by_hand(roots: dict[str, Path]) -> dict[str, Path]:
    """The data sets whose points people have set."""
    return {name: root for name, root in roots.items() if name != "ytf"}


def find(
    records: Sequence[Record],
    backend: Backend,
    look: Callable[[Image, Points], Look] | None = None,
    shut: bool = False,
) -> Found:
    """Let a backend find the landmarks of faces, and look at their eyes.

    look: host.face.eyes.look_at_eyes; None judges by the landmarks alone.
    shut: draw the eyes shut before.
    """
    found, looks = [], []
    for record in records:
        picture = read_picture(record.image)
        picture = shut_eyes(picture, as_98(record)) if shut else picture
        points = record.points[np.isfinite(record.points).all(axis=1)]
        for _ in range(CROPS):
            square = square_around_landmarks(points)
            crop = crop_square(picture, square, backend.input_size)
            points = square.to_image(backend.infer(crop[np.newaxis])[0])
        found.append(points)
        looks.append(None if look is None else look(picture, points))
    return compare(np.stack(found), records, looks)


def compare(
    landmarks: Points, records: Sequence[Record], looks: Sequence[Look | None] | None = None
) -> Found:
    """Put found landmarks (N, 98, 2), and looks at the eyes, beside the truth of N records."""
    return Found(
        landmarks=landmarks,
        eyes=np.array([eye_openings(record.points) for record in records]),
        mouth=np.array([_true_mouth(record) for record in records]),
        people=tuple(_person(record) for record in records),
        looks=tuple([None] * len(records) if looks is None else looks),
    )


def _person(record: Record) -> str:
    """The name of who is seen; pictures of 98 points are no frames."""
    return person(record) if is_68(record) else record.image.stem


def _true_mouth(record: Record) -> float:
    return aspect_ratio(record.points[list(INNER_LIPS_68 if is_68(record) else INNER_LIPS)])


# -- figures ---------------------------------------------------------------------------------------


def figures(found: Found, limits: Thresholds, seed: int = 0) -> dict[str, float]:
    """Shares from 0 to 1 and numbers of faces, by name."""
    closed_alone, closed_own = judged_alone(found, limits), judged_as_own(found, limits)
    known = np.isfinite(closed_own)
    wide, not_wide = found.mouth >= WIDE, found.mouth < NOT_WIDE
    yawning = mouth_ratios(found) > limits.yawn_mar
    calibrated = list(calibrations(found, limits, seed))
    return {
        "open faces": int(found.open.sum()),
        "shut faces": int(found.shut.sum()),
        "open counted as shut before calibration": _share(closed_alone, found.open),
        "shut found before calibration": _share(closed_alone, found.shut),
        "open faces of known people": int((found.open & known).sum()),
        "shut faces of known people": int((found.shut & known).sum()),
        "open counted as shut": _share(closed_own, found.open & known),
        "shut found": _share(closed_own, found.shut & known),
        "wide mouths": int(wide.sum()),
        "wide mouths found": _share(yawning, wide),
        "other mouths counted as wide": _share(yawning, not_wide),
        "clips of two pictures": len(calibrated),
        "clips calibrated within 10 s": float(np.mean(calibrated)) if calibrated else math.nan,
        "faces without a visible eye": _share(_blind(found, limits), np.isfinite(found.mouth)),
    }


def figures_of_shut(opened: Found, shut: Found, limits: Thresholds) -> dict[str, float]:
    """Shares of the open faces that are found shut once they are drawn so."""
    own = []
    for number in np.flatnonzero(opened.open).tolist():
        eyes = Eyes()
        for _ in range(round(HELD_S)):
            eyes.learn(*_level(opened, number, limits), 1.0, limits)
        own.append(_closed(eyes, shut, number, limits) if eyes.calibrated else 0.0)
    return {
        "open faces drawn shut": len(own),
        "drawn shut found before calibration": _share(judged_alone(shut, limits), opened.open),
        "drawn shut found": float(np.mean(own)) if own else math.nan,
    }


def _blind(found: Found, limits: Thresholds) -> BoolArray:
    seen = [1.0 if look is None else max(look.visible) for look in found.looks]
    return np.array(seen) < limits.eye_visible


def _share(values: F64Array | BoolArray, of: BoolArray) -> float:
    return float(np.mean(values[of])) if of.any() else math.nan


def mouth_ratios(found: Found) -> F64Array:
    """Aspect ratios of the inner lips as found, (N,)."""
    return np.array([aspect_ratio(points[[*INNER_LIPS]]) for points in found.landmarks])


def _pose(landmarks: Points, limits: Thresholds) -> tuple[float, float]:
    """Yaw and pitch in degrees as the monitor takes them; 0 where none fits."""
    square = square_around_landmarks(landmarks)
    yaw, pitch, _ = np.degrees(head_pose(square.to_crop(landmarks)))
    if math.isnan(yaw):
        return 0.0, 0.0
    return float(yaw), float(pitch) * limits.pitch_gain


def _level(
    found: Found, number: int, limits: Thresholds
) -> tuple[tuple[float, float], tuple[bool, bool]]:
    """Aspect ratios of the eyes of one face as the monitor takes them, and which can be judged."""
    landmarks, look = found.landmarks[number], found.looks[number]
    yaw, pitch = _pose(landmarks, limits)
    ratios = with_look(straightened(eye_ratios(landmarks), yaw, pitch), look)
    return ratios, visible_sides(look, yaw, limits)


def judged_alone(found: Found, limits: Thresholds) -> F64Array:
    """1 where the eyes count as closed before any calibration, else 0, (N,)."""
    eyes = Eyes()
    return np.array([_closed(eyes, found, n, limits) for n in range(len(found.landmarks))])


def judged_as_own(found: Found, limits: Thresholds) -> F64Array:
    """1 where the eyes count as closed for their owner, else 0, (N,).

    nan for people with fewer than four pictures, or whose eyes do not calibrate on them.
    """
    closed = np.full(len(found.landmarks), np.nan)
    for _, numbers in by_person(found):
        if len(numbers) < 4:
            continue
        eyes = Eyes()
        for _ in range(3):
            for number in numbers:
                eyes.learn(*_level(found, number, limits), 0.5, limits)
        if eyes.calibrated:
            closed[numbers] = [_closed(eyes, found, n, limits) for n in numbers]
    return closed


def _closed(eyes: Eyes, found: Found, number: int, limits: Thresholds) -> float:
    opening = eyes.judge(*_level(found, number, limits), limits).judged
    return float(opening is not None and opening < limits.closed_below)


def by_person(found: Found) -> Iterator[tuple[str, list[int]]]:
    """Each person's name, and the numbers of the faces that are theirs."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(found.people):
        numbers[name].append(number)
    yield from numbers.items()


def calibrations(found: Found, limits: Thresholds, seed: int) -> Iterator[bool]:
    """For each person with two pictures with open eyes: whether a clip of them calibrates.

    Each picture is held for HELD_S seconds; points scatter as a camera's noise makes them.
    """
    rng = np.random.default_rng(seed)
    opened = [[n for n in numbers if found.open[n]] for _, numbers in by_person(found)]
    several = [numbers for numbers in opened if len(numbers) >= 2]
    for place in rng.permutation(len(several))[:CLIPS]:
        numbers = several[place]
        pair = rng.choice(numbers, 2, replace=False)
        measurer, calibrated = Measurer(limits), False
        for frame in range(round(2 * HELD_S * RATE)):
            number = pair[int(frame >= HELD_S * RATE)]
            points, look = found.landmarks[number], found.looks[number]
            noise = rng.normal(0, NOISE * float(inter_ocular(points)), points.shape)
            seen = measurer.update(frame / RATE, points + noise, look=look)
            calibrated |= seen.calibrated
        yield calibrated
