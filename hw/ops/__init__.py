# SPDX-License-Identifier: Apache-2.0
"""FINN operators of our kernels; ONNX domain ``hw.ops``."""

from hw.finn.environment import prepare_finn

prepare_finn()

from hw.ops.dense import Dense  # noqa: E402
from hw.ops.depthwise import Depthwise  # noqa: E402
from hw.ops.fifo import Fifo  # noqa: E402
from hw.ops.global_acc_pool import GlobalAccPool  # noqa: E402
from hw.ops.grid_peak import GridPeak  # noqa: E402
from hw.ops.requant import Requant  # noqa: E402
from hw.ops.stream_add import StreamAdd  # noqa: E402
from hw.ops.stream_concat import StreamConcat  # noqa: E402
from hw.ops.stream_fork import StreamFork  # noqa: E402
from hw.ops.weight_stream import WeightStream  # noqa: E402

__all__ = [
    "Dense",
    "Depthwise",
    "Fifo",
    "GlobalAccPool",
    "GridPeak",
    "Requant",
    "StreamAdd",
    "StreamConcat",
    "StreamFork",
    "WeightStream",
]
