# SPDX-License-Identifier: Apache-2.0
"""How often the host says that eyes can be judged, on measured faces shown in several ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import cv2
import numpy as np

from host.backends.base import Backend
from host.common.arrays import F32Array, F64Array, Image, Points
from host.common.tables import to_markdown
from host.face.crop import crop_square, cut_square, square_around_landmarks, square_at
from host.face.eyes import Network, eye_features, probabilities
from host.face.image import read_image
from host.face.landmarks import inter_ocular
from model.evaluation.detection import Sample, Scene, as_it_is, covered, darkened
from model.faces import cover

CUT, CONTEXT = 224, 1.6
"""Side in pixels of the cut-outs, as a face fills them in a camera's picture, and over the true
square's."""


def blurred(
    spread: float, image: Image, points: Points, rng: np.random.Generator
) -> tuple[Image, Points]:
    """The picture blurred by a Gaussian of this standard deviation over the eyes' distance."""
    deviation = spread * float(inter_ocular(points))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), deviation), np.uint8), points


JUDGED: dict[str, Scene] = {
    "as it is": as_it_is,
    "clear glasses drawn": partial(covered, cover.glasses),
    "mask drawn": partial(covered, cover.mask),
    "a fifth of the light": partial(darkened, 0.2),
}
"""What must not make eyes count as hidden."""

HIDDEN: dict[str, Scene] = {
    "sunglasses drawn": partial(covered, cover.sunglasses),
    "hand drawn": partial(covered, cover.hand),
    "hair drawn": partial(covered, cover.hair),
    "strong blur": partial(blurred, 0.16),
    "a hundredth of the light": partial(darkened, 0.01),
}
"""What hides both eyes."""


THRESHOLD = 0.5
"""An eye can be judged from this probability on."""


def cut_out(sample: Sample) -> tuple[Image, Points]:
    """The face with its surroundings, (CUT, CUT, 3), and its landmarks in it."""
    true = square_around_landmarks(sample.points[np.isfinite(sample.points).all(axis=1)])
    square = square_at(true.left + true.side / 2, true.top + true.side / 2, CONTEXT * true.side)
    cut = cut_square(read_image(sample.image), square)
    method = cv2.INTER_AREA if square.side > CUT else cv2.INTER_LINEAR
    small = cv2.resize(cut, (CUT, CUT), interpolation=method)
    return np.asarray(small, np.uint8), square.to_crop(sample.points) * CUT


def scores(
    samples: Sequence[Sample], backend: Backend, networks: Mapping[str, Network], seed: int = 0
) -> Iterator[tuple[str, dict[str, F64Array]]]:
    """For each condition, what each network says of the eyes of all faces, (N, 2).

    Landmarks are those that the backend finds in the picture as it is shown, from the true crop.
    """
    faces = [cut_out(sample) for sample in samples]
    for name, scene in {**JUDGED, **HIDDEN}.items():
        rng = np.random.default_rng(seed)
        features = []
        for image, points in faces:
            shown, moved = scene(image, points, rng)
            square = square_around_landmarks(moved[np.isfinite(moved).all(axis=1)])
            crop = crop_square(shown, square, backend.input_size)
            found = square.to_image(backend.infer(crop[np.newaxis])[0])
            features.append(eye_features(shown, found))
        yield name, {key: _all_of(features, network) for key, network in networks.items()}


def _all_of(features: Sequence[F32Array | None], network: Network) -> F64Array:
    rows = [np.zeros(2) if one is None else probabilities(one, network)[:, 0] for one in features]
    return np.stack(rows)


def measure_eyes(
    samples: Sequence[Sample], backend: Backend, networks: Mapping[str, Network]
) -> str:
    """Markdown: percent of eyes said to be visible, by condition and network.

    Beside the eyes of open- and closed-eyed faces stand closed-eyed faces of which one eye or both
    are said to be visible, so that they can be judged.
    """
    closed = np.array([sample.closed for sample in samples])
    heads = ["condition", "faces"]
    for name in networks:
        heads += [f"{name}: open eyes", "closed eyes", "closed-eyed faces"]
    lines = []
    for condition, found in scores(samples, backend, networks):
        line = [condition, f"{len(samples)}"]
        for values in found.values():
            seen = values >= THRESHOLD
            shares = (seen[~closed], seen[closed], seen[closed].any(axis=1))
            line += [f"{100 * share.mean():.1f}" if share.size else "-" for share in shares]
        lines.append(line)
    return to_markdown(heads, lines)
