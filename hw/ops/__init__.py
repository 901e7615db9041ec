# SPDX-License-Identifier: Apache-2.0
"""FINN operators of our kernels; ONNX domain ``hw.ops``."""

from hw.ops.dense import Dense
from hw.ops.depthwise import Depthwise
from hw.ops.fifo import Fifo
from hw.ops.global_acc_pool import GlobalAccPool
from hw.ops.grid_peak import GridPeak
from hw.ops.requant import Requant
from hw.ops.stream_add import StreamAdd
from hw.ops.stream_concat import StreamConcat
from hw.ops.stream_fork import StreamFork
from hw.ops.weight_stream import WeightStream

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
