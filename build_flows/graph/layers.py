# SPDX-License-Identifier: Apache-2.0
"""Layers on the nodes of a graph, from the file's nodes with weights to all units of the design."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from build_flows.graph.edit import apply_all, nodes_of, producers
from hw.ops import layers
from hw.ops.layers import layer_of, set_layer
from hw.units import units_of

WEIGHTED = (*layers.WEIGHTED, "MVAU", "VVAU")  #: operators of ONNX and FINN that have weights


def keep_layers(model: ModelWrapper, *transformations: Transformation) -> ModelWrapper:
    """Apply transformations, in place, that put new nodes in the place of those with weights."""
    names = [layer_of(node) for node in nodes_of(model, *WEIGHTED)]
    model = apply_all(model, *transformations)
    for node, name in zip(nodes_of(model, *WEIGHTED), names, strict=False):
        set_layer(node, name)
    return model


def name_layers(model: ModelWrapper) -> ModelWrapper:
    """Name, in place, the layer of every unit that has none yet.

    A unit that only arranges words serves the layer behind it: the windows and paddings of a
    convolution. All others belong to the layer of the unit before them, where branches join to
    that which comes last.
    """
    units = units_of(model)
    for unit in reversed(units):
        readers = model.find_consumers(unit.onnx_node.output[0])
        if unit.arranges and not unit.layer and readers and layer_of(readers[0]):
            set_layer(unit.onnx_node, layer_of(readers[0]))
    place = {unit.name: i for i, unit in enumerate(units)}
    for unit in units:
        before = [node for node in producers(model, unit.onnx_node) if layer_of(node)]
        if before and not unit.layer:
            last = max(before, key=lambda node: place[node.name])
            set_layer(unit.onnx_node, layer_of(last))
    return model
