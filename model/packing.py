# SPDX-License-Identifier: Apache-2.0
"""QONNX files with their weights stored as INT8, a quarter of the size.

QONNX keeps quantised weights as float32 in front of their Quant node. Here the file holds the
integers, a Cast to float32 and a Mul by the scale in their place; qonnx's constant folding, the
first thing that its clean-up does, gives back the same float32 numbers.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from model.graph import quant_info


def pack(model: ModelWrapper) -> ModelWrapper:
    """Rewrite ``model`` in place so that weights on their quantiser's grid are stored as INT8."""
    nodes = []
    for node in list(model.graph.node):
        values = model.get_initializer(node.input[0]) if node.op_type == "Quant" else None
        if values is None:
            continue
        scale = model.get_initializer(node.input[1])
        steps = np.rint(values / quant_info(model, node).scale)
        if not np.array_equal((steps.astype(np.float32) * scale).astype(np.float32), values):
            continue  # not snapped: stays as it is
        name = node.input[0]
        integers, floats = f"{name}_int8", f"{name}_steps"
        model.set_initializer(integers, steps.astype(np.int8))
        nodes.append(helper.make_node("Cast", [integers], [floats], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [floats, node.input[1]], [name]))
        model.graph.initializer.remove(
            next(tensor for tensor in model.graph.initializer if tensor.name == name)
        )
    for place, node in enumerate(nodes):
        model.graph.node.insert(place, node)
    del model.graph.value_info[:]  # shapes, which every reader infers again
    return model

