# SPDX-License-Identifier: Apache-2.0
"""Training of the eye test (host/face/eyes.py): can an eye be judged, and is it open?

Each face is shown as it is, with clear glasses, a mask, less light, a little blur, and hidden: with
sunglasses, hands, hair, a box, a strong blur or next to no light; one with open eyes also with its
eyes drawn shut. Landmarks are off as a network's are. How far an eye is open is known from its
lids; that of hidden eyes is not asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from host.common.arrays import BoolArray, F32Array, F64Array, Image, Points
from host.common.atomic import replacing
from host.common.errors import UserError
from host.face.crop import cut_square, square_around_landmarks, square_at
from host.face.eyes import PATCH, SUMMARY, Network, eye_features, stretched
from host.face.landmarks import LOWER_LIDS, UPPER_LIDS, inter_ocular
from model.data.judged import eyes_seen, judged
from model.data.lids import openings
from model.data.records import Record, read_picture
from model.data.registry import training_faces
from model.faces import cover, reflect
from model.faces.lids import shut_eyes
from model.faces.render import SIZE, make_faces

CHANNELS, HIDDEN = (16, 32, 32), 32  #: of the network
SIDE = 144  #: side of the cut-outs on which things are drawn
CONTEXT = 1.5  #: side of a cut-out over that of the landmarks' square
SCENE_SEED = 5
OFF = 0.04  #: standard deviation of a landmark's error over the inter-ocular distance
LOST, LOST_SIZES = 0.4, (0.6, 1.4)
"""Standard deviation of all landmarks' common error, over that distance, where eyes cannot be seen,
and the sizes of the face that they then tell. Behind a hand corners of eyes are off by 0.7."""
EPOCHS, BATCH, RATE, DECAY = 12, 256, 3e-3, 1e-3
SHORT = 2  #: epochs of the first round
WORST = 0.02  #: share of "visible" eyes left out of the second round: hidden, and nobody saw it
MARGIN = 6.0  #: weight of a visible eye in the loss
SHUT, OPEN = 0.12, 0.22  #: aspect ratios of eyes that count as shut and as open
CLOSED, AGAIN = 0.15, 3
"""A face with an eye of a smaller aspect ratio, or a hidden one, is shown so many times."""
RARE = 8.0  #: weight of a shut eye in the loss

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Face:
    """A picture of a face whose points are known."""

    image: Image
    """(SIDE, SIDE) grey, or of another size."""
    points: Points
    """(98, 2) in pixels; nan where unknown."""
    trust: float = 1.0
    """Weight of what its points say about the lids, 0 to 1."""
    seen: F64Array = field(default_factory=lambda: np.ones(2))
    """Of the left and the right eye: 1 can be judged, 0 is hidden, nan is unclear."""
    scene: Image | None = None
    """A part of the picture beside the face."""


@dataclass(frozen=True, kw_only=True)
class Eyes:
    """Eyes to learn from."""

    features: F32Array
    """(N, FEATURES)"""
    visible: F32Array
    """(N,) 0 or 1"""
    open: F32Array
    """(N,) 0 to 1; any value where ``trust`` is 0"""
    trust: F32Array
    """(N,) weight of ``open``"""

    def part(self, kept: BoolArray) -> Eyes:
        """Those where ``kept``, (N,), is true."""
        return Eyes(features=self.features[kept], visible=self.visible[kept],
                    open=self.open[kept], trust=self.trust[kept])  # fmt: skip


def real_faces(roots: dict[str, Path], count: int) -> Iterator[Face]:
    """Cut-outs of training faces of each source.

    All with a closed or a hidden eye, and ``count`` of the others.
    """
    rng = np.random.default_rng(SCENE_SEED)
    for source, root in roots.items():
        chosen: list[tuple[Record, F64Array]] = []
        others: list[tuple[Record, F64Array]] = []
        for record in training_faces(source, root).records:
            seen = eyes_seen(record.image, record.points)
            rare = (openings(record.points) < CLOSED).any() or (seen == 0).any()
            (chosen if rare else others).append((record, seen))
        for record, seen in chosen + others[:: max(1, -(-len(others) // count))]:
            known = record.points[np.isfinite(record.points).all(axis=1)]
            true = square_around_landmarks(known)
            middle = (true.left + true.side / 2, true.top + true.side / 2)
            square = square_at(*middle, CONTEXT * true.side)
            picture = read_picture(record.image)
            cut = cut_square(picture, square)
            image = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            yield Face(image=np.asarray(image, np.uint8), seen=seen,
                       points=square.to_crop(record.points) * SIDE, trust=record.lids,
                       scene=reflect.beside(picture, np.array(middle), rng))  # fmt: skip


def drawn_faces(count: int, seed: int) -> Iterator[Face]:
    """Procedural faces with their landmarks."""
    for index in range(count):
        face = make_faces(1, seed, index)
        yield Face(image=face.images[0], points=face.landmarks[0].astype(np.float64) * SIZE)


def variants(face: Face, rng: Rng) -> Iterator[tuple[Image, F64Array]]:
    """Pictures of a face, and how far its left and right eye are seen on each, (2,) 0 to 1."""
    image, points = face.image, face.points
    seen, hidden = np.ones(2), np.zeros(2)
    yield image, seen
    yield _toned(image, rng), seen
    yield cover.glasses(image, points, rng), seen
    yield (cover.mask(image, points, rng) if rng.random() < 0.5 else _haze(image, rng)), seen
    yield _dark(image, rng.uniform(0.12, 0.8), rng), seen
    yield _blurred(image, points, rng.uniform(0.005, 0.025)), seen
    yield _dark(cover.sunglasses(image, points, rng), rng.uniform(0.3, 1.0), rng), hidden
    yield cover.sunglasses(image, points, rng), hidden
    for draw in (cover.hand, cover.hand, _box):
        which = int(rng.integers(0, 3))
        yield draw(image, points, rng, which), np.array([(0, 1), (1, 0), (0, 0)][which])
    yield cover.hand(image, points, rng), hidden
    yield cover.hair(image, points, rng), hidden
    yield _blurred(image, points, rng.uniform(0.13, 0.3)), hidden
    yield _dark(image, rng.uniform(0.0, 0.02), rng), hidden
    for light in (1.0, 1.0, rng.uniform(0.3, 1.0)):
        mirroring = reflect.mirroring(image, points, _scene(face, rng), rng)
        yield (_dark(mirroring, light, rng) if light < 1 else mirroring), hidden
    for _ in range(2):
        strength = rng.uniform(*reflect.VEIL)
        drawn, light_in = reflect.veiled(image, points, _scene(face, rng), strength, rng)
        yield drawn, 1 - light_in
    for _ in range(3):
        drawn, spots = reflect.lamps(image, points, rng)
        yield drawn, 1 - spots


def _scene(face: Face, rng: Rng) -> Image:
    """What glasses reflect: what is beside the face, or something drawn."""
    if face.scene is None or rng.random() < 0.5:
        return reflect.drawn_scene(rng)
    return face.scene


def collect_eyes(faces: Iterable[Face], seed: int) -> Eyes:
    """All variants of the faces as features."""
    rng = np.random.default_rng(seed)
    rows: list[F32Array] = []
    labels: list[F64Array] = []
    for face in _shown(faces):
        unit = float(inter_ocular(face.points))
        ratios = openings(face.points)
        known = np.isfinite(ratios) * face.trust
        wide = np.clip((np.nan_to_num(ratios, nan=OPEN) - SHUT) / (OPEN - SHUT), 0, 1)
        for picture, shown in variants(face, rng):
            drawn = judged(shown)
            visible = np.where(drawn == 0, 0.0, drawn * face.seen)
            lost = not drawn.any() and rng.random() < 0.5
            guessed = (_lost if lost else _missed)(face.points, unit, rng)
            features = eye_features(picture, guessed)
            if features is None:
                continue
            clear = np.isfinite(visible)
            rows.append(features[clear])
            labels.append(np.stack([visible, wide, known * visible])[:, clear])
    if not rows:
        raise UserError("there is no face to learn from; name data sets or a number of drawn faces")
    table: F32Array = np.concatenate(labels, axis=1).astype(np.float32)
    return Eyes(features=np.concatenate(rows), visible=table[0], open=table[1], trust=table[2])


def _shown(faces: Iterable[Face]) -> Iterator[Face]:
    """Faces with a shut or hidden eye again and again, those with open eyes also drawn shut."""
    for face in faces:
        ratios = openings(face.points)
        rare = (ratios < CLOSED).any() or (face.seen == 0).any()
        yield from [face] * (AGAIN if rare else 1)
        if (ratios > OPEN).all():
            points = face.points.copy()
            points[UPPER_LIDS] = points[LOWER_LIDS]
            yield replace(face, image=shut_eyes(face.image, face.points), points=points)


def _lost(points: Points, unit: float, rng: Rng) -> Points:
    """Points as a network guesses them that cannot see the eyes."""
    middle = np.nanmean(points, axis=0)
    sized = middle + rng.uniform(*LOST_SIZES) * (points - middle)
    return _missed(sized + rng.normal(0, LOST * unit, 2), unit, rng)


def _missed(points: Points, unit: float, rng: Rng) -> Points:
    """Points as a network finds them: all shifted, and each a little by itself."""
    shift = rng.normal(0, OFF * unit, (1, 2)) + rng.normal(0, OFF * unit / 2, points.shape)
    return np.asarray(points + shift, np.float64)


class EyeNet(nn.Module):
    """What host.face.eyes.probabilities computes, before the sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        sides = (2, *CHANNELS)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, 2, 1) for before, after in pairwise(sides)
        )
        places = PATCH[0] * PATCH[1] // 4 ** len(CHANNELS)
        self.hidden = nn.Linear(places * CHANNELS[-1] + SUMMARY, HIDDEN)
        self.out = nn.Linear(HIDDEN, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (N, 2), visible and open, of features (N, FEATURES)."""
        level = features[:, :-SUMMARY].numpy().reshape(-1, PATCH[1], PATCH[0])
        maps = torch.from_numpy(np.stack([level, stretched(level)], axis=1))
        for convolution in self.convolutions:
            maps = torch.relu(convolution(maps))
        vector = torch.cat([maps.permute(0, 2, 3, 1).flatten(1), features[:, -SUMMARY:]], 1)
        return torch.as_tensor(self.out(torch.relu(self.hidden(vector))))

    def network(self) -> Network:
        """The parameters as the host takes them."""
        parts: list[Tensor] = []
        for one in self.convolutions:
            parts += [one.weight.flatten(1).T, one.bias]
        for layer in (self.hidden, self.out):
            parts += [layer.weight.T, layer.bias]
        return Network(*(np.ascontiguousarray(part.detach().numpy()) for part in parts))


def fit_twice(eyes: Eyes, seed: int) -> Network:
    """Fit the network, leave out the visible eyes that it believes least, and fit it again."""
    first = fit(eyes, seed, SHORT)
    with torch.no_grad():
        score = first(torch.from_numpy(eyes.features))[:, 0].numpy()
    hidden = eyes.visible == 0
    limit = np.quantile(score[~hidden], WORST)
    return fit(eyes.part(hidden | (score > limit)), seed, EPOCHS).network()


def fit(eyes: Eyes, seed: int, epochs: int) -> EyeNet:
    """The network after so many passes, on one thread: it is tiny."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _fit(eyes, seed, epochs)
    finally:
        torch.set_num_threads(threads)


def _fit(eyes: Eyes, seed: int, epochs: int) -> EyeNet:
    generator = torch.Generator().manual_seed(seed)
    net = EyeNet()
    for parameter in net.parameters():
        with torch.no_grad():
            spread = (2 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 0.0
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    given = torch.from_numpy(eyes.features)
    wanted = torch.from_numpy(np.stack([eyes.visible, eyes.open], 1))
    rare = 1 + (RARE - 1) * (1 - eyes.open)
    weights = torch.from_numpy(
        np.stack([1 + (MARGIN - 1) * eyes.visible, eyes.trust * rare], 1).astype(np.float32)
    )
    steps = epochs * -(-len(wanted) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(wanted), generator=generator).split(BATCH):
            loss = nn.functional.binary_cross_entropy_with_logits(
                net(given[chosen]), wanted[chosen], weights[chosen]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return net


def write_network(path: Path, network: Network) -> None:
    """Write the network in half precision, as host.face.eyes reads it."""
    parts = {name: part.astype(np.float16) for name, part in network._asdict().items()}
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **parts)


def _box(image: Image, points: Points, rng: Rng, which: int) -> Image:
    """A plain box over one eye, 0 or 1, or over cover.BOTH."""
    eyes = cover.eyes_of(points)
    drawn = image
    tone = rng.uniform(0, 255)
    for side in (0, 1) if which == cover.BOTH else (which,):
        across = eyes.along * rng.uniform(0.24, 0.42) * eyes.apart
        down = eyes.down * rng.uniform(0.16, 0.4) * eyes.apart
        at = eyes.centres[side]
        outline = np.stack([at - across - down, at + across - down, at + across + down,
                            at - across + down])  # fmt: skip
        drawn = cover.blend(drawn, outline, tone, 1.0, rng.uniform(0, 0.03) * eyes.apart)
    return drawn


def _toned(image: Image, rng: Rng) -> Image:
    """The picture with another tone curve, a little smaller or larger in detail."""
    levels = 255 * (image / 255) ** rng.uniform(0.5, 2.0)
    small = rng.uniform(0.4, 1.0)
    coarse = cv2.resize(_bytes(levels), None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
    shown = cv2.resize(coarse, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(shown, np.uint8)


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
