# SPDX-License-Identifier: Apache-2.0
"""The reference's Table IV for our network: accuracy, size and robustness of every method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib import pyplot

from host.atomic import replacing, write_image, write_text
from model.corrupt import CORRUPTIONS, STRENGTHS, corrupt
from model.evaluate import Faces, draw_faces, errors_of, figures, subsets
from model.predictors import Predictor

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


def table(
    methods: Sequence[Method], faces: Faces, detected: Faces | None = None
) -> list[dict[str, object]]:
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


def as_markdown(rows: Sequence[Mapping[str, object]], faces: Faces) -> str:
    """The report as text; compression is relative to the first row that is no anchor."""
    first = next((row["bytes"] for row in rows if row["kind"] != "anchor"), 0)
    lines = [f"# {faces.name}: {len(faces)} faces, grey", "", _line(HEADS), _rule(len(HEADS))]
    for row in rows:
        numbers = [f"{row[key]:.2f}" for key in FIGURES]
        ours = row["kind"] != "anchor"
        size = [f"{row['bytes'] / 1e6:.2f}", f"{first / row['bytes']:.2f}" if ours else "-"]
        lines.append(_line([row["method"], *numbers, *size, row["time"]]))
    lines += ["", "NME: mean distance over that of the outer eye corners.", ""]
    lines += ["accuracy = 100 - NME; compression: bytes of our first file over these.", ""]
    lines += _detected_lines(rows) + _subset_lines(rows)
    heads = [f"{name} {strength}" for name in CORRUPTIONS for strength in STRENGTHS]
    lines += ["NME % of corrupted pictures (strengths 1 to 3, see model/corrupt.py)", ""]
    lines += [_line(["method", *heads]), _rule(len(heads) + 1)]
    for row in rows:
        values = [f"{v:.2f}" for name in CORRUPTIONS for v in row["corruptions"][name]]
        lines.append(_line([row["method"], *values]))
    return "\n".join(lines) + "\n"


def _detected_lines(rows: Sequence[Mapping[str, object]]) -> list[str]:
    if not rows[0]["detected"]:
        return []
    lines = [f"Crops from the detector's boxes ({rows[0]['detected']['faces']} faces found)", ""]
    lines += [_line(HEADS[:5]), _rule(5)]
    for row in rows:
        lines.append(_line([row["method"], *(f"{row['detected'][key]:.2f}" for key in FIGURES)]))
    return [*lines, ""]


def _subset_lines(rows: Sequence[Mapping[str, object]]) -> list[str]:
    names = list(rows[0]["subsets"])
    if not names:
        return []
    heads = [f"{name} ({rows[0]['subsets'][name]['faces']})" for name in names]
    lines = ["NME % of the faces with an attribute (how many)", "", _line(["method", *heads])]
    lines.append(_rule(len(heads) + 1))
    for row in rows:
        lines.append(_line([row["method"], *(f"{row['subsets'][n]['nme']:.2f}" for n in names)]))
    return [*lines, ""]


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _rule(count: int) -> str:
    return "|" + "---|" * count


def draw_robustness(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """PNG with the NME of every method over the strength of each corruption."""
    matplotlib.use("Agg")
    figure, axes = pyplot.subplots(1, len(CORRUPTIONS), figsize=(13, 3), sharey=True,
                                   layout="constrained")
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
