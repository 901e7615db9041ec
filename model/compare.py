# SPDX-License-Identifier: Apache-2.0
"""The four networks of the two switches, trained on equally many views and measured alike."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from host.face.metrics import image_errors
from model.data.augment import view
from model.data.crops import Crops
from model.data.lids import openings
from model.data.mixture import as_batch
from model.evaluation.detail import follow
from model.network.checkpoint import load_network
from model.network.infer import predict
from model.network.pfld import HEAD_CHOICES, PFLD, STEM_CHOICES, count_macs
from model.training.config import TrainConfig
from model.training.curves import draw_together
from model.training.source import Source
from model.training.train import Start, Training

COLUMNS = ("stem", "head", "MMAC", "views", "NME %", "median %", "lid slope", "lid AUC")


@dataclass(frozen=True)
class Row:
    """A network of the table."""

    network: PFLD
    views: int
    held: Crops

    def cells(self) -> list[str]:
        """What COLUMNS say."""
        found, true = answers(self.network, self.held)
        known = np.isfinite(true[:, [60, 72]]).all((1, 2))
        errors = image_errors(found[known], true[known])
        lids = follow(openings(found), openings(true))
        network = self.network
        return [
            network.stem_kind,
            network.head_kind,
            f"{count_macs(network) / 1e6:.1f}",
            f"{self.views}",
            f"{errors.mean():.2f}",
            f"{np.median(errors):.2f}",
            f"{lids.get('slope', np.nan):.2f}",
            f"{lids.get('auc', np.nan):.3f}",
        ]


def answers(network: PFLD, crops: Crops) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true landmarks (N, 98, 2) of crops seen plainly, nan where unknown."""
    seen = view(as_batch(crops, np.arange(len(crops))), crops.framed, network.image_size)
    images = (seen.images[:, 0] * 255).round().byte().numpy()
    true = np.where(seen.mask[..., None].numpy(), seen.landmarks.numpy(), np.nan)
    return predict(network, images).astype(np.float64), true.astype(np.float64)


def compare_networks(
    config: TrainConfig,
    source: Source,
    out: Path,
    minutes: float | None = None,
    tell: Callable[[str], None] = print,
) -> str:
    """Train each network in ``out``/STEM_HEAD, or go on with it; the table as Markdown.

    ``out``/curves.png shows how their errors fell.

    minutes: of each network in this call; the rates still fall along the views of ``config``.
    KeyboardInterrupt: a signal has ended the training of a network, after its step.
    """
    rows, logs = [], {}
    for stem, head in itertools.product(STEM_CHOICES, HEAD_CHOICES):
        folder = out / f"{stem}_{head}"
        chosen = replace(config, stem=stem, head=head)
        tell(f"{stem}, {head}: {folder}")
        resume = (folder / "last.pt").is_file()
        done = Training(chosen, folder, source, Start(resume=resume, pause=minutes)).run()
        if done.interrupted:
            raise KeyboardInterrupt
        rows.append(Row(load_network(folder / "weights.pt"), done.views, done.held))
        logs[f"{stem}, {head}"] = folder / "log.csv"
    draw_together(logs, out / "curves.png")
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
