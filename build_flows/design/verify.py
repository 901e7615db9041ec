# SPDX-License-Identifier: Apache-2.0
"""Exact comparison of a stage with the integer reference; a mismatch stops the build."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from build_flows.config import BuildConfig
from host.common.arrays import F64Array, Images, IntArray
from host.common.errors import UserError, VerifyError

FILE_OUTPUTS = "file_outputs"
KEYS = ("images", "accumulators", "model_sha256")


@dataclass(frozen=True)
class Golden:
    """Images uint8 (N, height, width[, channels]) and the accumulators int64 (N, outputs) they
    must give."""

    images: Images
    accumulators: IntArray
    file_outputs: F64Array | None = None
    """What a file of others gives in float64 (N, outputs), in the order of the accumulators."""

    @classmethod
    def load(cls, cfg: BuildConfig) -> Golden:
        """Read the file beside the model; UserError if it is damaged, too short or not its own."""
        path = cfg.golden
        try:
            with np.load(path) as data:
                images, accumulators, sha = (data[key] for key in KEYS)
                outputs = data.get(FILE_OUTPUTS)
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{path} is no golden file ({error}); export the model again"
            ) from error
        if str(sha) != hashlib.sha256(cfg.model.read_bytes()).hexdigest():
            raise UserError(f"{path} does not belong to {cfg.model.name}; export the model again")
        return cls(images, accumulators.astype(np.int64), outputs)

    def repeated(self, frames: int) -> Golden:
        """That many frames, the images in a circle."""
        order = np.arange(frames) % len(self.images)
        outputs = None if self.file_outputs is None else self.file_outputs[order]
        return Golden(self.images[order], self.accumulators[order], outputs)


def verify(model: ModelWrapper, golden: Golden, where: str, images: int = 2) -> None:
    """Execute the graph on the first golden images; VerifyError at the first wrong accumulator."""
    source, sink = model.graph.input[0].name, model.graph.output[0].name
    shape = model.get_tensor_shape(source)
    for i, image in enumerate(golden.images[:images]):
        frame = image.astype(np.float32).reshape(shape)
        found = execute_onnx(model, {source: frame})[sink]
        compare(sink, found.reshape(1, -1), golden.accumulators[i : i + 1], where, first=i)


def compare(
    tensor: str,
    found: npt.NDArray[Any],
    expected: IntArray,
    where: str,
    first: int = 0,
) -> None:
    """Both of shape (N, outputs), row 0 is image ``first``; VerifyError at the first difference."""
    if found.shape != expected.shape:
        raise VerifyError(tensor, (), f"of shape {found.shape}", f"shape {expected.shape}", where)
    wrong = np.argwhere(found != expected)
    if len(wrong):
        row, column = (int(v) for v in wrong[0])
        values = found[row, column].item(), expected[row, column].item()
        raise VerifyError(tensor, (first + row, column), *values, where)
