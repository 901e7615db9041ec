# SPDX-License-Identifier: Apache-2.0
"""The answer of the grid head as nodes of an ordinary ONNX graph."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from host.common.arrays import F64Array, IntArray
from model.network.grid import PARTS


def peak_nodes(
    cells: str, places: str, steps: F64Array | IntArray, side: int
) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes and constants that make ``places`` (N, 2 P) of the map ``cells`` (N, 3 P, side, side).

    A place is the column or row of the best cell times ``steps`` (P, 2) plus the cell's offset. The
    best cell has the largest score, the first of several in raster order. All in float32.
    """
    points, count = len(steps), side * side
    at = np.arange(count)
    corners = np.stack([at % side, at // side]) * steps[:, :, None]
    constants = {
        "apart": np.array([-1, points, PARTS, count]),
        "sizes": np.array([1, PARTS - 1]),
        "corners": corners.astype(np.float32),
        "flat": np.array([-1, 2 * points]),
    }
    name = {
        n: f"{places}_{n}"
        for n in (*constants, *["parts", "score", "offset", "best", "both", "all", "found"])
    }
    nodes = [
        helper.make_node("Reshape", [cells, name["apart"]], [name["parts"]]),
        helper.make_node(
            "Split", [name["parts"], name["sizes"]], [name["score"], name["offset"]], axis=2
        ),
        helper.make_node("ArgMax", [name["score"]], [name["best"]], axis=3, keepdims=1),
        helper.make_node("Concat", [name["best"]] * 2, [name["both"]], axis=2),
        helper.make_node("Add", [name["offset"], name["corners"]], [name["all"]]),
        helper.make_node("GatherElements", [name["all"], name["both"]], [name["found"]], axis=3),
        helper.make_node("Reshape", [name["found"], name["flat"]], [places]),
    ]
    return nodes, [numpy_helper.from_array(v, name[n]) for n, v in constants.items()]
