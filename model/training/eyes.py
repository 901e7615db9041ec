# SPDX-License-Identifier: Apache-2.0
"""Training of the test whether eyes can be judged (host/face/eyes.py).

Each face is shown as it is, with clear glasses, a mask, less light, a little blur, and hidden: with
sunglasses, a hand, hair, a strong blur or next to no light. Landmarks are off as a network's are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from host.common.arrays import F32Array, F64Array, Image, Points
from host.common.atomic import replacing
from host.common.errors import UserError
from host.face.crop import cut_square, square_around_landmarks, square_at
from host.face.eyes import FEATURES, Network, eye_features
from host.face.image import read_image
from host.face.landmarks import inter_ocular
from model.data.registry import training_faces
from model.faces import cover
from model.faces.render import SIZE, make_faces

HIDDEN = 16  #: units of the network
SIDE = 144  #: side of the cut-outs on which things are drawn
CONTEXT = 1.5  #: side of a cut-out over that of the landmarks' square
OFF = 0.04  #: standard deviation of a landmark's error over the inter-ocular distance
EPOCHS, BATCH, RATE, DECAY = 60, 256, 2e-3, 1e-3
WORST = 0.04  #: share of "visible" eyes that are left out of the second round: true sunglasses
MARGIN = 4.0  #: weight of a visible eye in the loss
ODDS = 7 / 3  #: of being visible, by that loss, at which the network says one half

Rng = np.random.Generator


@dataclass(frozen=True)
class Eyes:
    """Eyes to learn from."""

    features: F32Array
    """(N, FEATURES)"""
    visible: F32Array
    """(N,) 0 or 1"""


def real_faces(roots: dict[str, Path], count: int) -> Iterator[tuple[Image, Points]]:
    """Cut-outs of at most ``count`` training faces of each source, with their landmarks."""
    for source, root in roots.items():
        records = training_faces(source, root).records
        for record in records[:: max(1, -(-len(records) // count))]:
            known = record.points[np.isfinite(record.points).all(axis=1)]
            true = square_around_landmarks(known)
            square = square_at(
                true.left + true.side / 2, true.top + true.side / 2, CONTEXT * true.side
            )
            cut = cut_square(read_image(record.image), square)
            yield (
                cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA),
                square.to_crop(record.points) * SIDE,
            )


def drawn_faces(count: int, seed: int) -> Iterator[tuple[Image, Points]]:
    """Procedural faces with their landmarks."""
    for index in range(count):
        face = make_faces(1, seed, index)
        yield face.images[0], face.landmarks[0].astype(np.float64) * SIZE


def variants(image: Image, points: Points, rng: Rng) -> Iterator[tuple[Image, tuple[int, int]]]:
    """Pictures of one face, and whether its left and its right eye can be judged on each."""
    seen, hidden = (1, 1), (0, 0)
    yield image, seen
    yield cover.glasses(image, points, rng), seen
    yield (cover.mask(image, points, rng) if rng.random() < 0.5 else _haze(image, rng)), seen
    yield _dark(image, rng.uniform(0.12, 0.8), rng), seen
    yield _blurred(image, points, rng.uniform(0.005, 0.025)), seen
    for _ in range(2):
        yield _dark(cover.sunglasses(image, points, rng), rng.uniform(0.3, 1.0), rng), hidden
    yield cover.sunglasses(image, points, rng), hidden
    which = int(rng.integers(0, 3))
    labels = {0: (0, 1), 1: (1, 0), cover.BOTH: hidden}[which]
    yield cover.hand(image, points, rng, which), labels
    yield cover.hair(image, points, rng), hidden
    yield _blurred(image, points, rng.uniform(0.13, 0.3)), hidden
    yield _dark(image, rng.uniform(0.0, 0.02), rng), hidden


def collect_eyes(faces: Iterable[tuple[Image, Points]], seed: int) -> Eyes:
    """All variants of the faces as features."""
    rng = np.random.default_rng(seed)
    rows, labels = [], []
    for image, points in faces:
        unit = float(inter_ocular(points))
        for picture, visible in variants(image, points, rng):
            shift = rng.normal(0, OFF * unit, (1, 2)) + rng.normal(0, OFF * unit / 2, points.shape)
            features = eye_features(picture, points + shift)
            if features is not None:
                rows.append(features)
                labels.append(visible)
    if not rows:
        raise UserError("there is no face to learn from; name data sets or a number of drawn faces")
    return Eyes(np.concatenate(rows), np.asarray(labels, np.float32).ravel())


def fit_twice(eyes: Eyes, seed: int) -> Network:
    """Fit the network, leave out the visible eyes that it believes least, and fit it again."""
    first = fit(eyes, seed)
    score = _score(first, torch.from_numpy(eyes.features)).detach().numpy()
    visible = eyes.visible > 0
    limit = np.quantile(score[visible], WORST)
    kept = ~visible | (score > limit)
    a, b, c, d = fit(Eyes(eyes.features[kept], eyes.visible[kept]), seed)
    return Network(*(part.detach().numpy() for part in (a, b, c, d - np.log(ODDS))))


def fit(eyes: Eyes, seed: int) -> list[torch.Tensor]:
    """Parameters a, b, c, d of the network after EPOCHS passes, on one thread: it is tiny."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _fit(eyes, torch.Generator().manual_seed(seed))
    finally:
        torch.set_num_threads(threads)


def _fit(eyes: Eyes, generator: torch.Generator) -> list[torch.Tensor]:
    parameters = [
        torch.randn(FEATURES, HIDDEN, generator=generator) * FEATURES**-0.5,
        torch.zeros(HIDDEN),
        torch.randn(HIDDEN, generator=generator) * HIDDEN**-0.5,
        torch.zeros(()),
    ]
    for one in parameters:
        one.requires_grad_(True)
    optimiser = torch.optim.AdamW(parameters, RATE, weight_decay=DECAY)
    given, wanted = torch.from_numpy(eyes.features), torch.from_numpy(eyes.visible)
    weights = torch.where(wanted > 0, MARGIN, 1.0)
    steps = EPOCHS * -(-len(wanted) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(wanted), generator=generator).split(BATCH):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                _score(parameters, given[chosen]), wanted[chosen], weights[chosen]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return parameters


def _score(parameters: list[torch.Tensor], features: torch.Tensor) -> torch.Tensor:
    a, b, c, d = parameters
    return torch.relu(features @ a + b) @ c + d


def write_network(path: Path, network: Network) -> None:
    """Write the network in half precision, as host.face.eyes reads it."""
    parts = {name: part.astype(np.float16) for name, part in network._asdict().items()}
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **parts)


def _dark(image: Image, light: float, rng: Rng) -> Image:
    """The picture at a share of its light, with a camera's noise."""
    dark = image * light + rng.normal(0, 1.5, image.shape)
    return _bytes(dark)


def _blurred(image: Image, points: Points, spread: float) -> Image:
    """The picture blurred by a Gaussian of this standard deviation over the eyes' distance."""
    deviation = max(spread * float(inter_ocular(points)), 0.3)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), deviation), np.uint8)


def _haze(image: Image, rng: Rng) -> Image:
    """The picture with less contrast."""
    share = rng.uniform(0.3, 0.9)
    level = rng.uniform(40, 220)
    return _bytes(np.asarray(level + share * (image - level), np.float64))


def _bytes(levels: F64Array) -> Image:
    return np.asarray(np.clip(np.rint(levels), 0, 255), np.uint8)
