# SPDX-License-Identifier: Apache-2.0
"""The QONNX network as a QDQ file for onnxruntime, with an open batch dimension.

Batch normalisation goes into the scale of the weights and an INT32 bias, so that onnxruntime can
fuse every convolution into an integer kernel; INT8 tensors become UINT8 with zero point 128 (its
x86 kernels take no signed activations). Integers differ from the reference only where its
floating-point requantisation rounds another way. On x86 without VNNI onnxruntime's kernels
saturate sums of two UINT8 x INT8 products; host.backends.cpu.open_session avoids that.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import F64Array
from host.common.atomic import replacing
from model.export.integer import batch_norm_affine
from model.export.peak import peak_nodes
from model.export.qonnx import QuantInfo, attribute, constant, load_qonnx, quant_info
from model.network.grid import PARTS

BIAS_LIMIT = 2.0**30  #: INT32 biases stay below, with room for the accumulator


class _Writer:
    """Builds the QDQ graph node by node; tensor names are those of the QONNX file."""

    def __init__(self, source: ModelWrapper) -> None:
        self.source = source
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.aliases: dict[str, str] = {}  # tensors of the file that are another one here
        self.handlers: dict[str, Callable[[NodeProto], None]] = {
            "Quant": self.quant,
            "Conv": self.conv,
            "Gemm": self.gemm,
            "BatchNormalization": self.skip,  # folded into the convolution before it
            "Relu": self.skip,  # the unsigned quantiser behind it clips at 0
        }

    def write(self) -> onnx.ModelProto:
        graph = self.source.graph
        for node in graph.node:
            self.handlers.get(node.op_type, self.copy)(node)
        image, result = (
            (info.name, ["N", *self.source.get_tensor_shape(info.name)[1:]])
            for info in (graph.input[0], graph.output[0])
        )
        if len(result[1]) == 4:
            result = self.peak(*result)
        entries = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (image, result)
        ]
        result = helper.make_graph(self.nodes, "qdq", entries[:1], entries[1:], self.constants)
        opset = helper.make_opsetid("", 17)
        return helper.make_model(result, opset_imports=[opset], ir_version=8)

    def peak(self, cells: str, shape: list[int | str]) -> tuple[str, list[int | str]]:
        """The landmarks of the last map of the grid head: their name and shape."""
        points, side = int(shape[1]) // PARTS, int(shape[2])
        steps, units = np.ones((points, 2)), np.ones(points)
        nodes, constants = peak_nodes(cells, "places", steps, units, side, whole=False)
        self.nodes += nodes
        self.constants += constants
        middle = self.constant("middle", np.array(0.5, np.float32))
        moved = self.emit("Add", ["places", middle], "moved")
        sides = self.constant("sides", np.array(side, np.float32))
        return self.emit("Div", [moved, sides], "landmarks"), ["N", 2 * points]

    # -- pieces ------------------------------------------------------------------------------------

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def emit(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(
            helper.make_node(kind, inputs, [output], f"{kind}_{output}", **attributes)
        )
        return output

    def named(self, name: str) -> str:
        return self.aliases.get(name, name)

    def integers(self, name: str, values: npt.NDArray[np.generic], scale: F64Array) -> str:
        """A constant that is dequantised along axis 0; returns the float tensor's name."""
        parts = [
            self.constant(f"{name}_int", values),
            self.constant(f"{name}_scale", scale.astype(np.float32)),
            self.constant(f"{name}_zero", np.zeros(len(scale), values.dtype)),
        ]
        return self.emit("DequantizeLinear", parts, name, axis=0)

    def scale_of(self, name: str) -> F64Array:
        return quant_info(self.source, self.source.find_producer(name)).scale.reshape(-1)

    def weight_integers(self, name: str) -> F64Array:
        """Weights behind the Quant node that writes ``name``, in steps of their scale."""
        node = self.source.find_producer(name)
        info = quant_info(self.source, node)
        return np.clip(np.rint(constant(self.source, node, 0, "weights") / info.scale), -127, 127)

    # -- one method an operation -------------------------------------------------------------------

    def skip(self, node: NodeProto) -> None:
        self.aliases[node.output[0]] = self.named(node.input[0])

    def copy(self, node: NodeProto) -> None:
        clone = NodeProto()
        clone.CopyFrom(node)
        clone.input[:] = [self.named(name) for name in node.input]
        self.nodes.append(clone)

    def quant(self, node: NodeProto) -> None:
        if self.source.get_initializer(node.input[0]) is not None:
            return  # weights: written with their layer
        name, info = node.output[0], quant_info(self.source, node)
        zero = 128 if info.signed else 0
        grid = [
            self.constant(f"{name}_scale", info.scale.reshape(()).astype(np.float32)),
            self.constant(f"{name}_zero", np.array(zero, np.uint8)),
        ]
        source = self.named(node.input[0])
        if info.high - info.low < 255:  # QuantizeLinear clips at a byte's ends only
            source = self.clipped(source, name, info)
        stepped = self.emit("QuantizeLinear", [source, *grid], f"{name}_int")
        self.emit("DequantizeLinear", [stepped, *grid], name)

    def clipped(self, source: str, name: str, info: QuantInfo) -> str:
        """``source`` between the ends of the grid of the quantiser that writes ``name``."""
        ends = [
            self.constant(f"{name}_{end}", (step * info.scale).reshape(()).astype(np.float32))
            for end, step in (("low", info.low), ("high", info.high))
        ]
        return self.emit("Clip", [source, *ends], f"{name}_clipped")

    def conv(self, node: NodeProto) -> None:
        if node.output[0] == self.source.graph.output[0].name:
            self.gemm(node)  # the grid head: no normalisation behind it, but a bias
            return
        norm = self.source.find_consumers(node.output[0])[0]
        gain, offset = batch_norm_affine(self.source, norm)
        step, scale = self.scale_of(node.input[0]), self.scale_of(node.input[1]) * gain
        folded = np.maximum(np.abs(scale), np.abs(offset) / step / BIAS_LIMIT + 1e-30)
        weights = self.weight_integers(node.input[1])
        weights = np.rint(weights * (scale / folded).reshape(-1, 1, 1, 1)).astype(np.int8)
        bias = np.rint(offset / (step * folded)).astype(np.int32)
        name = node.output[0]
        inputs = [
            self.named(node.input[0]),
            self.integers(f"{name}_weight", weights, folded),
            self.integers(f"{name}_bias", bias, step * folded),
        ]
        kept = {a.name: attribute(node, a.name) for a in node.attribute}
        self.emit("Conv", inputs, name, **kept)

    def gemm(self, node: NodeProto) -> None:
        name = node.output[0]
        weights = self.weight_integers(node.input[1]).astype(np.int8)
        inputs = [
            self.named(node.input[0]),
            self.integers(f"{name}_weight", weights, self.scale_of(node.input[1])),
            self.constant(
                f"{name}_bias", constant(self.source, node, 2, "bias").astype(np.float32)
            ),
        ]
        kept = {a.name: attribute(node, a.name) for a in node.attribute}
        self.emit(node.op_type, inputs, name, **kept)


def write_qdq(source: Path, path: Path) -> None:
    """Write the QONNX file ``source`` as QDQ to ``path``; inputs and outputs keep their names."""
    model = _Writer(load_qonnx(source)).write()
    onnx.checker.check_model(model, full_check=True)
    with replacing(path) as partial:
        onnx.save(model, partial)
