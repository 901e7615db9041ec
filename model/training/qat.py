# SPDX-License-Identifier: Apache-2.0
"""How a quantised network is fine-tuned: batches and loss of real faces, progress, resuming."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.nn.functional import l1_loss

from model.data.augment import Batch
from model.data.labelled import TUNING_SEED
from model.data.mixture import Mixture, endless
from model.network.checkpoint import save
from model.network.grid import CELL, mixture_terms, split
from model.training.config import TrainConfig
from model.training.losses import face_losses
from model.training.ptq import Target, Tuner

KEEP_SECONDS = 60.0  #: between two files to resume from


def face_batches(
    config: TrainConfig, mixture: Mixture, batch: int, size: int, seed: int = TUNING_SEED
) -> Iterator[tuple[Tensor, Batch]]:
    """Endless pairs of pictures (B, 1, size, size), whole bytes over 255, and their faces."""
    for faces in endless(mixture, batch, size, seed, config.augmentation):
        yield (faces.images * 255).round() / 255, faces


def face_loss(config: TrainConfig, size: int) -> Callable[[Tensor, Batch], Tensor]:
    """The configuration's loss of points, as a function of landmarks (B, 196) and faces."""

    def loss(found: Tensor, faces: Batch) -> Tensor:
        return face_losses(config, found, faces, size).mean()

    return loss


def plain_loss(found: Tensor, true: Tensor) -> Tensor:
    """Loss without a configuration: of landmarks or cells against landmarks (B, 2 P), fractions."""
    if found.ndim == 4:
        points = true.view(len(true), -1, 2)
        return mixture_terms(*split(found), points, CELL * found.shape[3]).mean()
    return l1_loss(found, true)


def run_tuner(
    tuner: Tuner,
    batches: Iterable[tuple[Tensor, Target]],
    loss: Callable[[Tensor, Target], Tensor],
    last: Path,
) -> None:
    """Train to the end with a progress bar; every minute ``last`` is what to resume from."""
    kept = tuner.seconds
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("fine-tuning", total=1.0)

        def report(share: float, value: float) -> None:
            nonlocal kept
            text = f"fine-tuning, step {tuner.step}, loss {value:.4f}"
            progress.update(task, completed=share, description=text)
            if tuner.seconds - kept > KEEP_SECONDS or share == 1:
                save(tuner.state(), last)
                kept = tuner.seconds

        tuner.run(batches, loss, report)
