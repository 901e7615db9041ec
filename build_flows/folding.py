# SPDX-License-Identifier: Apache-2.0
"""Parallelism of every kernel from a folding file, and the buffers between kernels.

A folding file is JSON: node name -> {"SIMD": n, "PE": n}. ``SIMD`` folds the input channels of
windows, padding and dense units, ``PE`` the output channels of dense units and the lanes of our
kernels. Kernels that are not named keep one lane. Where neighbouring widths differ, FINN's width
converter is put between; branches that rejoin get FIFOs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames, SortGraph

from build_flows.graph import apply_all, kernel_node
from host.errors import UserError
from hw.ops.fifo import MIN_DEPTH

Table = dict[str, dict[str, int]]
CHANNELS = {  # foldable attribute of an operator -> the attribute it must divide
    "MVAU_rtl": {"SIMD": "MW", "PE": "MH"},
    "FMPadding_rtl": {"SIMD": "NumChannels"},
    "ConvolutionInputGenerator_rtl": {"SIMD": "IFMChannels"},
}
OUR_CHANNELS = {"PE": "NumChannels"}
WINDOW = "ConvolutionInputGenerator_rtl"
SLACK_PIXELS = 4  #: what the pipelines of a branch hold besides its windows


def fold(model: ModelWrapper, file: Path, part: str, fifo_depth: int) -> ModelWrapper:
    """Fold ``model`` as ``file`` says; UserError names node, value and what is allowed."""
    apply_table(model, read_table(file), str(file))
    model = apply_all(model, InsertDWC(), SpecializeLayers(part))
    for node in model.graph.node:
        if node.op_type == "StreamingDataWidthConverter_rtl":
            getCustomOp(node).set_nodeattr("exec_mode", "cppsim")
    model = apply_all(model, InsertFifos(fifo_depth), SortGraph(), GiveUniqueNodeNames())
    return apply_all(model, GiveReadableTensorNames())


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
        op, allowed = getCustomOp(nodes[name]), foldable(nodes[name])
        for attribute, value in attributes.items():
            if attribute not in allowed:
                raise UserError(
                    f"{where} sets {attribute} of {name}; it has {', '.join(allowed) or 'no fold'}"
                )
            channels = channels_of(op, attribute)
            if not isinstance(value, int) or value < 1 or channels % value:
                divisors = [d for d in range(1, channels + 1) if channels % d == 0]
                raise UserError(
                    f"{attribute}={value} does not divide the {channels} channels of {name}; "
                    f"use one of {divisors}"
                )
            op.set_nodeattr(attribute, value)
    for node in model.graph.node:
        if node.op_type == "Depthwise":
            window = model.find_producer(node.input[0])
            simd = getCustomOp(window).get_nodeattr("SIMD")
            if simd != getCustomOp(node).get_nodeattr("PE"):
                raise UserError(
                    f"SIMD={simd} of {window.name} and PE={getCustomOp(node).get_nodeattr('PE')} "
                    f"of {node.name} differ; a depthwise kernel takes its window's words unchanged"
                )


def balance(model: ModelWrapper, cycles: int) -> Table:
    """Least parallelism with which no kernel of a mapped model exceeds ``cycles`` a frame.

    UserError names the kernel that cannot be made fast enough.
    """
    table: Table = {}
    for node in model.graph.node:
        op, attributes = getCustomOp(node), list(foldable(node))
        if not attributes:
            continue
        choices = sorted(_choices(op, attributes), key=lambda c: (np.prod(c), max(c)))
        for choice in choices:
            for attribute, value in zip(attributes, choice, strict=True):
                op.set_nodeattr(attribute, value)
            if op.get_exp_cycles() <= cycles:
                break
        else:
            raise UserError(f"{node.name} needs {op.get_exp_cycles()} cycles even when unfolded")
        table[node.name] = dict(zip(attributes, choice, strict=True))
    _agree_depthwise(model, table)
    return table


def _choices(op: CustomOp, attributes: list[str]) -> list[tuple[int, ...]]:
    """Powers of two (and the whole) that divide: widths of neighbours then convert by integers."""
    choices: list[tuple[int, ...]] = [()]
    for attribute in attributes:
        channels = channels_of(op, attribute)
        divisors = [d for d in (2**k for k in range(12)) if channels % d == 0]
        choices = [(*c, d) for c in choices for d in divisors]
    return choices


def _agree_depthwise(model: ModelWrapper, table: Table) -> None:
    for node in model.graph.node:
        if node.op_type == "Depthwise":
            window = model.find_producer(node.input[0]).name
            lanes = max(table[node.name]["PE"], table[window]["SIMD"])
            table[node.name]["PE"] = table[window]["SIMD"] = lanes


class InsertFifos(Transformation):
    """FIFOs where branches rejoin, and of ``depth`` words on every other stream unless it is 0.

    At a join the short branch must hold what the windows of the long one hold back: the pixels that
    a window needs before it gives its first result. A vector that waits for the others of a
    concatenation is held whole.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in list(model.graph.node):
            op = getCustomOp(node)
            depths = self._join_depths(model, node)
            for i, name in enumerate(node.input):
                producer = model.find_producer(name)
                if producer is None and model.get_initializer(name) is not None:
                    continue
                depth = max(self.depth, depths.get(i, 0))
                if depth >= MIN_DEPTH:
                    self._insert(model, op, i, depth)
        return model, False

    @staticmethod
    def _insert(model: ModelWrapper, op: CustomOp, index: int, depth: int) -> None:
        node = op.onnx_node
        source, datatype = node.input[index], op.get_input_datatype(index)
        *vectors, _, lanes = op.get_folded_input_shape(index)
        channels = op.get_normal_input_shape(index)[-1]
        name = model.make_new_valueinfo_name()
        model.set_tensor_shape(name, op.get_normal_input_shape(index))
        model.set_tensor_datatype(name, datatype)
        fifo = kernel_node(
            "Fifo",
            [source],
            [name],
            NumChannels=channels,
            PE=lanes,
            numInputVectors=[int(v) for v in vectors],
            inputDataType=datatype.name,
            depth=depth,
        )
        node.input[index] = name
        model.graph.node.append(fifo)

    def _join_depths(self, model: ModelWrapper, node: NodeProto) -> dict[int, int]:
        op = getCustomOp(node)
        if node.op_type == "StreamConcat":
            return {i: op.get_folded_input_shape(i)[-2] for i in range(len(node.input))}
        if node.op_type != "StreamAdd":
            return {}
        lags = [held_pixels(model, name) for name in node.input]
        words = op.get_folded_input_shape()[-2]
        return {i: (max(lags) - lag + SLACK_PIXELS) * words for i, lag in enumerate(lags)}


def held_pixels(model: ModelWrapper, tensor: str) -> int:
    """Pixels that the windows between the last fork and ``tensor`` can hold at once."""
    pixels = 0
    while (node := model.find_producer(tensor)) is not None and node.op_type != "StreamFork":
        if node.op_type == WINDOW:
            op: Any = getCustomOp(node)
            (k_h, k_w), (_, width) = (op.get_nodeattr(a) for a in ("ConvKernelDim", "IFMDim"))
            pixels += (k_h - 1) * width + k_w
        tensor = node.input[0]
    return pixels
