# SPDX-License-Identifier: Apache-2.0
"""The paper's Table IV for our network: accuracy, size and robustness of every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot

from host.common.atomic import replacing, write_image, write_text
from host.common.errors import UserError
from host.common.tables import to_markdown
from model.evaluation.corrupt import CORRUPTIONS, STRENGTHS, corrupt
from model.evaluation.evaluate import Faces, draw_faces, errors_of, figures, subsets
from model.evaluation.predictors import Predictor, open_predictor

FIGURES = ("nme", "fr10", "auc10", "accuracy")
HEADS = ("method", "NME %", "FR@10 %", "AUC@10 %", "accuracy %", "size MB", "compression", "time")


@dataclass(frozen=True)
class Method:
    """A network with what the table says about it beside its errors."""

    name: str
    """As the table prints it."""
    weights: Path
    """File whose size counts."""
    predictor: Predictor
    """The network of the file."""
    time: str = "-"
    """How long making it took, as given by whoever made it."""


def open_method(text: str) -> Method:
    """A method written NAME=FILE or NAME=FILE@TIME; UserError for another text."""
    name, equals, rest = text.partition("=")
    file, _, time = rest.partition("@")
    if not equals:
        raise UserError(f"--method {text!r} is not NAME=FILE or NAME=FILE@TIME")
    return Method(name, Path(file), open_predictor(Path(file)), time or "-")


def table(
    methods: Sequence[Method], faces: Faces, detected: Faces | None = None
) -> list[dict[str, Any]]:
    """Rows of the table: figures in percent, bytes as stored, subsets, corruptions (NME).

    detected: crops around the detector's boxes, for figures of their own.
    """
    rows = []
    for method in methods:
        errors = errors_of(method.predictor, faces)
        rows.append(
            {
                "method": method.name,
                "kind": method.predictor.kind,
                **figures(errors),
                "bytes": method.weights.stat().st_size,
                "time": method.time,
                "subsets": subsets(errors, faces.records),
                "corruptions": corruptions(method.predictor, faces),
                "detected": figures(errors_of(method.predictor, detected)) if detected else None,
            }
        )
    return rows


def corruptions(predictor: Predictor, faces: Faces) -> dict[str, list[float]]:
    """NME in percent at the three strengths of every corruption."""
    return {
        name: [
            float(errors_of(predictor, faces, corrupt(faces.stack, name, strength)).mean())
            for strength in STRENGTHS
        ]
        for name in CORRUPTIONS
    }


def as_markdown(rows: Sequence[Mapping[str, Any]], faces: Faces) -> str:
    """The report as text; compression is relative to the first row that is no anchor."""
    first = next((row["bytes"] for row in rows if row["kind"] != "anchor"), 0)
    table = []
    for row in rows:
        ours = row["kind"] != "anchor"
        size = [f"{row['bytes'] / 1e6:.2f}", f"{first / row['bytes']:.2f}" if ours else "-"]
        table.append([row["method"], *_figures(row), *size, row["time"]])
    parts = [
        f"# {faces.name}: {len(faces)} faces, grey\n",
        to_markdown(HEADS, table),
        "NME: mean distance over that of the outer eye corners.\n",
        "accuracy = 100 - NME; compression: bytes of our first file over these.\n",
        *_detected_table(rows),
        *_subset_table(rows),
        "NME % of corrupted pictures (strengths 1 to 3, see model/evaluation/corrupt.py)\n",
        to_markdown(
            ["method", *(f"{name} {strength}" for name in CORRUPTIONS for strength in STRENGTHS)],
            (
                [row["method"], *(f"{v:.2f}" for n in CORRUPTIONS for v in row["corruptions"][n])]
                for row in rows
            ),
        ),
    ]
    return "\n".join(parts)


def _figures(row: Mapping[str, Any]) -> list[str]:
    return [f"{row[key]:.2f}" for key in FIGURES]


def _detected_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows[0]["detected"]:
        return []
    title = f"Crops from the detector's boxes ({rows[0]['detected']['faces']} faces found)\n"
    return [title, to_markdown(HEADS[:5], ([r["method"], *_figures(r["detected"])] for r in rows))]


def _subset_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(rows[0]["subsets"])
    if not names:
        return []
    heads = ["method", *(f"{name} ({rows[0]['subsets'][name]['faces']})" for name in names)]
    cells = ([r["method"], *(f"{r['subsets'][n]['nme']:.2f}" for n in names)] for r in rows)
    return ["NME % of the faces with an attribute (how many)\n", to_markdown(heads, cells)]


def draw_robustness(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """PNG with the NME of every method over the strength of each corruption."""
    matplotlib.use("Agg")
    figure, axes = pyplot.subplots(
        1, len(CORRUPTIONS), figsize=(13, 3), sharey=True, layout="constrained"
    )
    for place, name in zip(axes, CORRUPTIONS, strict=True):
        for row in rows:
            values = [row["nme"], *row["corruptions"][name]]
            place.plot([0, *STRENGTHS], values, marker="o", label=row["method"])
        place.set(title=name, xlabel="strength", xticks=[0, *STRENGTHS])
        place.grid(alpha=0.3)
    axes[0].set_ylabel("NME, %")
    axes[0].legend()
    with replacing(path) as partial:
        figure.savefig(partial, dpi=110, format="png")
    pyplot.close(figure)


def write_report(
    methods: Sequence[Method], faces: Faces, out: Path, detected: Faces | None = None
) -> str:
    """Write report.md, robustness.png and faces.png into ``out``; returns the text.

    detected: see :func:`table`.
    faces.png shows true (green) and found (red) landmarks of the last method.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = table(methods, faces, detected)
    text = as_markdown(rows, faces)
    write_text(out / "report.md", text)
    draw_robustness(rows, out / "robustness.png")
    write_image(out / "faces.png", draw_faces(methods[-1].predictor, faces, 32))
    return text
