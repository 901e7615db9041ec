# SPDX-License-Identifier: Apache-2.0
"""From the quantised network to files: QONNX with snapped parameters and the golden vectors of it.

Snapping rewrites scales and batch normalisation so that every requantisation multiplier is, to
float32 precision, an integer over a power of two, and every offset a multiple of 2**-6. Derivations
in float32 and float64 then round to the same integers. Halves are the one difference: QONNX rounds
them to the even side, the integers up (docs/architecture.md). The weights of convolutions become
their integers, with scale 1: the normalisation behind, which has a gain per channel anyway, takes
over their scales.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import torch
from brevitas.export import export_qonnx
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.cleanup import cleanup_model

from host.common.arrays import F64Array, Images
from host.common.atomic import replacing
from host.common.errors import UserError
from hw.ops.grid_peak import MAX_SHIFT
from hw.ops.layers import record_layers, recorded_layers
from hw.ops.requant import BIAS_FRACTION, SCALE_BITS, quantise_affine
from model.export.exact import write_exact
from model.export.integer import EXACT_FLOAT32, batch_norm_affine, integer_network, pool_pixels
from model.export.packing import pack
from model.export.qdq import write_qdq
from model.export.qonnx import describe, quant_info
from model.network.grid import PARTS
from model.network.pfld import PFLD

INPUT, OUTPUT, CELLS = "image", "landmarks", "cells"
EPSILON = np.float32(1e-5)
UNIT_VARIANCE = np.float32(1) - EPSILON  #: sqrt(UNIT_VARIANCE + EPSILON) is 1 in float32
OPSET = 17


def to_qonnx(quantised: PFLD) -> ModelWrapper:
    """QONNX graph of a quantised network: "image" float (1, 1, S, S) = byte / 255 -> "landmarks"
    (1, 196).

    With the head grid the graph ends with the map "cells" (1, 294, S / 8, S / 8); the integer
    network, the files for onnxruntime and the hardware find the best cells in it.
    """
    quantised.eval()
    quantised.undecided = True
    image = torch.zeros(1, 1, quantised.image_size, quantised.image_size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "raw.onnx")
        export_qonnx(quantised, image, str(path), opset_version=OPSET, dynamo=False)
        model = ModelWrapper(str(path))
        layers = recorded_layers(model)  # the clean-up gives nodes other names
        model = cleanup_model(model)
    record_layers(model, layers)
    quantised.undecided = False
    model.rename_tensor(model.graph.input[0].name, INPUT)
    output = CELLS if quantised.head_kind == "grid" else OUTPUT
    model.rename_tensor(model.graph.output[0].name, output)
    return model


# -- snapping --------------------------------------------------------------------------------------


def snap(model: ModelWrapper) -> ModelWrapper:
    """Rewrite ``model`` in place onto the requantisation grid; see the module's text.

    First the weights, onto their grid; then the scales, in topological order: behind a residual
    add the new scale follows from that of the operands, before a pool from that of the pooled
    vector; then gain and offset of every batch normalisation. UserError where the graph does not
    have the form that the quantised network exports.
    """
    groups = _shared_quantisers(model)
    for node in model.graph.node:
        if node.op_type == "Quant" and model.get_initializer(node.input[0]) is not None:
            _snap_weights(model, node)
    for node in model.graph.node:
        if node.op_type == "Add":
            _snap_sum(model, node, groups)
        elif node.op_type == "GlobalAveragePool":
            _snap_pool(model, node, groups)
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            _snap_norm(model, node)
    last = model.find_producer(model.graph.output[0].name)
    if last.op_type == "Conv":
        _snap_cells(model, last)
    return model


def _snap_weights(model: ModelWrapper, node: NodeProto) -> None:
    """Put constant weights onto the grid of their quantiser, so that none lies near a tie."""
    info, values = quant_info(model, node), model.get_initializer(node.input[0])
    steps = np.clip(np.rint(values / info.scale), info.low, info.high)
    model.set_initializer(node.input[0], (steps * info.scale).astype(np.float32))


def _snapped(multiplier: F64Array) -> F64Array:
    """Nearest multipliers that requantisation represents exactly.

    The largest keeps clear of the bound at which one more bit of shift would fit, so that noise in
    its last places does not change the shift.
    """
    params = quantise_affine(multiplier, np.zeros(1))
    scale = params.scale
    lowest = 1 << (SCALE_BITS - 2)
    peak = np.abs(scale).argmax()
    if abs(scale[peak]) <= lowest:
        scale[peak] = np.copysign(lowest + 1, scale[peak])
    return scale / 2.0**params.shift


def _shared_quantisers(model: ModelWrapper) -> dict[str, list[NodeProto]]:
    """Quant nodes that must keep one scale, by the output of each: operands of adds and concats."""
    groups: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == "Quant":
            groups[node.output[0]] = [node]
    for node in model.graph.node:
        if node.op_type in ("Add", "Concat"):
            merged = {q.output[0]: q for name in node.input for q in groups.get(name, [])}
            for name in merged:
                groups[name] = list(merged.values())
    return groups


def _set_scale(model: ModelWrapper, quantisers: list[NodeProto], scale: float) -> None:
    """Give ``quantisers`` the float32 value of ``scale``."""
    for node in quantisers:
        shape = model.get_initializer(node.input[1]).shape
        model.set_initializer(node.input[1], np.full(shape, scale, np.float32))


def _scale(model: ModelWrapper, name: str, reader: NodeProto) -> F64Array:
    """Scale of the Quant node that writes ``name``, flat."""
    producer = model.find_producer(name)
    if producer is None or producer.op_type != "Quant":
        raise UserError(f"{describe(reader)}: its input {name} does not come from a Quant node")
    return quant_info(model, producer).scale.reshape(-1)


def _next_quant(model: ModelWrapper, node: NodeProto) -> NodeProto:
    """The Quant node that ``node`` leads to through Relu and Flatten."""
    while True:
        consumers = model.find_consumers(node.output[0])
        if len(consumers) != 1:
            raise UserError(f"{describe(node)} has {len(consumers)} readers instead of one Quant")
        node = consumers[0]
        if node.op_type == "Quant":
            return node
        if node.op_type not in ("Relu", "Flatten"):
            raise UserError(f"{describe(node)} stands where a Quant node is needed")


def _snap_sum(model: ModelWrapper, node: NodeProto, groups: dict[str, list[NodeProto]]) -> None:
    operand = _scale(model, node.input[0], node)
    after = _next_quant(model, node)
    multiplier = _snapped(operand / quant_info(model, after).scale.reshape(-1))
    _set_scale(model, groups[after.output[0]], float((operand / multiplier)[0]))


def _snap_pool(model: ModelWrapper, node: NodeProto, groups: dict[str, list[NodeProto]]) -> None:
    source = groups[node.input[0]]
    if len(source) != 1:
        raise UserError(f"{describe(node)}: the scale of its input is shared, it cannot be snapped")
    pooled = quant_info(model, _next_quant(model, node)).scale.reshape(-1)
    pooled = pooled * pool_pixels(model, node)
    multiplier = _snapped(_scale(model, node.input[0], node) / pooled)
    _set_scale(model, source, float((multiplier * pooled)[0]))


def _take_scale(model: ModelWrapper, name: str, reader: NodeProto) -> F64Array:
    """Scale per output channel of the weights ``name``, which become integers with scale 1."""
    scale, node = _scale(model, name, reader), model.find_producer(name)
    steps = np.rint(model.get_initializer(node.input[0]) / quant_info(model, node).scale)
    model.set_initializer(node.input[0], steps.astype(np.float32))
    model.set_initializer(node.input[1], np.ones((), np.float32))
    return scale


def _snap_norm(model: ModelWrapper, node: NodeProto) -> None:
    conv = model.find_producer(node.input[0])
    step = _scale(model, conv.input[0], node)
    out = quant_info(model, _next_quant(model, node)).scale.reshape(-1)
    gain, offset = batch_norm_affine(model, node)
    gain = gain * _take_scale(model, conv.input[1], node)
    grid = 2.0**BIAS_FRACTION
    gamma = _snapped(step * gain / out) * out / step
    beta = np.rint(offset / out * grid) / grid * out
    values = (gamma, beta, np.zeros_like(gamma), np.full_like(gamma, UNIT_VARIANCE))
    for index, value in enumerate(values):
        model.set_initializer(node.input[index + 1], value.astype(np.float32))
    for attr in node.attribute:
        if attr.name == "epsilon":
            attr.f = float(EPSILON)


def _snap_cells(model: ModelWrapper, node: NodeProto) -> None:
    """Give the offsets of the grid head scales of which a cell is a whole number of steps.

    A place is then ``column * steps + accumulator``, an integer, as the hardware gives it. Scores
    get a power of two as scale, the nearest: their order stays, and how close two of them are is
    their difference without its last bits.

    Filters near zero would have so many steps a cell that a place is beyond what float32 holds
    exactly. They get fewer, and weights of that scale.
    """
    step, scale = _scale(model, node.input[0], node), _scale(model, node.input[1], node)
    quantiser = model.find_producer(node.input[1])
    integers = np.rint(
        model.get_initializer(quantiser.input[0]) / quant_info(model, quantiser).scale
    )
    whole = np.rint(1 / (step * scale))
    most = _most_steps(model, node, integers)
    offsets = np.arange(len(scale)) % PARTS != 0
    power = np.exp2(np.clip(np.rint(np.log2(step * scale)), -MAX_SHIFT, 0))
    snapped = np.where(offsets, 1 / np.clip(whole, 1, most), power) / step
    smaller = np.where(offsets & (whole > most), scale / snapped, 1)
    integers = np.rint(integers * smaller.reshape(-1, 1, 1, 1))
    shaped = snapped.astype(np.float32).reshape(-1, 1, 1, 1)
    model.set_initializer(quantiser.input[1], shaped)
    model.set_initializer(quantiser.input[0], integers.astype(np.float32) * shaped)


def _most_steps(model: ModelWrapper, node: NodeProto, integers: F64Array) -> F64Array:
    """Most steps a cell (channels,) with which places stay below EXACT_FLOAT32."""
    data = quant_info(model, model.find_producer(node.input[0]))
    sums = np.abs(integers).reshape(len(integers), -1).sum(1)
    reach = max(-data.low, data.high) * sums
    side = model.get_tensor_shape(node.output[0])[-1]
    return np.asarray((EXACT_FLOAT32 - 1 - reach) // max(side - 1, 1))


# -- files -----------------------------------------------------------------------------------------


def export_files(quantised: PFLD, path: Path, images: Images, packed: bool = False) -> None:
    """Write the model and what belongs to it, from a ``quantised`` network.

    ``path`` is NAME.onnx; beside it NAME_golden.npz for ``images`` uint8 (N, S, S), and for
    onnxruntime NAME_exact.onnx, equal to the bit, and NAME_qdq.onnx, faster.
    packed: store NAME.onnx as small as it goes, weights as INT8, see model.export.packing.
    UserError when the name does not end in .onnx or a file cannot be written.
    """
    if path.suffix != ".onnx":
        raise UserError(f"{path} is no name for the model; it must end in .onnx")
    if not path.parent.is_dir():
        raise UserError(f"there is no folder {path.parent} to export to; make it first")
    with replacing(path) as partial:
        model = snap(to_qonnx(quantised))
        (pack(model) if packed else model).save(str(partial))
    write_golden(path, images, path.with_name(path.stem + "_golden.npz"))
    write_exact(path, path.with_name(path.stem + "_exact.onnx"))
    write_qdq(path, path.with_name(path.stem + "_qdq.onnx"))


def write_golden(model: Path, images: Images, path: Path) -> None:
    """Write the integer network's answers for ``images`` uint8 (N, S, S) to an npz ``path``.

    Keys: images, accumulators int32 (N, 196), out_scale and out_bias float64 (196,), landmarks
    float64 (N, 98, 2) in fractions of the crop, model_sha256 of the file ``model``.
    """
    network = integer_network(model)
    result = network.run(images)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            images=images,
            accumulators=result.accumulators,
            out_scale=network.out_scale,
            out_bias=network.out_bias,
            landmarks=result.landmarks,
            model_sha256=hashlib.sha256(model.read_bytes()).hexdigest(),
        )
