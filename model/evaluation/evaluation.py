# SPDX-License-Identifier: Apache-2.0
"""A network measured on a data set, with all that is asked for besides: the command evaluate.

Evaluation(EvaluationConfig(weights=Path("net.onnx"))).run()
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host.common.atomic import write_image
from host.common.provenance import provenance
from model.data.registry import PROCEDURAL
from model.evaluation.evaluate import (
    Faces,
    collect_faces,
    compare,
    cross_check,
    draw_faces,
    errors_of,
    evaluate_all,
    write_crops,
    write_errors,
)
from model.evaluation.predictors import Predictor, open_anchor, open_predictor

DETECTOR = "blazeface"  #: whose squares photographs are measured with, unless another is named


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What is measured, on what."""

    weights: Path
    """Checkpoint (.pt) or QONNX file (.onnx)."""
    dataset: str = PROCEDURAL
    """wflw, 300w, ytf or procedural."""
    root: Path | None = None
    """The data set's folder."""
    rows: Path | None = None
    """Faces of another list than the test list."""
    arithmetic: str = "auto"
    """Of a QONNX file: integer (auto) or quantised."""
    anchor: Path | None = None
    """ONNX file of a foreign network to measure too."""
    other: Path | None = None
    """Another file of the network, to compare with."""
    csim: Path | None = None
    """Build whose C++ must give the same integers on every face."""
    detector: str | None = None
    """Name of a face detector, "none", or None: for photographs DETECTOR."""
    errors: Path | None = None
    """CSV to write the error of each face to."""
    picture: Path | None = None
    """PNG to write, faces with true and found points."""
    crops: Path | None = None
    """Npz to write the measured faces to."""
    images: Path | None = None
    """Npz with images and landmarks, instead of procedural faces."""
    count: int = 500
    """Procedural faces."""

    def described(self) -> dict[str, str | None]:
        """Names of what is measured, without folders."""
        return {
            "weights": self.weights.name,
            "dataset": self.dataset,
            "list": self.rows.name if self.rows else None,
            "detector": self.chosen_detector,
            "anchor": self.anchor.name if self.anchor else None,
        }

    @property
    def chosen_detector(self) -> str | None:
        """Name of the detector that is used, if any."""
        if self.detector is None and self.dataset != PROCEDURAL:
            return DETECTOR
        return None if self.detector == "none" else self.detector


class Evaluation:
    """Measures as its configuration says."""

    def __init__(self, config: EvaluationConfig) -> None:
        self.config = config
        self.problems: list[str] = []
        """Faces that were left out, and why; known after :meth:`run`."""

    def run(self) -> dict[str, Any]:
        """Write what is asked for; figures, what they are of, and provenance, for JSON."""
        config = self.config
        predictor = open_predictor(config.weights, config.arithmetic)
        faces = collect_faces(
            config.dataset, config.root, config.rows, predictor.size, config.images, config.count
        )
        self.problems = faces.problems
        others = [open_anchor(config.anchor)] if config.anchor else []
        result = evaluate_all(predictor, others, faces, config.chosen_detector)
        if config.other:
            result["compared"] = compare(predictor, open_predictor(config.other), faces)
        if config.csim:
            result["csim_exact_faces"] = cross_check(config.weights, config.csim, faces)
        self._write(predictor, faces)
        return {**result, "config": config.described(), **provenance()}

    def _write(self, predictor: Predictor, faces: Faces) -> None:
        config = self.config
        if config.errors:
            write_errors(config.errors, faces, errors_of(predictor, faces))
        if config.picture:
            write_image(config.picture, draw_faces(predictor, faces, 32))
        if config.crops:
            write_crops(config.crops, faces)
