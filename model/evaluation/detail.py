# SPDX-License-Identifier: Apache-2.0
"""What one number hides: errors by region of the face and by its turn, how lids and pupils follow.

Eye aspect ratios are those of :func:`model.data.lids.openings`; on 300-W's 68 points, which have no
middle pair of a lid, those of the other two pairs.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from host.face.landmarks import (
    GROUPS,
    LEFT_EYE,
    LEFT_PUPIL,
    OUTER_CORNERS,
    RIGHT_EYE,
    RIGHT_PUPIL,
    inter_ocular,
)
from host.face.pose import head_pose
from model.data.judged import eyes_seen
from model.data.lids import CLOSED, SLITS_68, openings
from model.data.records import Record
from model.data.registry import as_98, is_68
from model.data.scheme68 import OUTER_CORNERS_68, PARTNERS, to_68

Floats = npt.NDArray[np.float64]

TURNS = (0, 15, 30, 45, 90)  #: degrees of yaw that the parts of a data set reach from and to
BOTH_SEEN = 45  #: degrees of yaw up to which the pupils of both eyes are looked at
RESAMPLED = 1_000  #: sets of faces drawn for the interval of an AUC
ROUND = 4  #: digits behind the point
CORNERS_68 = ((36, 39), (42, 45))  #: of each eye


def _regions() -> npt.NDArray[np.str_]:
    names = np.full(98, "pupils", dtype="<U8")
    for group in GROUPS:
        names[group.indices] = group.part
    names[[LEFT_PUPIL, RIGHT_PUPIL]] = "pupils"
    return names


REGIONS = _regions()
"""Name of each landmark's region (98,): contour, brows, nose, eyes, lips, pupils."""


def distances(placed: Floats, record: Record) -> Floats:
    """Error of each of the face's own points (98,) or (68,) in percent, nan where unknown.

    placed: (98, 2), in pixels of the picture.
    """
    short = is_68(record)
    found = to_68(placed[None])[0] if short else placed
    unit = inter_ocular(record.points, OUTER_CORNERS_68 if short else OUTER_CORNERS)
    return np.asarray(100 * np.linalg.norm(found - record.points, axis=1) / unit, np.float64)


def by_region(placed: Floats, records: list[Record]) -> dict[str, float]:
    """Mean error of each region in percent, over the faces in which it is known."""
    sums: dict[str, list[float]] = {}
    for marks, record in zip(placed, records, strict=True):
        errors = distances(marks, record)
        names = REGIONS[PARTNERS] if is_68(record) else REGIONS
        for name in dict.fromkeys(REGIONS):
            chosen = errors[names == name]
            if np.isfinite(chosen).any():
                sums.setdefault(str(name), []).append(float(np.nanmean(chosen)))
    return {name: round(float(np.mean(values)), ROUND) for name, values in sums.items()}


def yaw_degrees(landmarks: Floats) -> Floats:
    """Turn of each face (N,) without its sign, nan where no pose fits; landmarks (N, 98, 2)."""
    return np.array([abs(np.degrees(head_pose(marks)[0])) for marks in landmarks])


def by_yaw(errors: Floats, yaw: Floats) -> dict[str, dict[str, float]]:
    """NME and number of the faces whose yaw lies between each two of TURNS."""
    result = {}
    for low, high in itertools.pairwise(TURNS):
        chosen = (yaw >= low) & (yaw < high)
        if chosen.any():
            name = f"{low}-{high}" if high < 90 else f"{low}+"
            nme = round(float(errors[chosen].mean()), ROUND)
            result[name] = {"nme": nme, "faces": int(chosen.sum())}
    return result


def eye_openings(points: Floats) -> Floats:
    """Eye aspect ratios (2,) of 98 or of 68 points."""
    if len(points) == len(REGIONS):
        return openings(points)
    ratios = []
    for pairs, (outer, inner) in zip(SLITS_68, CORNERS_68, strict=True):
        heights = [np.linalg.norm(points[upper] - points[lower]) for upper, lower in pairs]
        ratios.append(np.mean(heights) / max(np.linalg.norm(points[outer] - points[inner]), 1e-9))
    return np.array(ratios)


def eyelids(placed: Floats, records: list[Record]) -> dict[str, object]:
    """How the predicted eye aspect ratios follow the true ones; see :func:`follow`.

    Where people have said that eyes are hidden or unclear, ``seen`` has the same of the others: the
    points of an eye behind sunglasses are a guess, the data set's too.
    """
    pairs = [
        (eye_openings(to_68(marks[None])[0] if is_68(record) else marks), record)
        for marks, record in zip(placed, records, strict=True)
    ]
    found = np.array([ratios for ratios, _ in pairs])
    true = np.array([eye_openings(record.points) for _, record in pairs])
    result = follow(found, true)
    clear = np.array([eyes_seen(record.image, as_98(record)) == 1 for record in records])
    if result and not clear.all():
        result["seen"] = follow(found, np.where(clear, true, np.nan))
    return result


def follow(found: Floats, true: Floats, seed: int = 0) -> dict[str, object]:
    """Slope and correlation of predicted on true ratios (N, 2), and AUC of closed against open.

    auc is the probability that a closed eye (true ratio below CLOSED) comes out smaller than an
    open one, interval the 95 % of it over faces drawn anew. Empty where nothing can be said.
    """
    known = np.isfinite(true)
    x, y = true[known], found[known]
    if len(x) < 3 or x.std() == 0 or y.std() == 0:
        return {}
    result: dict[str, object] = {
        "slope": round(float(np.polyfit(x, y, 1)[0]), ROUND),
        "correlation": round(float(np.corrcoef(x, y)[0, 1]), ROUND),
        "closed": int((x < CLOSED).sum()),
        "open": int((x >= CLOSED).sum()),
    }
    if not (result["closed"] and result["open"]):
        return result
    result["closed_ratio"] = round(float(y[x < CLOSED].mean()), ROUND)
    result["open_ratio"] = round(float(y[x >= CLOSED].mean()), ROUND)
    result["auc"] = round(auc(y, x < CLOSED), ROUND)
    rng, drawn = np.random.default_rng(seed), []
    for _ in range(RESAMPLED):
        rows = rng.integers(0, len(true), len(true))
        shut, ratios = (true[rows] < CLOSED)[known[rows]], found[rows][known[rows]]
        if shut.any() and not shut.all():
            drawn.append(auc(ratios, shut))
    if drawn:
        result["interval"] = [round(float(v), ROUND) for v in np.percentile(drawn, [2.5, 97.5])]
    return result


def pupil_places(points: Floats) -> Floats:
    """Where the pupils are, mean of both eyes: (N, 2) of landmarks (N, 98, 2).

    Right of the middle between the corners and below it, along and across their line, in widths of
    the eye.
    """
    places = []
    for eye, pupil in ((LEFT_EYE, LEFT_PUPIL), (RIGHT_EYE, RIGHT_PUPIL)):
        left, right = points[:, eye[0]], points[:, eye[4]]
        line, off = right - left, points[:, pupil] - (left + right) / 2
        across = np.stack([-line[:, 1], line[:, 0]], 1)
        unit = np.maximum((line**2).sum(1), 1e-9)
        places.append(np.stack([(off * line).sum(1), (off * across).sum(1)], 1) / unit[:, None])
    return np.asarray(np.mean(places, 0), np.float64)


def pupils(placed: Floats, records: list[Record], yaw: Floats) -> dict[str, object]:
    """How predicted pupils follow true ones along and across the eye, of two open eyes in sight.

    yaw: (N,), degrees. scatter is the standard deviation of the true places, error the root mean
    square of the predicted ones', both in widths of the eye. Empty below three such faces.
    """
    whole = [not is_68(record) and bool(np.isfinite(record.points).all()) for record in records]
    rows = np.flatnonzero(np.array(whole) & (yaw <= BOTH_SEEN))
    rows = np.array([r for r in rows if (openings(records[r].points) >= CLOSED).all()], np.int64)
    if len(rows) < 3:
        return {}
    true = pupil_places(np.stack([records[row].points for row in rows]))
    found = pupil_places(placed[rows])
    result: dict[str, object] = {"faces": len(rows)}
    for axis, name in enumerate(("along", "across")):
        x, y = true[:, axis], found[:, axis]
        figures = {"scatter": x.std(), "error": np.sqrt(((y - x) ** 2).mean())}
        if x.std() and y.std():
            figures |= {"slope": np.polyfit(x, y, 1)[0], "correlation": np.corrcoef(x, y)[0, 1]}
        result[name] = {key: round(float(value), ROUND) for key, value in figures.items()}
    return result


def auc(ratios: Floats, closed: npt.NDArray[np.bool_]) -> float:
    """Probability that a closed eye's ratio is below an open one's; equal ones count half."""
    ordered = np.sort(ratios[~closed])
    below = np.searchsorted(ordered, ratios[closed], "left")
    upto = np.searchsorted(ordered, ratios[closed], "right")
    return float(1 - (below + upto).mean() / 2 / len(ordered))
