# SPDX-License-Identifier: Apache-2.0
"""Reading a QONNX file: tensors, producers, and what its Quant nodes say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.basic import get_by_name

from host.common.arrays import F64Array
from host.common.errors import UserError
from hw.ops.constants import fold_constants


@dataclass(frozen=True)
class QuantInfo:
    """Integer grid of a Quant node: ``value = integer * scale`` with low <= integer <= high."""

    scale: F64Array
    low: int
    high: int

    @property
    def signed(self) -> bool:
        """Whether the grid reaches below zero."""
        return self.low < 0


def load_qonnx(path: Path) -> ModelWrapper:
    """The QONNX model in ``path``; UserError if the file is none."""
    try:
        model = onnx.load(path)
    except FileNotFoundError as error:
        raise UserError(f"there is no model {path}") from error
    except (DecodeError, OSError, ValueError) as error:
        raise UserError(f"{path} is not an ONNX model: {error}") from error
    if not any(node.op_type == "Quant" for node in model.graph.node):
        raise UserError(
            f"{path} has no Quant node, so it is not a QONNX model; make one with "
            "`python -m model export`"
        )
    return unpack(ModelWrapper(model))


def unpack(model: ModelWrapper) -> ModelWrapper:
    """The model with constants for the nodes that model.export.packing puts in their place."""
    before = len(model.graph.node)
    fold_constants(model)
    return model.transform(InferShapes()) if len(model.graph.node) < before else model


def describe(node: NodeProto) -> str:
    """How messages name a node."""
    return f"{node.op_type} node {node.name or node.output[0]}"


def constant(model: ModelWrapper, node: NodeProto, index: int, what: str) -> F64Array:
    """Initialiser at input ``index`` of ``node`` as float64; UserError naming ``what`` if none."""
    name = node.input[index] if index < len(node.input) else ""
    value = model.get_initializer(name) if name else None
    if value is None:
        raise UserError(f"{describe(node)} has no constant {what}; run qonnx's cleanup on the file")
    return np.asarray(value, np.float64)


def attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    """Value of an attribute, ``default`` where it is not given."""
    found = get_by_name(node.attribute, name)
    return default if found is None else onnx.helper.get_attribute_value(found)


def quant_info(model: ModelWrapper, node: NodeProto) -> QuantInfo:
    """Grid of a Quant node of at most 8 bits and zero point 0; UserError for any other."""
    scale = constant(model, node, 1, "scale")
    zero = constant(model, node, 2, "zero point")
    bits = float(constant(model, node, 3, "bit width").reshape(-1)[0])
    if not (scale > 0).all():
        raise UserError(f"{describe(node)}: scale {scale.min():g} is not positive")
    if np.any(zero != 0):
        raise UserError(f"{describe(node)}: zero point {zero.max():g}; the hardware needs 0")
    if bits != round(bits) or not 2 <= bits <= 8:
        raise UserError(f"{describe(node)}: {bits:g} bits; use 2 to 8")
    steps, narrow = 1 << int(bits), int(bool(attribute(node, "narrow")))
    if attribute(node, "signed"):
        return QuantInfo(scale, -(steps // 2) + narrow, steps // 2 - 1)
    return QuantInfo(scale, 0, steps - 1 - narrow)
