# SPDX-License-Identifier: Apache-2.0
"""FP32 training on any mix of data sets: steps, averaged weights, checkpoints, exact resume."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from host.common.atomic import write_text
from host.common.errors import UserError
from host.common.provenance import provenance
from host.face.landmarks import COUNT
from host.face.metrics import Metrics, measure_known
from model.data.augment import Batch, view
from model.data.crops import Crops
from model.data.mixture import Mixture, as_batch, collect
from model.faces.cache import generator_id
from model.network.checkpoint import load_network, save
from model.network.infer import predict
from model.network.pfld import PFLD, freeze_statistics
from model.training import curves, parallel
from model.training.config import TrainConfig
from model.training.losses import angle_error, attribute_weights, face_losses


def learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Rate of ``step`` (from 0) of ``steps``: linear rise, then as the schedule says."""
    rise = max(1, round(config.warm_up * steps))
    if step < rise:
        return config.rate * (step + 1) / rise
    if config.schedule == "constant":
        return config.rate
    return config.rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


def choose_device() -> torch.device:
    """The GPU of this process if there is one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


class Trainer:
    """Network, its average, optimiser and random state; ``state`` is all of it."""

    def __init__(self, config: TrainConfig, device: torch.device | None = None) -> None:
        torch.manual_seed(config.seed)
        self.config, self.epoch = config, 0
        self.device = device or torch.device("cpu")
        network = PFLD(config.width, COUNT, config.s3, pose_branch=config.pose_weight > 0)
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        self.forward = parallel.distribute(self.network, self.device)
        self.optimiser = make_optimiser(config, self.network)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.shares: Tensor | None = None
        self.initialised = False

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
            state = torch.load(path, weights_only=True, map_location="cpu")
        except (OSError, RuntimeError) as error:
            raise UserError(f"{path} cannot be resumed from: {error}") from error
        if state["train_config"] != asdict(self.config):
            raise UserError(f"{path} is of another configuration; use the same or --out")
        self.epoch = state["epoch"]
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generator"])

    def start_from(self, path: Path) -> None:
        """Take the weights of the FP32 checkpoint ``path``; a missing pose branch stays random."""
        given = load_network(path)
        if given.config() != self.network.config():
            raise UserError(
                f"{path} is of a network {given.config()}, the configuration wants "
                f"{self.network.config()}"
            )
        for network in (self.network, self.average):
            found = given.state_dict()
            own = network.state_dict()
            network.load_state_dict({n: found.get(n, v) for n, v in own.items()})
        self.initialised = True

    @torch.no_grad()
    def start_at_mean(self, mean: Tensor) -> None:
        """Make the untrained network answer with the mean face, which it then only corrects."""
        for network in (self.network, self.average):
            network.fc.bias.copy_(mean.flatten())
            network.fc.weight.mul_(0.1)

    def train_epoch(self, mixture: Mixture, progress: Progress | None = None) -> float:
        """One pass over the faces; returns the mean loss."""
        config = self.config
        if self.epoch == 0 and not self.initialised:
            self.start_at_mean(mixture.mean_shape())
        self.shares = mixture.attribute_shares().to(self.device)
        order = mixture.order(config.seed, self.epoch)
        steps = len(order) // config.batch
        if not steps:
            raise UserError(
                f"batch={config.batch} is more than the {len(order)} faces of an epoch; use fewer"
            )
        part, total = parallel.share(config.batch), 0.0
        self.network.train()
        if config.frozen:
            freeze_statistics(self.network)
        bar = progress.add_task(f"epoch {self.epoch + 1}", total=steps) if progress else None
        for step in range(steps):
            rows = order[step * config.batch : (step + 1) * config.batch]
            strength = config.strength(self.epoch)
            batch = mixture.batch(rows, self.network.image_size, self.generator, strength)
            number = self.epoch * steps + step
            rate = learning_rate(config, number, config.epochs * steps)
            total += self._step(number, rate, batch.part(part))
            if progress and bar is not None:
                progress.advance(bar)
        if progress and bar is not None:
            progress.remove_task(bar)
        self.epoch += 1
        return parallel.mean(total / steps)

    def _step(self, step: int, rate: float, batch: Batch) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = self.loss(batch.to(self.device))
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 30.0)
        self.optimiser.step()
        self._follow(min(self.config.average, (1 + step) / (10 + step)))
        return float(loss.item())

    def loss(self, batch: Batch) -> Tensor:
        """Loss of a batch: that of the points, weighted, plus that of the angles."""
        config = self.config
        images = batch.images.contiguous(memory_format=torch.channels_last)
        with self._precision():
            result = self.forward(images)
        landmarks, angles = result if isinstance(result, tuple) else (result, None)
        found = landmarks.to(batch.landmarks.dtype).view(len(images), -1, 2)
        terms = face_losses(config, found, batch, self.network.image_size)
        if config.attribute_weights and self.shares is not None:
            terms = terms * attribute_weights(batch.attributes, self.shares)
        if angles is None:
            return terms.mean()
        errors = angle_error(angles.float(), batch.pose)
        if config.angle_weights:
            known = torch.isfinite(batch.pose).all(1)
            terms = terms * torch.where(known, errors, torch.ones_like(errors))
        return (terms + config.pose_weight * errors).mean()

    def _precision(self) -> torch.autocast | nullcontext[None]:
        """bfloat16 on a GPU, float32 on a CPU."""
        if self.device.type == "cuda":
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return nullcontext()

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
        state = {name: value.cpu() for name, value in self.average.state_dict().items()}
        return {"config": self.average.config(), "state_dict": state}


def make_optimiser(config: TrainConfig, network: PFLD) -> torch.optim.Optimizer:
    """AdamW, which decays filters only, or Adam with the decay of all in the gradient."""
    if config.optimiser == "adam":
        return torch.optim.Adam(network.parameters(), lr=config.rate, weight_decay=config.decay)
    filters = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": filters, "weight_decay": config.decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.rate)


def measure_crops(network: PFLD, crops: Crops) -> Metrics:
    """Metrics of a network on labelled crops, each seen plainly."""
    found, true = [], []
    for start in range(0, len(crops), 64):
        chosen = np.arange(start, min(start + 64, len(crops)))
        seen = view(as_batch(crops, chosen), crops.framed, network.image_size)
        images = (seen.images[:, 0] * 255).round().to(torch.uint8).numpy()
        found.append(predict(network, images))
        true.append(torch.where(seen.mask[..., None], seen.landmarks, torch.nan).numpy())
    return measure_known(np.concatenate(found), np.concatenate(true))


def describe(config: TrainConfig) -> dict[str, object]:
    """The configuration with what made the result."""
    return {**asdict(config), "generator": generator_id(), **provenance()}


def run_training(
    config: TrainConfig,
    out: Path,
    cache: Path,
    resume: bool = False,
    roots: Mapping[str, Path] | None = None,
    init: Path | None = None,
) -> Metrics:
    """Train; in ``out`` are last.pt (to resume), weights.pt, log.csv, curves.png, config.json.

    cache: folder for crops and procedural faces. roots: folder of each source of real faces.
    init: FP32 checkpoint to start from. Returns the metrics of the faces that are only measured.
    """
    torch.set_num_threads(config.threads)
    device = choose_device()
    parallel.start(device)
    try:
        trainer = Trainer(config, device)
        if init is not None:
            trainer.start_from(init)
        if resume:
            trainer.load(out / "last.pt")
        first = parallel.rank() == 0
        if first:
            out.mkdir(parents=True, exist_ok=True)
            write_text(out / "config.json", json.dumps(describe(config), indent=2) + "\n")
        console = Console(stderr=True, quiet=not first)
        with Progress(console=console, transient=True, disable=not first) as progress:
            mixture, held = collect(config, roots or {}, cache, progress, console.print)
            while trainer.epoch < config.epochs:
                run_epoch(trainer, mixture, held, out, progress)
        return measure_crops(trainer.average, held)
    finally:
        parallel.stop()


def run_epoch(
    trainer: Trainer, mixture: Mixture, held: Crops, out: Path, progress: Progress
) -> None:
    """Train one epoch, measure, and keep what came out."""
    start = time.perf_counter()
    loss = trainer.train_epoch(mixture, progress)
    if parallel.rank():
        return
    metrics = measure_crops(trainer.average, held)
    seconds = time.perf_counter() - start
    save(trainer.weights(), out / "weights.pt")
    row = {"epoch": trainer.epoch, "loss": loss, **asdict(metrics), "seconds": seconds}
    curves.append_row(out / "log.csv", row)
    curves.log_scalars(out / "tensorboard", row)
    curves.draw(out / "log.csv", out / "curves.png")
    save(trainer.state(), out / "last.pt")
    progress.console.print(
        f"epoch {trainer.epoch}/{trainer.config.epochs}  loss {loss:.3f}  "
        f"NME {metrics.nme:.2f} %  FR@10 {metrics.failure_rate:.1f} %  {seconds:.1f} s"
    )
