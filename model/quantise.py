# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation and quantisation-aware fine-tuning of the INT8 twin.

``post_train`` sets every activation threshold from the FP32 network's activations and takes out the
mean error of each layer; it needs images only. ``fine_tune`` trains weights and thresholds further
on labelled images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from host.errors import UserError
from model.network import PFLD, ConvNorm
from model.quantised import build_twin, learned_quantisers, load_float, set_threshold

PERCENTILE = 99.99  #: of the absolute activations; what lies above saturates
SAMPLES = 1 << 20  #: values of each activation that the percentile is taken from
BATCH = 64
Target = TypeVar("Target")


# -- post-training ---------------------------------------------------------------------------------


def post_train(network: PFLD, images: Tensor, percentile: float = PERCENTILE) -> PFLD:
    """Calibrated and bias-corrected INT8 twin of an FP32 ``network``.

    images: calibration set (N, 1, S, S), bytes over 255; a few hundred are enough.
    """
    network.eval()
    twin = build_twin(network.config()).eval()
    load_float(twin, network.state_dict())
    calibrate(twin, network, images, percentile)
    correct_bias(twin, network, images)
    return twin


@torch.no_grad()
def calibrate(twin: PFLD, network: PFLD, images: Tensor, percentile: float = PERCENTILE) -> None:
    """Set each learned threshold of ``twin`` to a percentile of the FP32 activations.

    A shared quantiser is set from all the tensors that go through it.
    """
    if not 50 < percentile <= 100:
        raise UserError(f"percentile={percentile} is out of range; use more than 50, up to 100")
    quantisers = learned_quantisers(twin)
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
def correct_bias(twin: PFLD, network: PFLD, images: Tensor) -> None:
    """Shift each batch normalisation of ``twin`` so that its mean output is that of ``network``.

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
    twins = dict(twin.named_modules())
    _forward(twin, images, {twins[n].norm: correct(n) for n in modules}, batch=len(images))


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


def fine_tune(
    twin: PFLD,
    batches: Iterable[tuple[Tensor, Target]],
    steps: int,
    loss: Callable[[Tensor, Target], Tensor],
    rate: float = 1e-4,
    report: Callable[[int, float], None] = lambda step, value: None,
) -> None:
    """Train weights and thresholds of ``twin`` in place for ``steps`` batches, cosine to zero.

    batches: endless pairs of images (B, 1, S, S) and what ``loss`` needs to know about them.
    loss: scalar of the predicted landmarks (B, 2 * points), fractions, and that knowledge.
    rate: first learning rate of AdamW.
    The statistics of batch normalisation stay as they are. ``report`` gets step and loss.
    """
    optimiser = torch.optim.AdamW(_parameter_groups(twin), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    twin.train()
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    for step, (images, target) in zip(range(steps), batches, strict=False):
        value = loss(twin(images), target)
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(twin.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        report(step + 1, value.item())
    twin.eval()


def _parameter_groups(twin: PFLD) -> list[dict[str, object]]:
    """Weights decay a little; thresholds, gains and biases do not."""
    weights = [p for p in twin.parameters() if p.dim() > 1]
    others = [p for p in twin.parameters() if p.dim() <= 1]
    return [{"params": weights, "weight_decay": 1e-4}, {"params": others, "weight_decay": 0.0}]


def random_batches(
    images: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.float64], batch: int, seed: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless random batches: images (B, 1, S, S) and landmarks (B, 2 * points)."""
    rng = np.random.default_rng(seed)
    while True:
        chosen = rng.integers(0, len(images), batch)
        targets = landmarks[chosen].reshape(batch, -1).astype(np.float32)
        yield as_input(images[chosen]), torch.from_numpy(targets)


def as_input(images: npt.NDArray[np.uint8]) -> Tensor:
    """Network input (N, 1, S, S) of grey images (N, S, S)."""
    return torch.from_numpy(images)[:, None].float() / 255
