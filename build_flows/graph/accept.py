# SPDX-License-Identifier: Apache-2.0
"""What of ONNX the flow takes: an operator for which there is no way is refused at once."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper

from build_flows.graph.derive.handlers import HANDLERS
from build_flows.graph.derive.walk import named
from host.common.errors import UserError

INSTEAD = {  # operator -> what to put in its place
    "Softmax": "the network without it, and softmax on the host",
    "LogSoftmax": "the network without it, and log-softmax on the host",
    "ArgMax": "the network without it, and the largest output on the host",
    "ReduceSum": "the mean over height and width, x.mean(dim=(2, 3))",
    "Upsample": "opset 11 or later, which exports Resize",
    "MultiThreshold": "the network before its conversion for FINN",
    "InstanceNormalization": "nn.BatchNorm2d",
    "LayerNormalization": "nn.BatchNorm2d",
    "LpNormalization": "nn.BatchNorm2d",
}


def accept(model: ModelWrapper) -> None:
    """Raise UserError unless the flow knows every node of a cleaned QONNX model."""
    _check_input(model)
    for node in model.graph.node:
        if node.op_type not in HANDLERS:
            raise UserError(
                f"{named(node)}: there is no kernel for {node.op_type}; "
                f"use {INSTEAD.get(node.op_type, 'only ' + ', '.join(HANDLERS))}"
            )


def _check_input(model: ModelWrapper) -> None:
    """One picture or vector in."""
    ends = model.graph.input
    if len(ends) != 1:
        names = ", ".join(end.name for end in ends)
        raise UserError(
            f"the model has {len(ends)} inputs ({names}); the accelerator has one: concatenate "
            "them along the channels"
        )
    if not model.graph.output:
        raise UserError("the model has no output")
    shape = model.get_tensor_shape(ends[0].name)
    if shape is None or len(shape) not in (2, 3, 4) or shape[0] != 1 or min(shape) < 1:
        raise UserError(
            f"the input {ends[0].name} has the shape {shape}; it must be one picture "
            "(1, channels, height, width), one line (1, channels, length) or vector (1, elements): "
            "export with a batch of one and numbers for all sides"
        )
