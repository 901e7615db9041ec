# SPDX-License-Identifier: Apache-2.0
"""How often the host says that eyes can be judged, on measured faces shown in several ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from model.data.judged import eyes_seen, judged
from model.evaluation.detection import Sample, Scene, as_it_is, covered, darkened
from model.faces import cover, reflect

CUT, CONTEXT = 224, 1.6
"""Side in pixels of the cut-outs, as a face fills them in a camera's picture, and over the true
square's."""


def blurred(
    spread: float, image: Image, points: Points, rng: np.random.Generator
) -> tuple[Image, Points]:
    """The picture blurred by a Gaussian of this standard deviation over the eyes' distance."""
    deviation = spread * float(inter_ocular(points))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), deviation), np.uint8), points


def lightly(
    draw: Callable[[Image, Points, np.random.Generator], tuple[Image, F64Array]],
    image: Image, points: Points, rng: np.random.Generator,
) -> tuple[Image, Points]:  # fmt: skip
    """Glasses drawn again and again until both eyes can be judged behind them."""
    while True:
        drawn, hidden = draw(image, points, rng)
        if (judged(1 - hidden) == 1).all():
            return drawn, points


def veiled(image: Image, points: Points, rng: np.random.Generator) -> tuple[Image, F64Array]:
    """Clear glasses with a reflection of any strength, and how far it hides each eye."""
    return reflect.veiled(image, points, reflect.drawn_scene(rng), rng.uniform(*reflect.VEIL), rng)


def mirroring(image: Image, points: Points, rng: np.random.Generator) -> Image:
    """Sunglasses in which something drawn is reflected."""
    return reflect.mirroring(image, points, reflect.drawn_scene(rng), rng)


JUDGED: dict[str, Scene] = {
    "as it is": as_it_is,
    "clear glasses drawn": partial(covered, cover.glasses),
    "reflection in clear glasses drawn": partial(lightly, veiled),
    "lamps in clear glasses drawn": partial(lightly, reflect.lamps),
    "mask drawn": partial(covered, cover.mask),
    "a fifth of the light": partial(darkened, 0.2),
}
"""What must not make eyes count as hidden."""

HIDDEN: dict[str, Scene] = {
    "sunglasses drawn": partial(covered, cover.sunglasses),
    "sunglasses drawn that reflect": partial(covered, mirroring),
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
        features = [_features(*scene(*face, rng), backend) for face in faces]
        yield name, {key: _all_of(features, network) for key, network in networks.items()}


def _features(image: Image, points: Points, backend: Backend) -> F32Array | None:
    square = square_around_landmarks(points[np.isfinite(points).all(axis=1)])
    crop = crop_square(image, square, backend.input_size)
    return eye_features(image, square.to_image(backend.infer(crop[np.newaxis])[0]))


def _all_of(features: Sequence[F32Array | None], network: Network) -> F64Array:
    rows = [np.zeros(2) if one is None else probabilities(one, network)[:, 0] for one in features]
    return np.stack(rows)


def measure_eyes(
    samples: Sequence[Sample], backend: Backend, networks: Mapping[str, Network]
) -> str:
    """Markdown: percent of eyes said to be visible, by condition and network.

    Beside the eyes of open- and closed-eyed faces stand closed-eyed faces of which one eye or both
    are said to be visible, so that they can be judged. Eyes that are hidden in the picture itself,
    or of which that is unclear, count only where something else hides them.
    """
    closed = np.array([sample.closed for sample in samples])
    clear = np.array([eyes_seen(sample.image, sample.points) == 1 for sample in samples])
    heads = ["condition", "faces"]
    for name in networks:
        heads += [f"{name}: open eyes", "closed eyes", "closed-eyed faces"]
    lines = []
    for condition, found in scores(samples, backend, networks):
        line = [condition, f"{len(samples)}"]
        for values in found.values():
            seen, count = values >= THRESHOLD, clear | (condition in HIDDEN)
            faces = (seen & count)[closed & count.any(axis=1)].any(axis=1)
            shares = (seen[count & ~closed[:, None]], seen[count & closed[:, None]], faces)
            line += [f"{100 * share.mean():.1f}" if share.size else "-" for share in shares]
        lines.append(line)
    return to_markdown(heads, lines)


def measure_hidden(
    samples: Sequence[Sample], backend: Backend, networks: Mapping[str, Network]
) -> str:
    """How many of the eyes that are hidden in the pictures as they are count as visible.

    Returns:
        A sentence, empty if there are none.
    """
    rows = [(sample, eyes_seen(sample.image, sample.points)) for sample in samples]
    rows = [(sample, seen) for sample, seen in rows if (seen == 0).any()]
    hidden = np.array([seen == 0 for _, seen in rows])
    if not rows:
        return ""
    features = [_features(*cut_out(sample), backend) for sample, _ in rows]
    shares = [
        f"{name} {int((_all_of(features, network)[hidden] >= THRESHOLD).sum())}"
        for name, network in networks.items()
    ]
    return (
        f"Of {hidden.sum()} eyes of {len(rows)} faces that are hidden in the picture as it is, by "
        f"sunglasses, hair, a hand or a cap, count as visible: {', '.join(shares)}."
    )
