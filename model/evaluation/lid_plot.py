# SPDX-License-Identifier: Apache-2.0
"""Eye aspect ratios that networks give to shut and to open eyes, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from host.common.arrays import F64Array
from host.common.atomic import replacing
from host.monitor.eyes import eye_ratios
from model.evaluation.driver import OPEN, SHUT, Found

WIDEST, BINS = 0.5, 40
SIZE_INCHES, DPI = (7.5, 3.2), 110
COLOURS = ("#c0392b", "#2e7d5b")  #: of shut and of open eyes


def eye_by_eye(found: Found) -> tuple[F64Array, F64Array]:
    """Found aspect ratios of the eyes that are truly shut, and of those that are open."""
    ratios = np.array([eye_ratios(points) for points in found.landmarks])
    return ratios[found.eyes < SHUT], ratios[found.eyes > OPEN]


def plot_lids(networks: Mapping[str, Found], path: Path) -> None:
    """Write a PNG with one panel a network: shares of shut and of open eyes by aspect ratio."""
    figure = Figure(SIZE_INCHES, dpi=DPI, layout="constrained")
    panels = figure.subplots(1, len(networks), sharey=True, squeeze=False)[0]
    edges = np.linspace(0, WIDEST, BINS + 1)
    for panel, (name, found) in zip(panels, networks.items(), strict=True):
        for kind, values, colour in zip(("shut", "open"), eye_by_eye(found), COLOURS, strict=True):
            weights = np.full(len(values), 100 / max(len(values), 1))
            panel.hist(np.clip(values, 0, WIDEST), edges, weights=weights, color=colour,
                       alpha=0.65, label=f"{kind} ({len(values)} eyes)")  # fmt: skip
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("eye aspect ratio found")
        panel.legend(fontsize=8)
        for side in ("top", "right"):
            panel.spines[side].set_visible(False)
    panels[0].set_ylabel("% of the eyes of a kind")
    with replacing(path) as partial:
        figure.savefig(partial, format="png")
