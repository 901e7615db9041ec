# SPDX-License-Identifier: Apache-2.0
"""The network on the processor, through onnxruntime.

An FP32 file fits, and two files of a quantised model: NAME_exact.onnx computes the integers
themselves; NAME_qdq.onnx is several times faster, but its requantisation rounds a little
differently.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from host.backends.base import check_images
from host.common.arrays import Images, Points
from host.common.errors import UserError

PROVIDERS = ["CPUExecutionProvider"]
CPUINFO = Path("/proc/cpuinfo")
VNNI = ("avx_vnni", "avx512_vnni")
"""Flags of instructions that sum products of bytes in 32 bits."""
MOST_THREADS = 8
"""Most threads that are tried; one face keeps no more busy."""
TRIALS = 5
"""Timed inferences per number of threads."""
WORTH = 0.9
"""More threads are taken where they need at most this part of the time."""


class CpuBackend:
    """Runs an ONNX file: input (N, 1, S, S) float, byte / 255; output (N, 2 x points) float."""

    name = "cpu"

    def __init__(self, model: Path, threads: int = 0) -> None:
        """Load ``model``.

        Args:
            model: ONNX file: FP32, QDQ or exact.
            threads: for one inference; 0 for the number that is fastest here, which is measured.

        Raises:
            UserError: onnxruntime is missing; the file is missing, no ONNX model, or has other
                inputs and outputs; there cannot be so many threads.
        """
        if not 0 <= threads <= 256:
            raise UserError(f"{threads} threads are not possible; give 1 to 256, or 0 to measure")
        self.model, self.network = str(model), model.stem
        self.session = open_session(model, PROVIDERS, threads or 1)
        self._input, self.input_size, self._one_by_one = check_shapes(self.session, model)
        self.threads = threads or self._add_threads(model)
        self.details: Mapping[str, object] = {"threads": self.threads}

    @cached_property
    def seconds(self) -> float:
        """Wall time of one inference, measured when it is first asked for."""
        return self._measure()

    def _add_threads(self, model: Path) -> int:
        """Open the session with twice the threads while that is worth it; how many it has then.

        A small network is slower with a second thread, so the number is not known without trying.
        """
        threads, self.seconds = 1, self._measure()
        while 2 * threads <= min(os.cpu_count() or 1, MOST_THREADS):
            before = self.session
            self.session = open_session(model, PROVIDERS, 2 * threads)
            needed = self._measure()
            if needed > WORTH * self.seconds:
                self.session = before
                break
            threads, self.seconds = 2 * threads, needed
        return threads

    def _measure(self) -> float:
        """Least time of an inference, as whatever else runs only adds; the first does not count."""
        image = np.zeros((1, self.input_size, self.input_size), np.uint8)
        times = []
        for _ in range(1 + TRIALS):
            begin = time.perf_counter()
            self.infer(image)
            times.append(time.perf_counter() - begin)
        return min(times[1:])

    def infer(self, images: Images, meanwhile: Callable[[], None] | None = None) -> Points:
        """Return landmarks (N, points, 2), fractions 0..1 of the crop; images (N, S, S) uint8.

        meanwhile: as of any backend.
        """
        check_images(images, self.input_size)
        batch = 1 if self._one_by_one else len(images)
        scaled = images[:, np.newaxis].astype(np.float32) / np.float32(255)
        if meanwhile is not None:
            meanwhile()
        found = [
            self.session.run(None, {self._input: scaled[start : start + batch]})[0]
            for start in range(0, len(images), batch)
        ]
        landmarks = found[0] if len(found) == 1 else np.concatenate(found)
        return landmarks.reshape(len(images), -1, 2).astype(np.float64)

    def close(self) -> None:
        """Free the session."""
        self.session = None


def open_session(model: Path, providers: Sequence[Any], threads: int = 0) -> Any:
    """Open an onnxruntime session; errors as ``CpuBackend``."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            "the backend cpu needs onnxruntime, which is missing; pip install onnxruntime"
        ) from error
    try:
        data = model.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the model {model}: {error.strerror or error}") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # Threads that spin while they wait would take the cores from the other stages.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not sums_bytes_exactly():  # slower by half, so only where sums would saturate
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(data, options, providers=list(providers))
    except Exception as error:  # onnxruntime's own classes share no narrower public base
        reason = " ".join(str(error).split())
        raise UserError(f"{model} is no ONNX model that onnxruntime runs: {reason}") from error


def sums_bytes_exactly(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the processor adds UINT8 x INT8 products in 32 bits; False where it is not known.

    x86 without VNNI adds two of them in 16 bits, which saturate. cpuinfo: as Linux writes it.
    """
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return any(name in flags for name in VNNI)


def check_shapes(session: Any, model: Path) -> tuple[str, int, bool]:
    """Return the input's name, its side, and whether the batch dimension is fixed to 1."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = inputs[0].shape if len(inputs) == 1 else []
    square = len(shape) == 4 and shape[1] == 1 and isinstance(shape[2], int)
    batch_fits = bool(shape) and (shape[0] == 1 or not isinstance(shape[0], int))
    points = outputs[0].shape if len(outputs) == 1 else []
    pairs = len(points) == 2 and isinstance(points[1], int) and points[1] % 2 == 0
    is_float = all(value.type == "tensor(float)" for value in (*inputs, *outputs))
    if not (square and shape[2] == shape[3] and batch_fits and pairs and is_float):
        raise UserError(
            f"{model} maps {_signature(inputs)} to {_signature(outputs)}; the host needs one float "
            "input (N, 1, S, S) and one float output (N, 2 x points)"
        )
    return inputs[0].name, shape[2], shape[0] == 1


def _signature(values: Any) -> str:
    return ", ".join(f"{value.name} {value.type} {value.shape}" for value in values)
