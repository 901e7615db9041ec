# SPDX-License-Identifier: Apache-2.0
"""The network on an NVIDIA GPU, through onnxruntime's TensorRT or CUDA provider.

The file decides about the precision: FP32, FP16, or QDQ for INT8 (which TensorRT fuses).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from host.backends.cpu import CpuBackend, check_shapes, open_session
from host.common.errors import UserError

PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")
"""What may run the network, the faster first."""

OPTIONS: dict[str, dict[str, Any]] = {
    "TensorrtExecutionProvider": {"trt_int8_enable": True, "trt_fp16_enable": True},
    "CUDAExecutionProvider": {},
}


class GpuBackend(CpuBackend):
    """Like ``cpu``, but on the first GPU."""

    name = "gpu"

    def __init__(self, model: Path) -> None:
        """Load ``model``.

        Raises:
            UserError: as ``cpu``, or onnxruntime finds no GPU.
        """
        self.model, self.network, self.details = str(model), model.stem, {}
        offered = [name for name in PROVIDERS if name in _offered()]
        if not offered:
            raise UserError(
                "the backend gpu needs an onnxruntime with CUDA or TensorRT; "
                "pip install onnxruntime-gpu, or use --backend cpu"
            )
        self.session = open_session(model, [(name, OPTIONS[name]) for name in offered])
        running = self.session.get_providers()[0]
        if running not in PROVIDERS:  # onnxruntime goes to the processor without an error
            raise UserError(f"onnxruntime found no GPU for {', '.join(offered)}; check the driver")
        self.details = {"provider": running}
        self._input, self.input_size, self._one_by_one = check_shapes(self.session, model)


def _offered() -> list[str]:
    """Providers that this onnxruntime was built with; none without onnxruntime."""
    try:
        import onnxruntime
    except ImportError:
        return []
    return list(onnxruntime.get_available_providers())
