# SPDX-License-Identifier: Apache-2.0
"""The quantised network on this computer's CPU, by onnxruntime on the QDQ file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from host.backends import as_landmarks, check_images
from host.errors import UserError
from host.landmarks import COUNT


class CpuBackend:
    """Runs a QDQ file with input "image" (N, 1, size, size) float and output "landmarks"."""

    name = "cpu"

    def __init__(self, model: Path) -> None:
        """Load the QDQ file ``model``.

        Raises:
            UserError: onnxruntime is not installed; the file is missing, not an ONNX model that
                onnxruntime runs, or has other inputs and outputs.
        """
        self.model = str(model)
        self.details: dict[str, Any] = {}
        self._session = _load(model)
        self.size = self._check_ports()

    def _check_ports(self) -> int:
        entries = {entry.name: entry.shape for entry in self._session.get_inputs()}
        results = {entry.name: entry.shape for entry in self._session.get_outputs()}
        image = entries.get("image", [])
        fits = len(image) == 4 and isinstance(image[2], int) and image[1:3] == [1, image[3]]
        if len(entries) != 1 or not fits or results.get("landmarks", [])[1:] != [2 * COUNT]:
            raise UserError(
                f"{self.model}: inputs {entries}, outputs {results}; the model must have the input "
                f"image (N, 1, size, size) and the output landmarks (N, {2 * COUNT})"
            )
        return int(image[2])

    def infer(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return landmarks (N, 98, 2), fractions 0..1, for crops (N, size, size) uint8."""
        check_images(images, self.size)
        floats = (images[:, np.newaxis] / 255).astype(np.float32)
        (outputs,) = self._session.run(["landmarks"], {"image": floats})
        return as_landmarks(outputs, self.model)

    def close(self) -> None:
        """Free the session."""
        self._session = None


def _load(model: Path) -> Any:
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as errors
    except ImportError as error:
        raise UserError(
            "backend cpu needs the package onnxruntime: pip install onnxruntime"
        ) from error
    try:
        content = model.read_bytes()
    except OSError as error:
        raise UserError(
            f"cannot read the model {model}: {error.strerror}; give a _qdq.onnx file"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised; no second report on stderr
    # Without VNNI, onnxruntime's kernels saturate sums of UINT8 x INT8 products; see model/qdq.py.
    options.add_session_config_entry("session.x64quantprecision", "1")
    unusable = (errors.Fail, errors.InvalidArgument, errors.InvalidGraph, errors.InvalidProtobuf,
                errors.NotImplemented, errors.RuntimeException)  # fmt: skip
    try:
        return onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
    except unusable as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"onnxruntime cannot run {model}: {reason}; give a _qdq.onnx file"
        ) from error
