# SPDX-License-Identifier: Apache-2.0
"""The faces of a training: from the mix of a configuration to batches."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress

from host.common.arrays import IntArray
from host.common.errors import UserError
from model.data.augment import Batch, augment, join, view
from model.data.crops import Crops, cached_crops, from_procedural
from model.data.lids import CLOSED, openings
from model.data.registry import PROCEDURAL, TRAINING, training_faces
from model.faces.cache import make_chunks, read_chunks
from model.faces.render import Faces

TURNED = np.pi / 4  #: radians of yaw beyond which a face is turned
HELD_OUT_SEED = 1_000_000  #: added to the seed for the faces that are only measured


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How often an epoch shows faces that are rare; a face of two kinds comes as the rarer one."""

    closed: int = 1
    """Faces with both eyes closed."""
    winking: int = 1
    """Faces with one eye closed."""
    turned: int = 1
    """Faces turned by more than 45 degrees to a side."""

    def __post_init__(self) -> None:
        for name in ("closed", "winking", "turned"):
            if not 1 <= getattr(self, name) <= 100:
                raise UserError(f"{name}={getattr(self, name)} is out of range; use 1 to 100")

    def times(self, crops: Crops) -> IntArray:
        """How often each face comes, (N,)."""
        known = np.where(crops.mask[..., None], crops.landmarks, np.nan)
        closed = openings(known) < CLOSED
        turned = np.abs(np.nan_to_num(crops.pose[:, 0])) > TURNED
        times = np.where(turned, self.turned, 1)
        times = np.maximum(times, np.where(closed.all(1), self.closed, 1))
        return np.maximum(times, np.where(closed[:, 0] != closed[:, 1], self.winking, 1))


@dataclass(frozen=True, kw_only=True)
class MixConfig:
    """Which faces are shown, how often, and which are only measured."""

    mix: tuple[tuple[str, float], ...] = ((PROCEDURAL, 1.0),)
    """Sources of faces, each with the number of times that an epoch goes through it."""
    balance: Balance = field(default_factory=Balance)
    """How often faces that are rare come again."""
    faces: int = 20_000
    """Procedural faces to train on, where they are in the mix."""
    held_out: int = 500
    """Procedural faces to measure on after every epoch."""
    measured: str = "wflw"
    """Source of which some faces are not trained on but measured after every epoch."""
    held_back: int = 8
    """Of that source one face in so many."""
    seed: int = 1
    """Of faces, initial weights, order and augmentation."""
    threads: int = 2
    """Threads of torch, and processes that draw faces."""

    def __post_init__(self) -> None:
        if not self.mix:
            raise UserError("the mix is empty; name at least one source")
        known = [PROCEDURAL, *TRAINING]
        for source, repeats in self.mix:
            if source not in known:
                raise UserError(f"source {source!r} is unknown; use one of {', '.join(known)}")
            if not 0 < repeats <= 100:
                raise UserError(f"{source} is repeated {repeats} times; use above 0, up to 100")
        if self.measured not in TRAINING:
            raise UserError(f"measured={self.measured!r} is no source; use {', '.join(TRAINING)}")
        if self.held_back < 2:
            raise UserError(f"held_back={self.held_back} leaves nothing to train on; use 2 or more")

    @property
    def sources(self) -> list[str]:
        """Names of the sources in the mix."""
        return [source for source, _ in self.mix]


@dataclass(frozen=True)
class Mixture:
    """Several sets of crops, each with how often an epoch shows them."""

    parts: tuple[Crops, ...]
    repeats: tuple[float, ...]
    balance: Balance = Balance()
    """How often faces that are rare come again."""
    resident: dict[int, Batch] = field(default_factory=dict, compare=False)
    """Parts in the memory of a GPU, pictures as bytes, from their first use on."""

    def order(self, seed: int, epoch: int) -> IntArray:
        """Random order of an epoch: rows (part, face). A fraction of a repeat is a random part."""
        rng = np.random.default_rng((seed, epoch))
        rows = []
        for number, (crops, repeats) in enumerate(zip(self.parts, self.repeats, strict=True)):
            whole, rest = int(repeats), round((repeats - int(repeats)) * len(crops))
            chosen = np.tile(np.arange(len(crops)), whole)
            chosen = np.concatenate([chosen, rng.permutation(len(crops))[:rest]])
            chosen = np.repeat(chosen, self.balance.times(crops)[chosen])
            rows.append(np.stack([np.full(len(chosen), number), chosen], 1))
        return rng.permutation(np.concatenate(rows))

    def batch(
        self, rows: IntArray, size: int, generator: torch.Generator, strength: float
    ) -> Batch:
        """The faces of ``rows``, changed at random unless ``strength`` is 0; sorted by part.

        All happens on the device of the generator; a GPU keeps the crops in its memory.
        """
        batches = []
        for framed in (False, True):
            raw = [
                self._raw(number, rows[rows[:, 0] == number, 1], generator.device)
                for number in np.unique(rows[:, 0])
                if self.parts[number].framed == framed
            ]
            if raw:
                change = augment if strength else _plain
                batches.append(change(join(raw), framed, size, generator, strength))
        return join(batches)

    def _raw(self, number: int, chosen: IntArray, device: torch.device) -> Batch:
        """Faces of a part as they are."""
        crops = self.parts[number]
        if device.type == "cpu":
            return as_batch(crops, chosen)
        if number not in self.resident:
            whole = as_tensors(crops, np.arange(len(crops)))
            self.resident[number] = whole.to(device)
        index = torch.from_numpy(chosen).to(device, non_blocking=True)
        return in_range(self.resident[number].part(index))

    def mean_shape(self) -> torch.Tensor:
        """Mean of the landmarks as the network sees them, (98, 2)."""
        total, count = torch.zeros(98, 2), torch.zeros(98, 1)
        for crops in self.parts:
            seen = view(as_batch(crops, np.arange(min(len(crops), 2000))), crops.framed, 8)
            total += (seen.landmarks * seen.mask[..., None]).sum(0)
            count += seen.mask.sum(0)[:, None]
        return torch.where(count > 0, total / count.clamp_min(1), torch.full_like(total, 0.5))

    def attribute_shares(self) -> torch.Tensor:
        """Part of all faces with each attribute, (6,)."""
        flags = np.concatenate([crops.attributes for crops in self.parts])
        return torch.from_numpy(flags.mean(0)).float()


def endless(mixture: Mixture, batch: int, size: int, seed: int, strength: float) -> Iterator[Batch]:
    """Batches without end, epoch after epoch in another order."""
    generator = torch.Generator().manual_seed(seed)
    for epoch in itertools.count():
        order = mixture.order(seed, epoch)
        if len(order) < batch:
            raise UserError(f"batch={batch} is more than the {len(order)} faces; use fewer")
        for start in range(0, len(order) - batch + 1, batch):
            yield mixture.batch(order[start : start + batch], size, generator, strength)


def calibration_images(mixture: Mixture, count: int, size: int, seed: int) -> torch.Tensor:
    """At most ``count`` faces of an epoch seen plainly, in whole bytes over 255: (N, 1, S, S)."""
    rows = mixture.order(seed, 0)[:count]
    images = mixture.batch(rows, size, torch.Generator(), 0.0).images
    return (images * 255).round() / 255


def _plain(
    batch: Batch, framed: bool, size: int, generator: torch.Generator, strength: float
) -> Batch:
    return view(batch, framed, size)


def as_batch(crops: Crops, chosen: IntArray) -> Batch:
    """Faces of ``crops`` as they are, pictures (B, 1, S, S) in 0..1."""
    return in_range(as_tensors(crops, chosen))


def in_range(batch: Batch) -> Batch:
    """The same with its pictures, bytes, as fractions."""
    return replace(batch, images=batch.images.float() / 255)


def as_tensors(crops: Crops, chosen: IntArray) -> Batch:
    """Faces of ``crops`` with pictures (B, 1, S, S) of bytes."""
    part = crops.part(chosen)
    return Batch(
        torch.from_numpy(np.array(part.images))[:, None],
        torch.from_numpy(part.landmarks),
        torch.from_numpy(part.mask),
        torch.from_numpy(part.pose),
        torch.from_numpy(part.attributes),
        torch.from_numpy(part.weights),
        torch.from_numpy(part.lids),
    )


def collect(
    config: MixConfig,
    roots: Mapping[str, Path],
    cache: Path,
    progress: Progress,
    tell: Callable[[str], None],
) -> tuple[Mixture, Crops]:
    """Faces to train on and faces to measure on.

    roots: folder of each source of real faces; sources of the mix without one are left out.
    cache: folder of crops and procedural faces. tell: gets lines about what was left out.
    Where the measured source is left out, procedural faces are measured or a part of the first
    source. UserError: nothing to train on, or a root for a source that is not in the mix.
    """
    check_roots(config, roots)
    parts, repeats, held = [], [], None
    for source, times in config.mix:
        if source == PROCEDURAL:
            crops = procedural(config.faces, config.seed, config.threads, cache, progress)
        elif source in roots:
            crops = real(source, roots[source], cache, progress, tell)
        else:
            tell(f"{source} is left out: no folder given with --data {source}=FOLDER")
            continue
        if source == config.measured:
            crops, held = hold_back(crops, config.held_back)
        parts.append(crops)
        repeats.append(times)
    if not parts:
        raise UserError(
            "nothing to train on; give the folder of a source with --data SOURCE=FOLDER, "
            f"the sources are {', '.join(config.sources)}"
        )
    if held is None and PROCEDURAL in config.sources:
        seed = config.seed + HELD_OUT_SEED
        held = procedural(config.held_out, seed, config.threads, cache, progress)
    elif held is None:
        parts[0], held = hold_back(parts[0], config.held_back)
    return Mixture(tuple(parts), tuple(repeats), config.balance), held


def check_roots(config: MixConfig, roots: Mapping[str, Path]) -> None:
    """Raise UserError for a folder of a source that the configuration does not use."""
    for source in roots:
        if source not in config.sources or source == PROCEDURAL:
            allowed = [s for s in config.sources if s != PROCEDURAL] or ["none"]
            raise UserError(
                f"--data {source}: this configuration does not read {source}; it reads "
                f"{', '.join(allowed)}"
            )


def real(
    source: str, root: Path, cache: Path, progress: Progress, tell: Callable[[str], None]
) -> Crops:
    """Crops of a source of photographs; says what it left out."""
    listing = training_faces(source, root)
    task = progress.add_task(f"{source}: crops", total=len(listing.records))
    crops = cached_crops(listing, cache, lambda done: progress.update(task, completed=done))
    progress.remove_task(task)
    tell(f"{source}: {len(crops)} faces")
    if listing.problems:
        shown = "; ".join(listing.problems[:3])
        tell(f"{source}: {len(listing.problems)} faces left out: {shown}")
    return crops


def hold_back(crops: Crops, every: int) -> tuple[Crops, Crops]:
    """Split off one face in ``every``: the faces that stay, and those held back."""
    held = np.arange(len(crops)) % every == 0
    if held.all():
        raise UserError(f"{crops.name} has {len(crops)} face(s), too few to hold one back")
    return crops.part(np.flatnonzero(~held)), crops.part(np.flatnonzero(held))


def procedural(count: int, seed: int, workers: int, cache: Path, progress: Progress) -> Crops:
    """``count`` procedural faces of ``seed`` from the cache, made where missing."""
    return from_procedural(procedural_faces(count, seed, workers, cache, progress))


def procedural_faces(count: int, seed: int, workers: int, cache: Path, progress: Progress) -> Faces:
    """The same as :class:`model.faces.render.Faces`."""
    task = progress.add_task(f"{count} faces", total=None)
    paths = []
    for path in make_chunks(cache, count, seed, workers):
        paths.append(path)
        progress.advance(task)
    progress.remove_task(task)
    return read_chunks(paths, count)
