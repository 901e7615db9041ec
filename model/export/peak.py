# SPDX-License-Identifier: Apache-2.0
"""The answer of the grid head as nodes of an ordinary ONNX graph."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from host.common.arrays import F64Array, IntArray
from hw.ops.grid_peak import HALVINGS
from model.network.grid import PARTS


def peak_nodes(
    cells: str,
    places: str,
    steps: F64Array | IntArray,
    units: F64Array,
    side: int,
    whole: bool,
) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes and constants that make ``places`` (N, 2 P) of the map ``cells`` (N, 3 P, side, side).

    A cell's place is its column or row times ``steps`` (P, 2) plus its offset. The answer is the
    place of the cell with the largest score, moved to that of the second largest as
    :class:`model.export.integer.Peak` does; ``units`` (P,) make of a difference of scores how often
    the way is halved. Side is at least 2. whole: places are integers; exact where they and the
    differences of scores are below 2**24. All in float32, the way in float64.
    """
    points, count = len(steps), side * side
    at = np.arange(count)
    corners = np.stack([at % side, at // side]) * steps[:, :, None]
    constants = {
        "apart": np.array([-1, points, PARTS, count]),
        "sizes": np.array([1, PARTS - 1]),
        "two": np.array([2]),
        "corners": corners.astype(np.float32),
        "units": units[:, None, None].astype(np.float32),
        "least": np.array(0, np.float32),
        "most": np.array(HALVINGS, np.float32),
        "shares": np.exp2(-1.0 - np.arange(HALVINGS + 1)),
        "flat": np.array([-1, 2 * points]),
    }
    nodes: list[NodeProto] = []

    def name(value: str) -> str:
        return f"{places}_{value}"

    def add(kind: str, inputs: str, outputs: str, **attributes: object) -> None:
        names = [[name(n) for n in text.split()] for text in (inputs, outputs)]
        nodes.append(helper.make_node(kind, *names, **attributes))

    nodes.append(helper.make_node("Reshape", [cells, name("apart")], [name("parts")]))
    add("Split", "parts sizes", "score offset", axis=2)
    add("TopK", "score two", "top best", axis=3)
    add("Concat", "best best", "both", axis=2)
    add("Add", "offset corners", "all")
    add("GatherElements", "all both", "found", axis=3)
    add("Split", "top", "first second", axis=3)
    add("Split", "found", "place other", axis=3)
    add("Sub", "first second", "difference")
    add("Mul", "difference units", "exponent")
    add("Clip", "exponent least most", "clipped")
    add("Cast", "clipped", "halvings", to=TensorProto.INT64)  # towards 0
    add("Gather", "shares halvings", "share", axis=0)
    for value in ("place", "other"):
        add("Cast", value, f"{value}_wide", to=TensorProto.DOUBLE)
    add("Sub", "other_wide place_wide", "way")
    add("Mul", "way share", "part")
    add("Floor" if whole else "Identity", "part", "step")
    add("Add", "place_wide step", "moved")
    add("Cast", "moved", "narrow", to=TensorProto.FLOAT)
    nodes.append(helper.make_node("Reshape", [name("narrow"), name("flat")], [places]))
    return nodes, [numpy_helper.from_array(v, name(n)) for n, v in constants.items()]
