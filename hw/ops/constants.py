# SPDX-License-Identifier: Apache-2.0
"""Constants of an ONNX graph, for every reader of a file with packed weights."""

from __future__ import annotations

from onnx import helper
from onnx.reference import ReferenceEvaluator
from qonnx.core.modelwrapper import ModelWrapper


def fold_constants(model: ModelWrapper) -> ModelWrapper:
    """Replace, in place, all that follows from constants by its value; Quant nodes stay.

    qonnx's clean-up does the same, but infers all shapes after each node: minutes for a file with
    packed weights.
    """
    graph = model.graph
    known = {tensor.name for tensor in graph.initializer}
    folded = []
    for node in graph.node:
        if not node.domain and known.issuperset(node.input):
            folded.append(node)
            known.update(node.output)
    if not folded:
        return model
    names = [name for node in folded for name in node.output]
    sinks = [helper.make_empty_tensor_value_info(name) for name in names]
    part = helper.make_graph(folded, "constants", [], sinks, graph.initializer)
    part = helper.make_model(part, opset_imports=model.model.opset_import)
    for name, value in zip(names, ReferenceEvaluator(part).run(None, {}), strict=True):
        model.set_initializer(name, value)
    for node in folded:
        graph.node.remove(node)
    return model
