# SPDX-License-Identifier: Apache-2.0
"""QONNX with floating-point scales -> graph of exact integers.

Quantisers are split into scale, unit quantiser and scale; FINN's transformations move every scale
and offset forward until each unit quantiser is fed by one multiply and one add on an integer
accumulator; those three become a :class:`hw.ops.Requant`. Convolutions are lowered to sliding
windows and matrix products, channels last. What remains before the first and behind the last
integer operator is stripped and kept as metadata: the input scale and the landmarks' scale and
offset, applied by the host.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
from finn.transformation.streamline import collapse_repeated as collapse
from finn.transformation.streamline import reorder
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation
from qonnx.transformation.batchnorm_to_affine import BatchNormToAffine
from qonnx.transformation.gemm_to_matmul import GemmToMatMul
from qonnx.transformation.general import (
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    RemoveUnusedTensors,
    SortGraph,
)
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul
from qonnx.transformation.quant_constant_folding import FoldTransposeIntoQuantInit

from build_flows.graph.accept import accept
from build_flows.graph.edit import (
    apply_all,
    bypass,
    constant,
    insert_after,
    insert_before,
    is_a,
    kernel_node,
    nodes_of,
    producers,
)
from build_flows.graph.layers import keep_layers
from host.common.arrays import F64Array
from host.common.errors import UserError
from hw.ops.grid_peak import PARTS
from hw.ops.layers import layer_of, set_layer
from hw.ops.requant import quantise_affine

WHOLE = 1e-6  #: most that a cell may differ from a whole number of steps
OUTPUT_AFFINE = "landmark_affine"  #: metadata key: JSON {"scale": [...], "bias": [...]}


def streamline(model: ModelWrapper) -> ModelWrapper:
    """Integer graph of a cleaned QONNX model; UserError names a node that has no integer form."""
    accept(model)
    model = apply_all(model.transform(SortGraph()), FlattenAsKernel(), BiasBehind())
    model = keep_layers(model, GemmToMatMul(), FoldTransposeIntoQuantInit())
    model = apply_all(
        model,
        SplitQuantisers(),
        StripInput(),
        DropRelu(),
        BatchNormToAffine(),
        InferShapes(),
    )
    model = move_scales(model)
    check_joins(model)
    model = apply_all(model, StripOutput(), FormRequants())
    return apply_all(
        keep_layers(model, LowerConvsToMatMul()),
        ChannelsLast(),
        InferShapes(),
        InferDataTypes(),
        SortGraph(),
        RemoveUnusedTensors(),
        GiveUniqueNodeNames(),
        GiveReadableTensorNames(),
    )


def move_scales(model: ModelWrapper) -> ModelWrapper:
    """FINN's moves: one multiply and one add before each unit quantiser.

    No scale crosses a quantiser, so each move is needed once, in the order of the data: to both
    branches of a fork, through convolutions, behind sums, pools and the concatenation.
    """
    return keep_layers(
        model,
        reorder.MoveMulPastFork(),
        reorder.MoveScalarMulPastConv(),
        reorder.MoveScalarLinearPastInvariants(),
        AveragePoolToSum(),
        reorder.MoveScalarLinearPastInvariants(),
        reorder.MoveLinearPastEltwiseAdd(),
        reorder.MoveAffinePastJoinConcat(),
        reorder.MoveScalarMulPastMatMul(),
        reorder.MoveAddPastMul(),
        collapse.CollapseRepeatedMul(),
        collapse.CollapseRepeatedAdd(),
    )


class FlattenAsKernel(Transformation):
    """A matrix product on a flattened map -> a convolution whose kernel is as large as the map."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for flat in nodes_of(model, "Flatten", "Reshape"):
            size = model.get_tensor_shape(flat.input[0])[1:]
            if size[1:] in ([], [1, 1]):
                continue
            source = flat.input[0]
            bypass(model, flat)
            while is_a(quant := model.find_consumer(source), "Quant"):
                source = quant.output[0]
                model.set_tensor_shape(source, [1, *size])
            for product in model.find_consumers(source):
                self._replace(model, product, size)
        return apply_all(model, SortGraph()), False

    @staticmethod
    def _replace(model: ModelWrapper, product: NodeProto, size: list[int]) -> None:
        quant = model.find_producer(product.input[1])
        weights = model.get_initializer(quant.input[0])
        swapped = any(a.name == "transB" and a.i for a in product.attribute)
        weights = weights if swapped else weights.T
        model.set_initializer(quant.input[0], weights.reshape(-1, *size))
        model.set_tensor_shape(quant.output[0], [len(weights), *size])
        if (scale := model.get_initializer(quant.input[1])).size > 1:
            model.set_initializer(quant.input[1], scale.reshape(-1, 1, 1, 1))
        conv = helper.make_node(
            "Conv", list(product.input), list(product.output), kernel_shape=size[1:],
            strides=[1, 1], pads=[0] * 4, dilations=[1, 1], group=1,
        )  # fmt: skip
        set_layer(conv, layer_of(product))
        product_name = product.output[0]
        model.graph.node.remove(product)
        model.graph.node.append(conv)
        flatten_behind(model, product_name, len(weights))


def flatten_behind(model: ModelWrapper, name: str, channels: int) -> None:
    """Let what follows the tensor ``name``, a pixel, be one too; flatten where a vector is read."""
    while True:
        model.set_tensor_shape(name, [1, channels, 1, 1])
        readers = model.find_consumers(name)
        if len(readers) != 1 or not is_a(readers[0], "BatchNormalization", "Relu", "Quant"):
            break
        name = readers[0].output[0]
    pixel = model.make_new_valueinfo_name()
    model.set_tensor_shape(pixel, [1, channels, 1, 1])
    model.set_tensor_shape(name, [1, channels])
    model.find_producer(name).output[0] = pixel
    model.graph.node.append(helper.make_node("Flatten", [pixel], [name], axis=1))


class BiasBehind(Transformation):
    """A bias as a constant: that of a convolution as an Add behind it."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in nodes_of(model, "Conv", "Gemm"):
            if len(node.input) < 3:
                continue
            bias = self._values(model, node)
            if is_a(node, "Gemm"):
                node.input[2] = constant(model, bias)
            else:
                del node.input[2]
                insert_after(model, node, "Add", bias.reshape(1, -1, 1, 1))
        return apply_all(model, SortGraph(), RemoveUnusedTensors()), False

    @staticmethod
    def _values(model: ModelWrapper, node: NodeProto) -> npt.NDArray[Any]:
        """The bias in float32, with the values that its quantiser gives; that quantiser goes."""
        name = node.input[2]
        if (plain := model.get_initializer(name)) is not None:
            return np.asarray(plain, np.float32)
        quant = model.find_producer(name)
        steps = model.get_initializer(quant.input[0]) if is_a(quant, "Quant") else None
        scale = model.get_initializer(quant.input[1]) if is_a(quant, "Quant") else None
        if steps is None or scale is None:
            raise UserError(
                f"{node.name} has a bias that is computed at run time; make it constant"
            )
        datatype = getCustomOp(quant).get_integer_datatype(model)
        model.graph.node.remove(quant)
        integers = np.clip(np.rint(steps / scale), datatype.min(), datatype.max())
        return np.asarray(integers * scale, np.float32).ravel()


def check_joins(model: ModelWrapper) -> None:
    """Raise UserError where a scale did not move over a sum or a concatenation."""
    for node in nodes_of(model, "Add", "Concat"):
        before = producers(model, node)
        left = [
            n for n in before if is_a(n, "Mul") and model.get_initializer(n.input[1]) is not None
        ]
        if len(before) > 1 and left:
            layers = " and ".join(f"layer {_layer_before(model, n)}" for n in before)
            raise UserError(
                f"{node.name} joins {layers}, whose scales differ; pass all branches through one "
                "quantiser: the same QuantIdentity or QuantReLU module"
            )


def _layer_before(model: ModelWrapper, node: NodeProto) -> str:
    """Layer of the nearest node with weights before ``node``, its own name if there is none."""
    found: NodeProto | None = node
    while found is not None and not layer_of(found):
        found = model.find_producer(found.input[0])
    return layer_of(found) if found is not None else str(node.name)


class SplitQuantisers(Transformation):
    """Quant(scale s) -> Div s, Quant(scale 1), Mul s; constant weights become integers, Mul behind.

    Does in one pass what qonnx' ExtractQuantScaleZeroPt and FINN's FoldQuantWeights do in one pass
    over the whole graph for every quantiser.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in nodes_of(model, "Quant"):
            scale, zero_point, bits = (model.get_initializer(name) for name in node.input[1:])
            if scale is None or bits is None or zero_point is None or np.any(zero_point):
                raise UserError(
                    f"{node.name} has a zero point or a scale that is computed at run time; export "
                    "with constant scales and zero point 0"
                )
            if model.get_initializer(node.input[0]) is None:
                self._split_activation(model, node, scale, bits)
            else:
                self._fold_weight(model, node, scale)
        return apply_all(model, SortGraph(), RemoveUnusedTensors()), False

    @staticmethod
    def _split_activation(
        model: ModelWrapper, node: NodeProto, scale: npt.NDArray[Any], bits: npt.NDArray[Any]
    ) -> None:
        if scale.size != 1:
            raise UserError(
                f"{node.name} quantises activations per channel; use one scale a tensor"
            )
        for i, value in enumerate((1.0, 0.0, float(bits.squeeze())), start=1):
            node.input[i] = f"unit_quantiser_{value:g}"  # few tensors: lookups walk their list
            model.set_initializer(node.input[i], np.float32(value))
        insert_before(model, node, "Mul", (1.0 / scale.astype(np.float64)).astype(np.float32))
        insert_after(model, node, "Mul", scale)

    @staticmethod
    def _fold_weight(model: ModelWrapper, node: NodeProto, scale: npt.NDArray[Any]) -> None:
        (consumer,) = model.find_consumers(node.output[0])
        datatype = getCustomOp(node).get_integer_datatype(model)
        weights = np.rint(model.get_initializer(node.input[0]) / scale)
        weights = np.clip(weights, datatype.min(), datatype.max()).astype(np.float32)
        if scale.size > 1:
            channels_first = is_a(consumer, "Conv")
            scale = scale.reshape((1, -1, 1, 1) if channels_first else (1, -1))
        name = node.output[0]
        model.graph.node.remove(node)
        model.set_initializer(name, weights)
        model.set_tensor_datatype(name, datatype)
        insert_after(model, consumer, "Mul", scale)


class AveragePoolToSum(Transformation):
    """GlobalAveragePool -> ReduceSum and a scalar Mul of 1 / (height * width)."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in nodes_of(model, "GlobalAveragePool"):
            _, _, height, width = model.get_tensor_shape(node.input[0])
            node.op_type = "ReduceSum"
            node.input.append(constant(model, np.array([2, 3], np.int64)))
            insert_after(model, node, "Mul", np.array(1.0 / (height * width), np.float32))
        return model, False


class DropRelu(Transformation):
    """Relu before an unsigned quantiser clips nothing that the quantiser does not clip."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for node in nodes_of(model, "Relu"):
            after = [n for n in successors_past_scale(model, node) if is_a(n, "Quant")]
            if not after or any(getCustomOp(n).get_nodeattr("signed") for n in after):
                raise UserError(f"{node.name} is not followed by an unsigned quantiser")
            bypass(model, node)
        return model, False


def successors_past_scale(model: ModelWrapper, node: NodeProto) -> list[NodeProto]:
    """Consumers of a node's output, a single Mul in between skipped."""
    found: list[NodeProto] = []
    for consumer in model.find_consumers(node.output[0]):
        is_scale = is_a(consumer, "Mul")
        found += model.find_consumers(consumer.output[0]) if is_scale else [consumer]
    return found


class StripInput(Transformation):
    """Take the camera byte as it is: the input's scale and unit quantiser go."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        source = model.graph.input[0].name
        scale = model.find_consumer(source)
        quant = model.find_consumer(scale.output[0]) if is_a(scale, "Mul") else None
        if not is_a(quant, "Quant"):
            raise UserError("the model does not begin with one quantiser on its input image")
        levels = float(model.get_initializer(scale.input[1]).squeeze())
        if abs(levels - 255.0) > 1e-3:
            raise UserError(
                f"the input quantiser's scale is 1/{levels:g}, the camera byte's is 1/255"
            )
        datatype = getCustomOp(quant).get_integer_datatype(model)
        bypass(model, scale)
        bypass(model, quant)
        model.set_tensor_datatype(source, datatype)
        return model, False


class StripOutput(Transformation):
    """Give accumulators: the last multiply and add become the metadata OUTPUT_AFFINE.

    A map as output is that of a grid head; a GridPeak makes places of it.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        affine = {"Mul": np.ones(1), "Add": np.zeros(1)}
        sink = model.graph.output[0].name
        shape = model.get_tensor_shape(sink)
        if is_a(flat := model.find_producer(sink), "Flatten"):  # of a pixel
            model.graph.node.remove(flat)
            model.find_producer(flat.input[0]).output[0] = sink
            model.set_tensor_shape(sink, [*shape, 1, 1])
        for op_type in ("Add", "Mul"):
            node = model.find_producer(sink)
            if is_a(node, op_type):
                affine[op_type] = model.get_initializer(node.input[1]).astype(np.float64)
                producer = model.find_producer(node.input[0])
                model.graph.node.remove(node)
                producer.output[0] = sink
        scale, bias = affine["Mul"], affine["Add"]
        if len(shape) == 4:
            scale, bias = self._peak(model, shape, scale, bias)
            shape = model.get_tensor_shape(sink)
        values = {"scale": scale, "bias": bias}
        text = {k: np.broadcast_to(v.ravel(), shape[-1:]).tolist() for k, v in values.items()}
        model.set_metadata_prop(OUTPUT_AFFINE, json.dumps(text))
        return model, False

    @staticmethod
    def _peak(
        model: ModelWrapper, shape: list[int], scale: F64Array, bias: F64Array
    ) -> tuple[F64Array, F64Array]:
        """Put a GridPeak behind the last map; scale and bias of its places, in crops."""
        sink = model.graph.output[0].name
        batch, channels, rows, columns = shape
        if channels % PARTS:
            raise UserError(
                f"the output is a map of {channels} channels; a grid head has {PARTS} for each "
                "landmark: score, x, y"
            )
        per_channel = (np.broadcast_to(v, (1, channels, 1, 1)) for v in (scale, bias))
        scale, bias = (v.reshape(-1, PARTS)[:, 1:] for v in per_channel)
        steps = np.rint(1 / scale)
        if np.abs(steps * scale - 1).max() > WHOLE:
            raise UserError(
                "a cell of the output map is no whole number of steps of its offsets; export the "
                "network with `python -m model export`"
            )
        cells = model.make_new_valueinfo_name()
        model.set_tensor_shape(cells, shape)
        model.find_producer(sink).output[0] = cells
        model.set_tensor_shape(sink, [batch, steps.size])
        node = kernel_node(
            "GridPeak",
            [cells, constant(model, steps)],
            [sink],
            NumChannels=channels,
            numInputVectors=[batch, rows, columns],
            inputDataType="INT32",  # narrowed when the layer in front of it is mapped
            stepBits=int(steps.max()).bit_length(),
        )
        model.graph.node.append(node)
        sides = np.array([columns, rows])
        return (1 / (steps * sides)).ravel(), ((bias + 0.5) / sides).ravel()


class FormRequants(Transformation):
    """Mul, Add (either may be missing) and unit Quant -> Requant on the integer accumulator."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for quant in nodes_of(model, "Quant"):
            self._form(model, quant)
        return apply_all(model, SortGraph()), False

    def _form(self, model: ModelWrapper, quant: NodeProto) -> None:
        source, factors = quant.input[0], {"Mul": np.ones(1), "Add": np.zeros(1)}
        removed = [quant]
        for op_type in ("Add", "Mul"):
            node = model.find_producer(source)
            if is_a(node, op_type) and len(node.input) == 2:
                values = model.get_initializer(node.input[1])
                if values is not None:
                    factors[op_type] = values.astype(np.float64).ravel()
                    source = node.input[0]
                    removed.append(node)
        params = quantise_affine(factors["Mul"], factors["Add"])
        datatype = getCustomOp(quant).get_integer_datatype(model)
        batch, channels, *pixels = model.get_tensor_shape(source)
        node = kernel_node(
            "Requant",
            [source, constant(model, params.scale), constant(model, params.bias)],
            [quant.output[0]],
            NumChannels=channels,
            numInputVectors=[batch, *(pixels or [1, 1])],
            inputDataType="INT32",  # narrowed when the layer in front of it is mapped
            perChannel=int(params.scale.size > 1),
            shift=params.shift,
            outputDataType=datatype.name,
        )
        for old in removed:
            model.graph.node.remove(old)
        model.graph.node.append(node)
        model.set_tensor_datatype(node.output[0], datatype)


class ChannelsLast(Transformation):
    """The whole graph in NHWC: drops every transpose and permutes the input.

    Correct because the operators left are channels-last (Im2Col, MatMul) or elementwise, or get
    their axes rewritten here (ReduceSum, Concat); a pooled vector is a 1x1 map, so Flatten goes.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        graph = model.graph
        for node in nodes_of(model, "Transpose", "Flatten"):
            bypass(model, node)
        for node in nodes_of(model, "ReduceSum"):
            model.set_initializer(node.input[1], np.array([1, 2], np.int64))
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("keepdims", 1))
        for node in nodes_of(model, "Concat"):
            del node.attribute[:]
            node.attribute.append(helper.make_attribute("axis", -1))
        source = graph.input[0].name
        batch, channels, height, width = model.get_tensor_shape(source)
        datatypes = {n: model.get_tensor_datatype(n) for n in [source]}
        del graph.value_info[:]
        model.set_tensor_shape(source, [batch, height, width, channels])
        sink = graph.output[0].name
        model.set_tensor_shape(sink, [batch, 1, 1, model.get_tensor_shape(sink)[1]])
        for name, datatype in datatypes.items():
            model.set_tensor_datatype(name, datatype)
        return model, False
