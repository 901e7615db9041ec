# SPDX-License-Identifier: Apache-2.0
"""Parallelism of every kernel from a folding file, and width converters between kernels.

A folding file is JSON: node name -> {"SIMD": n, "PE": n, "kernel": k, "ramStyle": r}. ``SIMD``
folds the input channels of windows, padding and dense units, ``PE`` the output channels of dense
units and the lanes of our other kernels; ``kernel`` is "Dense" or, for FINN's unit in its place,
"MVAU"; ``ramStyle`` is the memory of the weights or of a window. What is not named keeps one lane
and the default. Where neighbouring widths differ, FINN's width converter is put between; branches
that rejoin get FIFOs.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames, SortGraph

from build_flows.graph.edit import apply_all
from host.common.errors import UserError
from hw.ops.base import RAM_STYLE, divisors

Table = dict[str, dict[str, int | str]]
CHANNELS = {  # foldable attribute of an operator -> the attribute it must divide
    "Dense": {"SIMD": "MW", "PE": "MH"},
    "FMPadding_rtl": {"SIMD": "NumChannels"},
    "ConvolutionInputGenerator_rtl": {"SIMD": "IFMChannels"},
}
OUR_CHANNELS = {"PE": "NumChannels"}
WINDOW = "ConvolutionInputGenerator_rtl"
KERNELS = ("Dense", "MVAU")  #: for a dense layer


def fold(model: ModelWrapper, file: Path, part: str) -> ModelWrapper:
    """Fold ``model`` as ``file`` says; UserError names node, value and what is allowed."""
    table = read_table(file)
    apply_table(model, table, str(file))
    replaced = {name for name, row in table.items() if row.get("kernel") == "MVAU"}
    model = apply_all(model, ReplaceDense(replaced), InsertDWC(), SpecializeLayers(part))
    for node in model.graph.node:
        if node.op_type == "StreamingDataWidthConverter_rtl":
            getCustomOp(node).set_nodeattr("exec_mode", "cppsim")
    return apply_all(model, SortGraph(), GiveUniqueNodeNames(), GiveReadableTensorNames())


def read_table(file: Path) -> Table:
    """The folding file as a dictionary; UserError if it is not one."""
    try:
        table = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is no folding file: {error}") from error
    if not isinstance(table, dict) or not all(isinstance(v, dict) for v in table.values()):
        raise UserError(f'{file} is no folding file; it must map node names to {{"PE": n, ...}}')
    return table


def foldable(node: NodeProto) -> dict[str, str]:
    """Attribute -> the attribute with the channels that it must divide."""
    return CHANNELS.get(node.op_type, OUR_CHANNELS if node.domain == "hw.ops" else {})


def options(node: NodeProto) -> dict[str, tuple[str, ...]]:
    """What a folding file may choose by name for a node -> the names."""
    kernels = {"kernel": KERNELS} if node.op_type == "Dense" else {}
    has_memory = has_weights(node) or node.op_type == WINDOW
    memories = {"ramStyle": tuple(sorted(RAM_STYLE[3]))} if has_memory else {}
    return kernels | memories


def has_weights(node: NodeProto) -> bool:
    """Whether a weight memory feeds the node."""
    return node.op_type in ("Dense", "Depthwise", "MVAU_rtl")


def channels_of(op: CustomOp, attribute: str) -> int:
    """Channels that a fold attribute of ``op`` must divide."""
    if op.onnx_node.op_type == "StreamConcat":
        return int(np.gcd.reduce(op.get_nodeattr("ChannelsPerInput")))
    return int(op.get_nodeattr(foldable(op.onnx_node)[attribute]))


def apply_table(model: ModelWrapper, table: Table, where: str) -> None:
    """Set the attributes; depthwise kernels and their windows must agree."""
    nodes = {node.name: node for node in model.graph.node}
    for name, attributes in table.items():
        if name not in nodes:
            raise UserError(f"{where} folds {name}, which the model does not have")
        for attribute, value in attributes.items():
            _apply(getCustomOp(nodes[name]), attribute, value, where)
    for node in model.graph.node:
        if node.op_type == "Depthwise":
            window = model.find_producer(node.input[0])
            simd = getCustomOp(window).get_nodeattr("SIMD")
            if simd != getCustomOp(node).get_nodeattr("PE"):
                raise UserError(
                    f"SIMD={simd} of {window.name} and PE={getCustomOp(node).get_nodeattr('PE')} "
                    f"of {node.name} differ; a depthwise kernel takes its window's words unchanged"
                )


def _apply(op: CustomOp, attribute: str, value: int | str, where: str) -> None:
    node = op.onnx_node
    folds, names = foldable(node), options(node)
    if attribute in folds:
        channels = channels_of(op, attribute)
        if not isinstance(value, int) or value < 1 or channels % value:
            raise UserError(
                f"{attribute}={value} does not divide the {channels} channels of {node.name}; "
                f"use one of {divisors(channels)}"
            )
    elif attribute not in names:
        known = ", ".join((*folds, *names)) or "no fold"
        raise UserError(f"{where} sets {attribute} of {node.name}; it has {known}")
    elif value not in names[attribute]:
        raise UserError(
            f"{where} sets {attribute}={value} of {node.name}; use {', '.join(names[attribute])}"
        )
    if attribute == "ramStyle" and node.op_type == WINDOW:
        op.set_nodeattr("ram_style", value)
    elif attribute != "kernel":
        op.set_nodeattr(attribute, value)


class ReplaceDense(Transformation):
    """FINN's dense unit, under the same name, in the place of ours for the nodes named."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for index, node in enumerate(list(model.graph.node)):
            if node.name in self.names:
                model.graph.node.remove(node)
                model.graph.node.insert(index, self._finn_unit(node))
        return model, False

    @staticmethod
    def _finn_unit(node: NodeProto) -> NodeProto:
        ours = getCustomOp(node)
        kept = ("MW", "MH", "SIMD", "PE", "numInputVectors", "inputDataType", "weightDataType")
        return helper.make_node(
            "MVAU_rtl",
            node.input,
            node.output,
            node.name,
            domain="finn.custom_op.fpgadataflow.rtl",
            backend="fpgadataflow",
            exec_mode="cppsim",
            mem_mode="external",  # weights come from our weight_stream
            ram_style=ours.get_nodeattr("ramStyle"),
            noActivation=1,
            accDataType=ours.get_output_datatype().name,
            outputDataType=ours.get_output_datatype().name,
            **{name: ours.get_nodeattr(name) for name in kept},
        )
