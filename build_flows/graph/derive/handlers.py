# SPDX-License-Identifier: Apache-2.0
"""The handler of every operator of ONNX and QONNX that has a form on integers."""

from __future__ import annotations

from collections.abc import Callable

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.graph.derive import activation, affine, pool, product, quantise, resize, shape
from build_flows.graph.derive.walk import Walk, named
from build_flows.graph.policy import Policy
from build_flows.graph.value import Value
from host.common.errors import UserError, first_line

MALFORMED = (ArithmeticError, AttributeError, IndexError, TypeError, ValueError, LookupError)
"""What a node raises that breaks the rules of its operator."""
Handler = Callable[[Walk, NodeProto], Value | tuple[Value, ...] | None]
HANDLERS: dict[str, Handler] = {
    "Quant": quantise.quant,
    "IntQuant": quantise.quant,
    "BipolarQuant": quantise.bipolar,
    "Trunc": quantise.trunc,
    "Conv": product.conv,
    "ConvTranspose": product.conv_transpose,
    "Gemm": product.gemm,
    "MatMul": product.gemm,
    "BatchNormalization": affine.batch_norm,
    "Add": affine.arithmetic,
    "Sub": affine.arithmetic,
    "Mul": affine.arithmetic,
    "Div": affine.arithmetic,
    "Neg": affine.negative,
    "Relu": activation.relu,
    "Clip": activation.clip,
    **dict.fromkeys(activation.CURVES, activation.curve),
    "PRelu": activation.prelu,
    "MaxPool": pool.window_pool,
    "AveragePool": pool.window_pool,
    "GlobalAveragePool": pool.global_average,
    "GlobalMaxPool": pool.global_largest,
    "ReduceMean": pool.global_average,
    "Concat": shape.concat,
    "Pad": shape.pad,
    "Resize": resize.resize,
    **dict.fromkeys(shape.MOVES, shape.move),
    "Identity": shape.identity,
    "Dropout": shape.identity,
}


def walked(model: ModelWrapper, policy: Policy, input_scale: float, input_offset: float) -> Walk:
    """A walk over all nodes of a cleaned model."""
    walk = Walk(model, policy, input_scale, input_offset)
    for node in model.graph.node:
        try:
            found = HANDLERS[node.op_type](walk, node)
        except MALFORMED as error:
            raise UserError(
                f"{named(node)}: its inputs or attributes are not those of a {node.op_type} "
                f"({first_line(error)}); export the network again"
            ) from error
        values = (found,) if isinstance(found, Value) else found or ()
        walk.values |= dict(zip(node.output, values, strict=False))
    return walk
