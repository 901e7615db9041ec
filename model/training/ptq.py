# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation and quantisation-aware fine-tuning.

``post_train`` sets every activation threshold from the FP32 network's activations and takes out the
mean error of each layer; it needs images only. ``Tuner`` trains weights and thresholds further on
labelled images.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from host.common.arrays import Images, Points
from host.common.errors import UserError
from model.network.checkpoint import DAMAGED, reason
from model.network.pfld import PFLD, ConvNorm, freeze_statistics
from model.network.quantised import (
    QuantLayers,
    build_quantised,
    learned_quantisers,
    load_float,
    set_threshold,
)

PERCENTILE = 99.99  #: of the absolute activations; what lies above saturates
SAMPLES = 1 << 20  #: values of each activation that the percentile is taken from
BATCH = 64
Target = TypeVar("Target")


# -- post-training ---------------------------------------------------------------------------------


def post_train(
    network: PFLD,
    images: Tensor,
    percentile: float = PERCENTILE,
    equalise: bool = False,
    layers: QuantLayers | None = None,
) -> PFLD:
    """Calibrated and bias-corrected quantised form of an FP32 ``network``.

    images: calibration set (N, 1, S, S), bytes over 255; a few hundred are enough. equalise: first
    bring the channels of neighbouring layers to like ranges, see :func:`equalised`. layers: with
    how many bits; default 8.
    """
    network.eval()
    if equalise:
        network = equalised(network)
    quantised = build_quantised(network.config(), layers)
    quantised.eval()
    load_float(quantised, network.state_dict())
    calibrate(quantised, network, images, percentile)
    correct_bias(quantised, network, images)
    return quantised


def equalised(network: PFLD) -> PFLD:
    """A copy that computes the same, with like ranges in the channels of neighbouring layers.

    Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV
    2019, as Brevitas has it.
    """
    from brevitas.graph.equalize import EqualizeGraph

    copied = copy.deepcopy(network)
    copied.eval()
    copied.undecided = True  # the search for the best cells is no part of the graph
    EqualizeGraph(iterations=20).apply(torch.fx.symbolic_trace(copied))
    copied.undecided = False
    return copied


@torch.no_grad()
def calibrate(
    quantised: PFLD, network: PFLD, images: Tensor, percentile: float = PERCENTILE
) -> None:
    """Set each learned threshold of ``quantised`` to a percentile of the FP32 activations.

    A shared quantiser is set from all the tensors that go through it.
    """
    if not 50 < percentile <= 100:
        raise UserError(f"percentile={percentile} is out of range; use more than 50, up to 100")
    quantisers = learned_quantisers(quantised)
    modules = dict(network.named_modules())
    samples: dict[str, list[Tensor]] = {name: [] for name in quantisers}
    share = SAMPLES * BATCH // max(len(images), BATCH)
    generator = torch.Generator().manual_seed(0)

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            values = output.abs().flatten()
            if values.numel() > share:
                values = values[torch.randint(values.numel(), (share,), generator=generator)]
            samples[name].append(values)

        return hook

    _forward(network, images, {modules[name]: watch(name) for name in quantisers})
    for name, quantiser in quantisers.items():
        values = torch.cat(samples[name])
        rank = min(values.numel(), max(1, round(values.numel() * percentile / 100)))
        set_threshold(quantiser, max(values.kthvalue(rank).values.item(), 1e-6))


@torch.no_grad()
def correct_bias(quantised: PFLD, network: PFLD, images: Tensor) -> None:
    """Shift each batch normalisation of ``quantised`` so that its mean output is ``network``'s.

    One pass, layer after layer: each layer is corrected behind the corrected layers before it.
    """
    images = images[: 4 * BATCH]
    means: dict[str, Tensor] = {}
    modules = {n: m.norm for n, m in network.named_modules() if _is_main(n, m)}

    def record(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            means[name] = means.get(name, 0) + output.sum(dim=0).mean(dim=(1, 2))

        return hook

    def correct(name: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            error = means[name] / len(images) - output.mean(dim=(0, 2, 3))
            module.bias += error
            return output + error[:, None, None]

        return hook

    _forward(network, images, {m: record(n) for n, m in modules.items()})
    layers = dict(quantised.named_modules())
    _forward(quantised, images, {layers[n].norm: correct(n) for n in modules}, batch=len(images))


def _is_main(name: str, module: nn.Module) -> bool:
    return isinstance(module, ConvNorm) and not name.startswith("pose.")


def _forward(
    network: PFLD, images: Tensor, hooks: dict[nn.Module, Callable[..., object]], batch: int = BATCH
) -> None:
    """Run ``images`` through ``network`` with forward hooks, which are removed afterwards."""
    handles = [module.register_forward_hook(hook) for module, hook in hooks.items()]
    try:
        for start in range(0, len(images), batch):
            network(images[start : start + batch])
    finally:
        for handle in handles:
            handle.remove()


# -- quantisation-aware fine-tuning ----------------------------------------------------------------


@dataclass(frozen=True)
class Length:
    """How long to fine-tune: a number of batches, or of minutes where these are given."""

    steps: int = 1_000
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UserError(f"steps={self.steps} is too small; use 1 or more")
        if self.minutes is not None and not self.minutes > 0:
            raise UserError(f"minutes={self.minutes:g} is not positive; use for example 20")

    def share(self, step: int, seconds: float) -> float:
        """Part of the work that is done after so many batches and seconds, up to 1."""
        done = step / self.steps if self.minutes is None else seconds / (60 * self.minutes)
        return min(1.0, done)


class Tuner:
    """Trains a quantised network and its thresholds in place; batch statistics stay as they are."""

    def __init__(self, quantised: PFLD, length: Length, rate: float = 1e-4) -> None:
        """rate: first learning rate of AdamW, which falls along a cosine to 0."""
        self.network = quantised.to(memory_format=torch.channels_last)
        self.length, self.rate = length, rate
        self.optimiser = self._optimiser()
        self.step, self.seconds = 0, 0.0

    def _optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(_parameter_groups(self.network), lr=self.rate)

    @property
    def share(self) -> float:
        """Part of the work that is done, 0 to 1."""
        return self.length.share(self.step, self.seconds)

    def state(self) -> dict[str, object]:
        """What :meth:`load` needs to go on."""
        return {
            "state_dict": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }

    def load(self, path: Path) -> None:
        """Go on from a file with :meth:`state`; UserError for any other file."""
        try:
            state = torch.load(path, weights_only=True)
            self.network.load_state_dict(state["state_dict"])
            self.optimiser = self._optimiser()  # Brevitas has put new parameters into it
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds = state["step"], state["seconds"]
        except DAMAGED as error:
            raise UserError(f"{path} cannot be resumed from: {reason(error)}") from error

    def run(
        self,
        batches: Iterable[tuple[Tensor, Target]],
        loss: Callable[[Tensor, Target], Tensor],
        report: Callable[[float, float], None] = lambda share, value: None,
    ) -> None:
        """Train until all is done.

        batches: endless pairs of images (B, 1, S, S) and what ``loss`` needs to know about them.
        loss: scalar of the predicted landmarks (B, 2 * points), fractions, and that knowledge.
        ``report`` gets the part that is done and the loss after every batch.
        """
        self.network.train()
        freeze_statistics(self.network)
        source = iter(batches)
        while self.share < 1:
            start = time.monotonic()
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate * 0.5 * (1 + math.cos(math.pi * self.share))
            images, target = next(source)
            value = loss(self.network(images.contiguous(memory_format=torch.channels_last)), target)
            self.optimiser.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimiser.step()
            self.step += 1
            self.seconds += time.monotonic() - start
            report(self.share, value.item())
        self.network.eval()


def _parameter_groups(quantised: PFLD) -> list[dict[str, object]]:
    """Weights decay a little; thresholds, gains and biases do not."""
    weights = [p for p in quantised.parameters() if p.dim() > 1]
    others = [p for p in quantised.parameters() if p.dim() <= 1]
    return [{"params": weights, "weight_decay": 1e-4}, {"params": others, "weight_decay": 0.0}]


def random_batches(
    images: Images, landmarks: Points, batch: int, seed: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless random batches: images (B, 1, S, S) and landmarks (B, 2 * points)."""
    rng = np.random.default_rng(seed)
    while True:
        chosen = rng.integers(0, len(images), batch)
        targets = landmarks[chosen].reshape(batch, -1).astype(np.float32)
        yield as_input(images[chosen]), torch.from_numpy(targets)


def as_input(images: Images) -> Tensor:
    """Network input (N, 1, S, S) of grey images (N, S, S)."""
    return torch.from_numpy(images)[:, None].float() / 255
