# SPDX-License-Identifier: Apache-2.0
"""One way to ask any of the project's networks, and the anchor: crops in, landmarks out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from host.backends.cpu import PROVIDERS, open_session
from host.common.arrays import Images, Points
from host.common.errors import UserError
from model.export.integer import integer_network
from model.export.qdq import write_qdq
from model.network.checkpoint import load_network, load_quantised, read_checkpoint
from model.network.infer import predict

ARITHMETICS = ("auto", "integer", "quantised")
BATCH = 32


@dataclass(frozen=True)
class Predictor:
    """A network with its name and input size."""

    kind: str
    """fp32, quantised, integer or anchor."""
    size: int
    """Side of the crop in pixels."""
    run: Callable[[Images], Points]
    """Landmarks (N, 98, 2), fractions of the crop, of grey crops (N, size, size)."""


def open_predictor(weights: Path, arithmetic: str = "auto") -> Predictor:
    """The network in a checkpoint (.pt) or a QONNX file (.onnx).

    arithmetic: of a QONNX file "integer", which is what auto takes and the hardware computes, or
    "quantised", floating point on the quantisers' grids. A checkpoint knows its own.
    UserError: the file or the arithmetic does not fit.
    """
    if arithmetic not in ARITHMETICS:
        raise UserError(f"arithmetic {arithmetic!r} is unknown; use {', '.join(ARITHMETICS)}")
    if weights.suffix == ".onnx":
        return _quantised_file(weights) if arithmetic == "quantised" else _integer(weights)
    if arithmetic != "auto":
        raise UserError(f"{weights} is a checkpoint; {arithmetic} needs a QONNX file, .onnx")
    if read_checkpoint(weights).get("quantised"):
        small = load_quantised(weights)
        return Predictor("quantised", small.image_size, lambda images: predict(small, images))
    network = load_network(weights).to(memory_format=torch.channels_last)
    return Predictor("fp32", network.image_size, lambda images: predict(network, images))


def _integer(path: Path) -> Predictor:
    network = integer_network(path)

    def run(images: Images) -> Points:
        parts = [network.run(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
        return np.concatenate([part.landmarks for part in parts])

    return Predictor("integer", network.image_shape[0], run)


def _quantised_file(path: Path) -> Predictor:
    """The Quant nodes in floating point: the QDQ form of the file, by onnxruntime."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "qdq.onnx")
        write_qdq(path, copy)
        session = open_session(copy, PROVIDERS)
    entry = session.get_inputs()[0]

    def run(images: Images) -> Points:
        marks = []
        for image in images:
            given = {entry.name: image[None, None].astype(np.float32) / 255}
            marks.append(session.run(None, given)[0].reshape(-1, 2))
        return np.stack(marks).astype(np.float64)

    return Predictor("quantised", int(entry.shape[-1]), run)


def open_anchor(path: Path) -> Predictor:
    """A foreign landmark network for comparison: three equal channels of byte / 255 -> 98 points.

    path: ONNX file, input (1, 3, S, S), one output of 196 numbers, x and y as fractions.
    """
    if not path.is_file():
        raise UserError(f"there is no anchor {path}; give an ONNX file")
    session = open_session(path, PROVIDERS)
    entry = session.get_inputs()[0]
    sides = entry.shape[2:]
    if entry.shape[1:2] != [3] or len(sides) != 2 or not isinstance(sides[1], int):
        raise UserError(f"{path} takes {entry.shape}; the input of an anchor is (1, 3, S, S)")

    def run(images: Images) -> Points:
        marks = []
        for image in images:
            given = np.repeat(image[None, None], 3, axis=1).astype(np.float32) / 255
            marks.append(session.run(None, {entry.name: given})[0].reshape(-1, 2))
        return np.stack(marks).astype(np.float64)

    return Predictor("anchor", int(entry.shape[-1]), run)
