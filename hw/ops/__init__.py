# SPDX-License-Identifier: Apache-2.0
"""FINN operators of our kernels; ONNX domain ``hw.ops``."""

from hw.environment import prepare_finn

prepare_finn()

from hw.ops.requant import Requant  # noqa: E402

__all__ = ["Requant"]
