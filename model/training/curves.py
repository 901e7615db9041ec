# SPDX-License-Identifier: Apache-2.0
"""What a training leaves of its course: log.csv, TensorBoard events and curves.png."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import matplotlib
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter

from host.common.atomic import replacing, write_text


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add an epoch to the CSV file; rows of this epoch and later ones, of a run before, go."""
    rows = [r for r in read_rows(path) if r["epoch"] < row["epoch"]] + [row]
    lines = [",".join(row)]
    lines += [",".join(f"{r.get(key, float('nan')):.8g}" for key in row) for r in rows]
    write_text(path, "\n".join(lines) + "\n")


def read_rows(path: Path) -> list[dict[str, float]]:
    """Rows of log.csv in order; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def log_scalars(folder: Path, row: dict[str, float]) -> None:
    """Add an epoch to the TensorBoard events in ``folder``."""
    with SummaryWriter(str(folder)) as writer:
        for name, value in row.items():
            if name != "epoch":
                writer.add_scalar(name, value, int(row["epoch"]))


def draw(log: Path, picture: Path) -> None:
    """Draw loss and error of the epochs in log.csv as PNG."""
    matplotlib.use("Agg")
    rows = read_rows(log)
    epochs = [row["epoch"] for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.plot(epochs, [row["loss"] for row in rows], color="tab:blue")
    left.set(xlabel="epoch", title="loss")
    right.plot(epochs, [row["nme"] for row in rows], color="tab:orange")
    right.set(xlabel="epoch", title="NME of the measured faces, %", yscale="log")
    for axes in (left, right):
        axes.grid(alpha=0.3, which="both")
    _save(figure, picture)


def draw_together(logs: Mapping[str, Path], picture: Path) -> None:
    """Draw the errors of several trainings, by name of their log.csv, over the views as PNG."""
    matplotlib.use("Agg")
    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for name, log in logs.items():
        rows = read_rows(log)
        axes.plot(
            [row["views"] for row in rows], [row["nme"] for row in rows], marker=".", label=name
        )
    axes.set(xlabel="views", title="NME of the held-back faces, %", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    _save(figure, picture)


def _save(figure: Figure, picture: Path) -> None:
    with replacing(picture) as partial:
        figure.savefig(partial, dpi=110, format="png")
    pyplot.close(figure)
