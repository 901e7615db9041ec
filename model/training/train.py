# SPDX-License-Identifier: Apache-2.0
"""FP32 training on any mix of data sets: steps, averaged weights, checkpoints, exact resume."""

from __future__ import annotations

import copy
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn
from torch.nn.functional import pad

from host.common.errors import UserError
from host.common.json_file import write_json
from host.common.provenance import provenance
from host.face.landmarks import COUNT
from host.face.metrics import Metrics, measure_known
from model.data.augment import Batch, view
from model.data.crops import Crops
from model.data.mixture import Mixture, as_batch
from model.faces.cache import generator_id
from model.network.checkpoint import DAMAGED, load_network, reason, save, save_network
from model.network.infer import predict
from model.network.pfld import PFLD, freeze_statistics
from model.training import curves, parallel
from model.training.config import TrainConfig
from model.training.losses import angle_error, attribute_weights, face_losses
from model.training.source import Source

KEEP_SECONDS = 180.0  #: between two files to resume from


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
        self.done, self.total, self.steps, self.seconds = 0, 0.0, 0, 0.0
        self.views = 0
        self.device = device or torch.device("cpu")
        network = PFLD(
            config.width,
            COUNT,
            config.s3,
            stem=config.stem,
            head=config.head,
            pose_branch=config.pose_weight > 0,
        )
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        self.forward = parallel.distribute(self.network, self.device)
        self.optimiser = make_optimiser(config, self.network)
        self.generator = torch.Generator(self.device).manual_seed(config.seed)
        self.shares: Tensor | None = None
        self.initialised = False

    def state(self) -> dict[str, object]:
        """Everything that the rest of the training depends on."""
        return {
            "train_config": asdict(self.config),
            "epoch": self.epoch,
            "done": self.done,
            "total": float(self.total),
            "steps": self.steps,
            "views": self.views,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            **provenance(),
        }

    def load(self, path: Path) -> None:
        """Continue from a file with :meth:`state`. UserError if it is of another training."""
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
            if state["train_config"] != asdict(self.config):
                raise UserError(f"{path} is of another configuration; use the same or --out")
            for name in ("epoch", "done", "total", "steps", "views", "seconds"):
                setattr(self, name, state[name])
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.generator.set_state(state["generator"])
        except DAMAGED as error:
            raise UserError(f"{path} cannot be resumed from: {reason(error)}") from error
        self.initialised = True

    def start_from(self, path: Path, partly: bool = False) -> list[str]:
        """Take the weights of the FP32 checkpoint ``path``; a missing pose branch stays random.

        partly: it may be of another network; what has the same name and shape is taken, smaller
        depthwise filters go into the middle of larger ones. Returns the names that stay random.
        """
        given = load_network(path)
        if not partly and given.config() != self.network.config():
            raise UserError(
                f"{path} is of a network {given.config()}, the configuration wants "
                f"{self.network.config()}"
            )
        found = given.state_dict()
        taken = {
            n: fitting(found[n], v) for n, v in self.network.state_dict().items() if n in found
        }
        taken = {n: v for n, v in taken.items() if v is not None}
        for network in (self.network, self.average):
            network.load_state_dict(taken, strict=False)
        self.initialised = True
        return [n for n in self.network.state_dict() if n not in taken]

    @torch.no_grad()
    def start_at_mean(self, mean: Tensor) -> None:
        """Make the untrained network answer with the mean face, which it then only corrects."""
        if self.config.head != "fc":
            return
        for network in (self.network, self.average):
            network.fc.bias.copy_(mean.flatten())
            network.fc.weight.mul_(0.1)

    def train_epoch(
        self,
        mixture: Mixture,
        progress: Progress | None = None,
        minutes: float | None = None,
        keep: Callable[[], bool] = lambda: False,
    ) -> float | None:
        """One pass over the faces, or its rest; returns the mean loss, None where it ended early.

        minutes: of the whole training, instead of the config's epochs; the rate falls along with
        the time. keep: called after each step, to write files; True ends the training.
        """
        config = self.config
        if self.epoch == 0 and not self.initialised:
            self.start_at_mean(mixture.mean_shape())
        self.initialised = True
        self.shares = mixture.attribute_shares().to(self.device)
        order = mixture.order(config.seed, self.epoch)
        steps = len(order) // config.batch
        if not steps:
            raise UserError(
                f"batch={config.batch} is more than the {len(order)} faces of an epoch; use fewer"
            )
        bar = Bar(progress, self.epoch, steps, config.batch)
        while self.done < steps:
            start = time.perf_counter()
            rows = order[self.done * config.batch : (self.done + 1) * config.batch]
            strength = config.strength(self.epoch)
            batch = mixture.batch(rows, self.network.image_size, self.generator, strength)
            self._step(self._rate(steps, minutes), batch.part(parallel.share(config.batch)))
            self.done, self.steps = self.done + 1, self.steps + 1
            self.views += config.batch
            self.seconds += time.perf_counter() - start
            bar.show(self.done)
            if keep() or finished(self, minutes):
                bar.remove()
                return None
        bar.remove()
        mean = float(self.total) / steps
        self.epoch, self.done, self.total = self.epoch + 1, 0, 0.0
        return parallel.mean(mean)

    def _rate(self, steps: int, minutes: float | None) -> float:
        """Learning rate of the next step, with so many ``steps`` in an epoch."""
        if minutes is None:
            length = self.config.views // self.config.batch or self.config.epochs * steps
            return learning_rate(self.config, self.steps, length)
        parts = 100_000  # the time as steps
        gone = min(parts - 1, int(parts * self.seconds / (60 * minutes)))
        return learning_rate(self.config, gone, parts)

    def _step(self, rate: float, batch: Batch) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        if self.config.frozen and self.steps >= self.config.live:
            freeze_statistics(self.network)
        loss = self.loss(batch.to(self.device))
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 30.0)
        self.optimiser.step()
        self._follow(min(self.config.average, (1 + self.steps) / (10 + self.steps)))
        self.total = self.total + loss.detach()  # on the device: reading it would wait

    def loss(self, batch: Batch) -> Tensor:
        """Loss of a batch: that of the points, weighted, plus that of the angles."""
        config = self.config
        images = batch.images.contiguous(memory_format=torch.channels_last)
        with self._precision():
            result = self.forward(images)
        found, angles = result if isinstance(result, tuple) else (result, None)
        found = found.to(batch.landmarks.dtype)
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
        """bfloat16 on a GPU, and on a CPU that has it where the configuration wants it."""
        if self.device.type == "cuda" or (self.config.bfloat16 and has_bfloat16()):
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
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

    def save_weights(self, path: Path) -> None:
        """Write the checkpoint for the later stages: the network of the averaged weights."""
        made = {"stage": "train", **asdict(self.config), "views": self.views}
        save_network(self.average, path, made)


class Bar:
    """Progress line of an epoch, with the faces a second."""

    def __init__(self, progress: Progress | None, epoch: int, steps: int, batch: int) -> None:
        self._progress, self._epoch, self._batch = progress, epoch, batch
        self._start, self._first = time.perf_counter(), -1
        self._task = progress.add_task(f"epoch {epoch + 1}", total=steps) if progress else None

    def show(self, done: int) -> None:
        """``done`` steps of the epoch are done."""
        if self._progress is None or self._task is None:
            return
        if self._first < 0:
            self._start, self._first = time.perf_counter(), done
        seconds = max(time.perf_counter() - self._start, 1e-9)
        rate = (done - self._first) * self._batch / seconds
        text = f"epoch {self._epoch + 1}  {rate:.0f} images/s"
        self._progress.update(self._task, completed=done, description=text)

    def remove(self) -> None:
        """The epoch is over."""
        if self._progress is not None and self._task is not None:
            self._progress.remove_task(self._task)


def fitting(given: Tensor, wanted: Tensor) -> Tensor | None:
    """``given`` in the shape of ``wanted``: itself, or filters in the middle of larger ones."""
    if given.shape == wanted.shape:
        return given
    if given.ndim != 4 or given.shape[:2] != wanted.shape[:2]:
        return None
    edges = [(w - g) // 2 for g, w in zip(given.shape[2:], wanted.shape[2:], strict=True)]
    if min(edges) < 0:
        return None
    return pad(given, (edges[1], edges[1], edges[0], edges[0]))


def has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16; emulated it would be slower than float32."""
    found = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return bool(found())


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


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a training starts, and how long it takes."""

    resume: bool = False
    """Go on from last.pt in the folder of results."""
    init: Path | None = None
    """FP32 checkpoint to start from."""
    partly: bool = False
    """It may be of another network, see Trainer.start_from."""
    minutes: float | None = None
    """Length, instead of the config's epochs."""
    pause: float | None = None
    """Minutes after which the training stops as after a signal, to be resumed."""

    def __post_init__(self) -> None:
        for name in ("minutes", "pause"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UserError(f"{name}={value:g} is not positive; use for example 20")


@dataclass(frozen=True)
class Outcome:
    """What a training ends with."""

    metrics: Metrics
    """Of the faces that are only measured."""
    views: int
    """Faces that were shown."""
    held: Crops
    """The faces that are only measured."""
    interrupted: bool
    """Whether a signal ended it."""


class Training:
    """In ``out`` are last.pt (to resume), weights.pt, log.csv, curves.png, config.json.

    SIGTERM and Ctrl-C end the training after the step; with ``resume`` it goes on from there.
    """

    def __init__(
        self, config: TrainConfig, out: Path, source: Source, begin: Start | None = None
    ) -> None:
        self.config, self.out, self.source = config, out, source
        self.begin = begin or Start()

    def run(self) -> Outcome:
        """Train to the end, or up to the pause."""
        torch.set_num_threads(self.config.threads)
        device = choose_device()
        parallel.start(device)
        try:
            return self._run(device, parallel.rank() == 0)
        finally:
            parallel.stop()

    def _run(self, device: torch.device, first: bool) -> Outcome:
        config, out, minutes = self.config, self.out, self.begin.minutes
        console = Console(stderr=True, quiet=not first)
        trainer = begin_training(config, out, device, self.begin, console.print)
        with Progress(console=console, transient=True, disable=not first) as progress:
            mixture, held = self.source.collect(config, progress)
            if first:
                out.mkdir(parents=True, exist_ok=True)
                write_json(out / "config.json", describe(config))
            with stopping(self.begin.pause) as stop:
                while not finished(trainer, minutes):
                    run_epoch(trainer, mixture, held, out, progress, minutes, stop)
                    if stop:
                        break
        measured = measure_crops(trainer.average, held)
        return Outcome(measured, trainer.views, held, bool(stop.signals))


def begin_training(
    config: TrainConfig,
    out: Path,
    device: torch.device,
    begin: Start,
    tell: Callable[[str], None],
) -> Trainer:
    """Trainer with the weights or the state that it starts with."""
    trainer = Trainer(config, device)
    if begin.init is not None:
        fresh = trainer.start_from(begin.init, begin.partly)
        layers = sorted({name.rpartition(".")[0] for name in fresh})
        tell(f"{begin.init}: {len(fresh)} tensors stay random: {', '.join(layers) or 'none'}")
    if begin.resume:
        trainer.load(out / "last.pt")
    return trainer


def pace(trainer: Trainer) -> str:
    """Line that says how far a training is and how fast it goes."""
    loss = float(trainer.total) / max(trainer.done, 1)
    return (
        f"{trainer.views} views  loss {loss:.3f} in this epoch  "
        f"{trainer.views / max(trainer.seconds, 1e-9):.1f} images/s"
    )


def finished(trainer: Trainer, minutes: float | None) -> bool:
    """Whether the training has had its time, its views or its epochs."""
    if minutes is not None:
        return trainer.seconds >= 60 * minutes
    if trainer.config.views:
        return trainer.steps >= trainer.config.views // trainer.config.batch
    return trainer.epoch >= trainer.config.epochs


class Stop:
    """True once a signal has come or the time is over."""

    def __init__(self, minutes: float | None = None) -> None:
        self.signals: list[int] = []
        self._end = math.inf if minutes is None else time.monotonic() + 60 * minutes

    def note(self, number: int, frame: object) -> None:
        """Handler of a signal."""
        self.signals.append(number)

    def __bool__(self) -> bool:
        return bool(self.signals) or time.monotonic() >= self._end


@contextmanager
def stopping(minutes: float | None = None) -> Iterator[Stop]:
    """SIGTERM, SIGINT and the end of ``minutes`` set a mark, instead of ending a step half-way."""
    stop = Stop(minutes)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {s: signal.signal(s, stop.note) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_epoch(
    trainer: Trainer,
    mixture: Mixture,
    held: Crops,
    out: Path,
    progress: Progress,
    minutes: float | None = None,
    stop: Stop | None = None,
) -> None:
    """Train one epoch, measure, and keep what came out; every few minutes what to resume from."""
    stop = Stop() if stop is None else stop
    start = kept = time.perf_counter()
    first = parallel.rank() == 0

    ends = False

    def keep() -> bool:
        nonlocal kept, ends
        ends = bool(stop)
        if first and (ends or time.perf_counter() - kept > KEEP_SECONDS):
            save(trainer.state(), out / "last.pt")
            trainer.save_weights(out / "weights.pt")
            progress.console.print(pace(trainer))
            kept = time.perf_counter()
        return ends

    loss = trainer.train_epoch(mixture, progress, minutes, keep)
    if not first or ends:
        return
    metrics = measure_crops(trainer.average, held)
    seconds = time.perf_counter() - start
    trainer.save_weights(out / "weights.pt")
    if loss is not None:
        row = {"epoch": trainer.epoch, "views": trainer.views, "loss": loss}
        row |= {**asdict(metrics), "seconds": seconds}
        curves.append_row(out / "log.csv", row)
        curves.log_scalars(out / "tensorboard", row)
        curves.draw(out / "log.csv", out / "curves.png")
    save(trainer.state(), out / "last.pt")
    mean = "" if loss is None else f"loss {loss:.3f}  "  # None: the time is over, in mid-epoch
    progress.console.print(
        f"epoch {trainer.epoch}/{trainer.config.epochs}  {trainer.views} views  {mean}"
        f"NME {metrics.nme:.2f} %  FR@10 {metrics.failure_rate:.1f} %  {seconds:.1f} s"
    )
