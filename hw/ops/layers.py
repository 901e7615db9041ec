# SPDX-License-Identifier: Apache-2.0
"""Layers of the network by the names of its makers, carried on the nodes of a graph.

An exporter of PyTorch names a node by the path of its module; qonnx's clean-up gives new names, and
packed files have none. So the layers with weights are also a list in the metadata of the file, in
the order of the data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from onnx import NodeProto, StringStringEntryProto
from qonnx.core.modelwrapper import ModelWrapper

KEY = "layer"  #: in the metadata of a node
METADATA = "layers"  #: key in the metadata of a model: JSON list of names
WEIGHTED = ("Conv", "Gemm", "MatMul")  #: operators of ONNX that have weights
INSIDE = re.compile(r"((act|weight|bias|input|output|trunc)_quant|export_handler|activation_impl)$")
"""Modules of Brevitas inside a layer, which its maker did not write."""


def layer_of(node: NodeProto) -> str:
    """Layer of a node, "" if it has none."""
    return next((str(entry.value) for entry in node.metadata_props if entry.key == KEY), "")


def set_layer(node: NodeProto, layer: str) -> None:
    """Name the layer of a node; "" takes its name away."""
    kept = [entry for entry in node.metadata_props if entry.key != KEY]
    del node.metadata_props[:]
    named = [StringStringEntryProto(key=KEY, value=layer)] if layer else []
    node.metadata_props.extend([*kept, *named])


def weighted_nodes(model: ModelWrapper) -> list[NodeProto]:
    """Nodes of ONNX with weights, in the order of the graph."""
    return [node for node in model.graph.node if node.op_type in WEIGHTED]


def path_of(node: NodeProto) -> str:
    """Layer from the name that PyTorch's exporter gives, "" for any other name.

    ``/stages_14/stages_14.3/expand/conv/Conv`` is ``stages_14.3.expand``: a module that is called
    like the operator says no more than the one around it, nor do those of Brevitas inside a layer.
    """
    *modules, _ = node.name.split("/") if node.name.startswith("/") else [""]
    path: list[str] = []
    for module in filter(None, modules):
        inside = path and module.startswith(f"{path[-1]}.")
        path = [*path[:-1], module] if inside else [*path, module]
    while len(path) > 1 and (path[-1] == node.op_type.lower() or INSIDE.match(path[-1])):
        path.pop()
    return ".".join(path)


def record_layers(model: ModelWrapper, names: Sequence[str]) -> None:
    """Keep the names of the layers with weights in the metadata of the model."""
    model.set_metadata_prop(METADATA, json.dumps(list(names)))


def recorded_layers(model: ModelWrapper) -> list[str]:
    """Names of the layers with weights: those of the metadata, else from the names of the nodes."""
    nodes, text = weighted_nodes(model), model.get_metadata_prop(METADATA)
    try:
        names = json.loads(text) if text else []
    except ValueError:
        names = []
    fits = isinstance(names, list) and len(names) == len(nodes)
    return [str(name) for name in names] if fits else [path_of(node) for node in nodes]


def tag_layers(model: ModelWrapper) -> None:
    """Name the layer of every node whose layer is known."""
    for node in model.graph.node:
        set_layer(node, path_of(node))
    for node, name in zip(weighted_nodes(model), recorded_layers(model), strict=True):
        set_layer(node, name)
