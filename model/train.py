# SPDX-License-Identifier: Apache-2.0
"""FP32 training on procedural faces: configurations, loss, checkpoints, exact resume."""

from __future__ import annotations

import copy
import csv
import json
import math
import platform
import subprocess
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress
from torch import Tensor

from host.errors import UserError
from model.augment import augment
from model.checkpoint import save
from model.face_cache import generator_id, make_chunks, read_chunks
from model.faces import Faces
from model.landmarks import NUM_LANDMARKS
from model.metrics import Metrics, measure
from model.network import PFLD

HELD_OUT_SEED = 1_000_000  #: added to the seed for the faces that are only measured


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """What is trained, on what, and how."""

    width: float = 1.0
    """Multiplier of the network's channels."""
    s3: str = "conv7x7"
    """Reading of the last convolution, see PFLD."""
    faces: int = 20_000
    """Procedural faces to train on."""
    held_out: int = 500
    """Procedural faces to measure on after every epoch."""
    epochs: int = 40
    """Passes over the faces."""
    batch: int = 128
    """Faces a step, at least 2."""
    rate: float = 3e-3
    """Highest learning rate."""
    warm_up: float = 0.05
    """Share of the steps in which the rate rises; then it falls along a cosine to 0."""
    decay: float = 1e-4
    """Weight decay of AdamW."""
    average: float = 0.998
    """Decay of the weights' moving average, which is what is measured and shipped."""
    pose_weight: float = 1.0
    """Weight of the auxiliary branch's term."""
    seed: int = 1
    """Of faces, initial weights, order and augmentation."""
    threads: int = 2
    """Threads of torch."""

    def __post_init__(self) -> None:
        least = {"faces": 2, "held_out": 1, "epochs": 1, "batch": 2, "threads": 1, "seed": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise UserError(f"{name}={getattr(self, name)} is too small; use {value} or more")
        if self.batch > self.faces:
            raise UserError(f"batch={self.batch} is more than faces={self.faces}; use fewer")
        if not self.rate > 0:
            raise UserError(f"rate={self.rate} is not positive; use for example 0.003")
        for name in ("warm_up", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)} is outside of 0 <= {name} < 1")

    @property
    def steps(self) -> int:
        """Steps of an epoch; a last incomplete batch is left out."""
        return self.faces // self.batch


CONFIGS = {
    "pfld_025x": TrainConfig(
        width=0.25, faces=6_000, epochs=14, batch=32, rate=4e-3, average=0.99
    ),
    "pfld_1x": TrainConfig(faces=100_000, epochs=60, rate=2e-3),
    "smoke": TrainConfig(width=0.125, faces=256, held_out=32, epochs=4, batch=32),
}
"""Named configurations of ``python -m model train``."""


def find_config(name: str, **changes: object) -> TrainConfig:
    """Configuration ``name`` with the fields in ``changes`` that are not None replaced."""
    if name not in CONFIGS:
        raise UserError(f"config {name!r} is unknown; use one of {', '.join(CONFIGS)}")
    known = [field.name for field in fields(TrainConfig)]
    for key in changes:
        if key not in known:
            raise UserError(f"field {key!r} is unknown; use one of {', '.join(known)}")
    return replace(CONFIGS[name], **{k: v for k, v in changes.items() if v is not None})


def wing(predicted: Tensor, true: Tensor, width: float = 10.0, bend: float = 2.0) -> Tensor:
    """Mean wing loss of coordinates in pixels: logarithmic below ``width``, linear above.

    Feng et al., "Wing Loss for Robust Facial Landmark Localisation", CVPR 2018.
    """
    distance = (predicted - true).abs()
    join = width - width * math.log1p(width / bend)
    near = width * torch.log1p(distance / bend)
    return torch.where(distance < width, near, distance - join).mean()


def loss_of(network: PFLD, images: Tensor, landmarks: Tensor, pose: Tensor, pose_weight: float
            ) -> Tensor:
    """Wing loss of the landmarks plus one minus the cosine of the errors of the angles."""
    predicted, angles = network(images)
    size = network.image_size
    marks = wing(predicted * size, landmarks.flatten(1) * size)
    return marks + pose_weight * (1 - torch.cos(angles - pose)).sum(1).mean()


def learning_rate(config: TrainConfig, step: int) -> float:
    """Rate of ``step`` (from 0): linear rise, then half a cosine down to 0."""
    total = config.epochs * config.steps
    rise = max(1, round(config.warm_up * total))
    if step < rise:
        return config.rate * (step + 1) / rise
    return config.rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


class Trainer:
    """Network, its average, optimiser and random state; ``state`` is all of it."""

    def __init__(self, config: TrainConfig) -> None:
        torch.manual_seed(config.seed)
        self.config, self.epoch = config, 0
        self.network = PFLD(config.width, NUM_LANDMARKS, config.s3)
        self.network.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.rate, weight_decay=config.decay
        )
        self.generator = torch.Generator().manual_seed(config.seed)

    def state(self) -> dict[str, object]:
        """Everything that the rest of the training depends on."""
        return {
            "train_config": asdict(self.config),
            "epoch": self.epoch,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load(self, path: Path) -> None:
        """Continue from a file with :meth:`state`. UserError if it is of another training."""
        try:
            state = torch.load(path, weights_only=True)
        except (OSError, RuntimeError) as error:
            raise UserError(f"{path} cannot be resumed from: {error}") from error
        if state["train_config"] != asdict(self.config):
            raise UserError(f"{path} is of another configuration; use the same or --out")
        self.epoch = state["epoch"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])

    @torch.no_grad()
    def start_at_mean(self, faces: Faces) -> None:
        """Make the untrained network answer with the mean face, which it then only corrects."""
        mean = torch.from_numpy(faces.landmarks.mean(0)).flatten()
        for network in (self.network, self.average):
            network.fc.bias.copy_(mean)
            network.fc.weight.mul_(0.1)

    def train_epoch(self, faces: Faces, progress: Progress | None = None) -> float:
        """One pass over the faces; returns the mean loss."""
        config, total = self.config, 0.0
        if self.epoch == 0:
            self.start_at_mean(faces)
        self.network.train()
        order = np.random.default_rng((config.seed, self.epoch)).permutation(len(faces.images))
        bar = progress.add_task(f"epoch {self.epoch + 1}", total=config.steps) if progress else None
        for step in range(config.steps):
            chosen = order[step * config.batch : (step + 1) * config.batch]
            total += self._step(self.epoch * config.steps + step, *batch_of(faces, chosen))
            if progress and bar is not None:
                progress.advance(bar)
        if progress and bar is not None:
            progress.remove_task(bar)
        self.epoch += 1
        return total / config.steps

    def _step(self, step: int, images: Tensor, landmarks: Tensor, pose: Tensor) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config, step)
        images, landmarks, pose = augment(images, landmarks, pose, self.generator)
        images = images.contiguous(memory_format=torch.channels_last)
        loss = loss_of(self.network, images, landmarks, pose, self.config.pose_weight)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self._follow(min(self.config.average, (1 + step) / (10 + step)))
        return loss.item()

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        """Move the average towards the network."""
        own, new = self.average.state_dict(), self.network.state_dict()
        for name, value in own.items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - keep)
            else:
                value.copy_(new[name])

    def weights(self) -> dict[str, object]:
        """Checkpoint for the later stages: the network's arguments and averaged weights."""
        return {"config": self.average.config(), "state_dict": self.average.state_dict()}


def batch_of(faces: Faces, chosen: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    """Images (B, 1, S, S) in 0..1, landmarks (B, 98, 2) and pose (B, 3) of some faces."""
    images = torch.from_numpy(faces.images[chosen]).float()[:, None] / 255
    return images, torch.from_numpy(faces.landmarks[chosen]), torch.from_numpy(faces.pose[chosen])


@torch.no_grad()
def predict(network: PFLD, images: np.ndarray, batch: int = 128) -> np.ndarray:
    """Landmarks (N, 98, 2) of uint8 images (N, S, S)."""
    network.eval()
    results = []
    for start in range(0, len(images), batch):
        part = torch.from_numpy(images[start : start + batch]).float()[:, None] / 255
        results.append(network(part.contiguous(memory_format=torch.channels_last)))
    return torch.cat(results).reshape(len(images), -1, 2).numpy()


def describe(config: TrainConfig) -> dict[str, object]:
    """The configuration with the versions that made the result."""
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True
    )
    return {
        **asdict(config),
        "git": found.stdout.strip() or "unknown",
        "generator": generator_id(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def run_training(config: TrainConfig, out: Path, cache: Path, resume: bool = False) -> Metrics:
    """Train; in ``out`` are last.pt (to resume), weights.pt, log.csv and config.json.

    cache: folder for the faces. Returns the metrics on the held-out faces after the last epoch.
    """
    torch.set_num_threads(config.threads)
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(describe(config), indent=2) + "\n")
    trainer = Trainer(config)
    if resume:
        trainer.load(out / "last.pt")
    with Progress(transient=True) as progress:
        faces = collect(config.faces, config.seed, config.threads, cache, progress)
        held_seed = config.seed + HELD_OUT_SEED
        held = collect(config.held_out, held_seed, config.threads, cache, progress)
        while trainer.epoch < config.epochs:
            start = time.perf_counter()
            loss = trainer.train_epoch(faces, progress)
            metrics = measure(predict(trainer.average, held.images), held.landmarks)
            seconds = time.perf_counter() - start
            save(trainer.weights(), out / "weights.pt")
            write_row(out / "log.csv", trainer.epoch, loss, metrics, seconds)
            save(trainer.state(), out / "last.pt")
            progress.console.print(
                f"epoch {trainer.epoch}/{config.epochs}  loss {loss:.3f}  NME {metrics.nme:.2f} %  "
                f"FR@10 {metrics.failure_rate:.1f} %  {seconds:.1f} s"
            )
    return measure(predict(trainer.average, held.images), held.landmarks)


def collect(count: int, seed: int, workers: int, cache: Path, progress: Progress) -> Faces:
    """``count`` faces of ``seed`` from the cache, made where missing."""
    task = progress.add_task(f"{count} faces", total=None)
    paths = []
    for path in make_chunks(cache, count, seed, workers):
        paths.append(path)
        progress.advance(task)
    progress.remove_task(task)
    return read_chunks(paths, count)


def write_row(path: Path, epoch: int, loss: float, metrics: Metrics, seconds: float) -> None:
    """Append an epoch to the CSV file; the first epoch starts it anew."""
    row = {"epoch": epoch, "loss": loss, **asdict(metrics), "seconds": seconds}
    with path.open("w" if epoch == 1 else "a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if epoch == 1:
            writer.writeheader()
        writer.writerow(row)
