# SPDX-License-Identifier: Apache-2.0
"""The unit of a node: our operators themselves, an adapter for each operator of FINN's."""

from __future__ import annotations

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp

from host.common.errors import UserError
from hw.ops import operators
from hw.ops.unit import Unit
from hw.units.finn import FinnUnit
from hw.units.mvau import Mvau
from hw.units.padding import Padding
from hw.units.window import Window

ADAPTERS: dict[str, type[FinnUnit]] = {
    "MVAU_rtl": Mvau,
    "FMPadding_rtl": Padding,
    "ConvolutionInputGenerator_rtl": Window,
}


def unit_of(subject: NodeProto | CustomOp) -> Unit:
    """The unit of a node or of its operator; UserError for one that is no hardware of the flow."""
    op = getCustomOp(subject) if isinstance(subject, NodeProto) else subject
    if isinstance(op, Unit):
        return op
    node = op.onnx_node
    if node.op_type not in ADAPTERS:
        known = ", ".join((*ADAPTERS, *operators()))
        raise UserError(f"{node.name}: there is no unit for {node.op_type}, only for {known}")
    return ADAPTERS[node.op_type](op)


def units_of(model: ModelWrapper) -> list[Unit]:
    """The units of a graph of hardware, in its order."""
    return [unit_of(node) for node in model.graph.node]


def ends_of(model: ModelWrapper) -> tuple[Unit, Unit]:
    """The unit behind the input of a graph of hardware and the one before its output."""
    first = model.find_consumer(model.graph.input[0].name)
    return unit_of(first), unit_of(model.find_producer(model.graph.output[0].name))
