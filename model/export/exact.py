# SPDX-License-Identifier: Apache-2.0
"""The integer network as an ordinary ONNX file that onnxruntime evaluates to the bit.

Two INT8 implementations that round one value in a million differently drift apart to the full
quantisation noise, because every flipped step flips others behind it; the fused kernels behind QDQ
do that. Here convolutions run in float32 on integers (exact below 2**24) and requantisations in
float64, so that the landmarks are those of the integer reference. It costs some speed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from host.common.arrays import I8Array
from host.common.atomic import replacing
from host.common.errors import UserError
from model.export.integer import (
    EXACT_FLOAT32,
    Add,
    Concatenate,
    Convolve,
    Flatten,
    IntegerNetwork,
    Multiply,
    Peak,
    Requantise,
    Step,
    SumPixels,
    integer_network,
)
from model.export.peak import peak_nodes
from model.network.grid import CELL


class _Writer:
    """Builds the graph step by step; integers travel as float32 under the steps' names."""

    def __init__(self, network: IntegerNetwork) -> None:
        self.network = network
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def write(self) -> onnx.ModelProto:
        """The whole model: "image" (N, 1, S, S) = byte / 255 -> "landmarks" (N, 196)."""
        network = self.network
        levels = self.emit("Mul", ["image", self.constant(np.float32(255))], "levels")
        self.emit("Round", [levels], network.image)
        for step in network.steps:
            self.step(step)
        wide = self.cast("accumulators", TensorProto.DOUBLE)
        scaled = self.emit("Mul", [wide, self.constant(network.out_scale)], "scaled")
        moved = self.emit("Add", [scaled, self.constant(network.out_bias)], "moved")
        self.nodes.append(helper.make_node("Cast", [moved], ["landmarks"], to=TensorProto.FLOAT))
        shapes = {
            "image": ["N", 1, *network.image_shape],
            "landmarks": ["N", len(network.out_bias)],
        }
        image, landmarks = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in shapes.items()
        )
        graph = helper.make_graph(self.nodes, "exact", [image], [landmarks], self.constants)
        opset = helper.make_opsetid("", 17)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)

    def constant(self, value: npt.NDArray[np.generic] | np.generic) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def emit(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def cast(self, name: str, to: int) -> str:
        return self.emit("Cast", [name], f"{name}_{TensorProto.DataType.Name(to).lower()}", to=to)

    def step(self, step: Step) -> None:
        if isinstance(step, Convolve):
            self.convolve(step)
        elif isinstance(step, Requantise):
            self.requantise(step)
        elif isinstance(step, Add):
            self.emit("Add", [step.first, step.second], step.output)
        elif isinstance(step, SumPixels):
            axes = self.constant(np.array([2, 3]))
            self.emit("ReduceSum", [step.source, axes], step.output, keepdims=1)
        elif isinstance(step, Flatten):
            self.emit("Flatten", [step.source], step.output, axis=1)
        elif isinstance(step, Concatenate):
            self.emit("Concat", list(step.sources), step.output, axis=1)
        elif isinstance(step, Peak):
            self.peak(step)
        elif isinstance(step, Multiply):
            weights = self.weights(step.weights.T)
            last = step.output == self.network.accumulators  # in the file named as the landmarks
            self.emit("MatMul", [step.source, weights], "accumulators" if last else step.output)

    def peak(self, step: Peak) -> None:
        """The best cells; sums stay below 2**24, so that float32 holds them."""
        side, units = self.network.image_shape[0] // CELL, np.exp2(-step.shifts.astype(np.float64))
        nodes, constants = peak_nodes(
            step.source, "accumulators", step.steps, units, side, whole=True
        )
        self.nodes += nodes
        self.constants += constants

    def weights(self, values: I8Array) -> str:
        """INT8 in the file, float32 in the graph."""
        return self.cast(self.constant(np.ascontiguousarray(values)), TensorProto.FLOAT)

    def convolve(self, step: Convolve) -> None:
        parts = _exact_parts(step.weights)
        if len(parts) == 1:
            self.partial(step, step.source, step.weights, step.output)
            return
        name = step.output
        pieces = [f"{name}_in{i}" for i in range(len(parts))]
        sizes = self.constant(np.array([p.shape[1] for p in parts]))
        self.nodes.append(helper.make_node("Split", [step.source, sizes], pieces, axis=1))
        sums = [
            self.cast(self.partial(step, piece, part, f"{name}_out{i}"), TensorProto.DOUBLE)
            for i, (piece, part) in enumerate(zip(pieces, parts, strict=True))
        ]
        self.emit("Sum", sums, name)

    def partial(self, step: Convolve, source: str, weights: I8Array, output: str) -> str:
        """Convolution of some input channels."""
        return self.emit(
            "Conv",
            [source, self.weights(weights)],
            output,
            strides=[step.stride] * 2,
            pads=[step.padding] * 4,
            group=step.groups,
        )

    def requantise(self, step: Requantise) -> None:
        unit = 2.0**-step.params.shift
        source = next(s for s in self.network.steps if s.output == step.source)
        shape = (-1,) if isinstance(source, Flatten) else (-1, 1, 1)
        scale = self.constant((step.params.scale * unit).reshape(shape))
        bias = self.constant((step.params.bias * unit).reshape(shape))
        name = step.output
        scaled = self.emit("Mul", [self.cast(step.source, TensorProto.DOUBLE), scale], f"{name}_m")
        whole = self.emit("Floor", [self.emit("Add", [scaled, bias], f"{name}_a")], f"{name}_f")
        limits = [self.constant(np.float64(v)) for v in (step.low, step.high)]
        clipped = self.emit("Clip", [whole, *limits], f"{name}_c")
        self.emit("Cast", [clipped], name, to=TensorProto.FLOAT)


def _exact_parts(weights: I8Array) -> list[I8Array]:
    """Weights (O, I, kh, kw) in as few runs of inputs as keep float32 sums of products exact."""
    for count in range(1, weights.shape[1] + 1):
        parts = np.array_split(weights, count, axis=1)
        sums = [np.abs(p.astype(np.int64)).sum(axis=(1, 2, 3)).max() for p in parts]
        if 255 * max(sums) < EXACT_FLOAT32:
            return parts
    raise UserError(f"a filter of {weights.shape[2:]} is too large for exact sums in float32")


def write_exact(source: Path, path: Path) -> None:
    """Write the integer network of the QONNX file ``source`` to ``path`` for onnxruntime."""
    model = _Writer(integer_network(source)).write()
    onnx.checker.check_model(model, full_check=True)
    with replacing(path) as partial:
        onnx.save(model, partial)
