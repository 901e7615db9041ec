# SPDX-License-Identifier: Apache-2.0
"""The integer network: each step against plain sums, the trace of a graph, its refusals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import NodeProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from host.common.errors import UserError
from hw.ops.requant import RequantParams, requant
from model.export.integer import Convolve, Requantise, SumPixels, integer_network
from model.export.qonnx import load_qonnx
from model.export.snap import snap

# -- single steps ----------------------------------------------------------------------------------


def plain_convolution(data: npt.NDArray[np.int64], step: Convolve) -> npt.NDArray[np.int64]:
    """Sum of products by the definition, one output pixel after the other."""
    pad = step.padding
    data = np.pad(data, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    outputs, depth, height, width = step.weights.shape
    rows = (data.shape[2] - height) // step.stride + 1
    columns = (data.shape[3] - width) // step.stride + 1
    acc = np.zeros((len(data), outputs, rows, columns), np.int64)
    per_group = outputs // step.groups
    for o in range(outputs):
        first = o // per_group * depth
        for y in range(rows):
            for x in range(columns):
                top, left = y * step.stride, x * step.stride
                window = data[:, first : first + depth, top : top + height, left : left + width]
                acc[:, o, y, x] = (window * step.weights[o].astype(np.int64)).sum(axis=(1, 2, 3))
    return acc


@pytest.mark.parametrize(
    ("shape", "stride", "padding", "groups", "size"),
    [
        ((4, 1, 3, 3), 2, 1, 1, 8),
        ((5, 3, 3, 3), 1, 1, 1, 7),
        ((6, 4, 1, 1), 1, 0, 1, 5),
        ((6, 1, 3, 3), 1, 1, 6, 6),
        ((6, 1, 3, 3), 2, 1, 6, 7),
        ((2, 3, 7, 7), 1, 0, 1, 7),
    ],
)
def test_convolution(
    shape: tuple[int, ...], stride: int, padding: int, groups: int, size: int
) -> None:
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    data = rng.integers(-128, 256, (2, shape[1] * groups, size, size))
    step = Convolve("in", "out", weights, stride, padding, groups)
    found = step.run({"in": torch.from_numpy(data)}).numpy()
    assert np.array_equal(found, plain_convolution(data, step))


@pytest.mark.parametrize("inputs", [256, 1024])
def test_convolution_is_exact_at_the_extremes(inputs: int) -> None:
    # 1024 * 9 * 255 * 127 is beyond 2**24, where float32 would lose the last bits
    weights = np.full((2, inputs, 3, 3), 127, np.int8)
    weights[1, 0, 0, 0] = -126
    data = torch.full((1, inputs, 3, 3), 255)
    found = Convolve("in", "out", weights, 1, 0, 1).run({"in": data}).flatten().tolist()
    assert found == [inputs * 9 * 255 * 127, inputs * 9 * 255 * 127 - 253 * 255]


def test_requantisation_equals_the_kernel_arithmetic() -> None:
    rng = np.random.default_rng(4)
    acc = rng.integers(-(2**26), 2**26, (2, 3, 4, 4))
    params = RequantParams(np.array([131071, -77777, 3]), np.array([5 << 20, -1, 1 << 23]), 24)
    found = Requantise("in", "out", params, -128, 127).run({"in": torch.from_numpy(acc)}).numpy()
    nhwc = acc.transpose(0, 2, 3, 1)
    wanted = requant(nhwc, params.scale, params.bias, params.shift, -128, 127)
    assert np.array_equal(found, wanted.transpose(0, 3, 1, 2))


def test_pool_is_a_sum() -> None:
    data = torch.arange(24).view(1, 2, 3, 4)
    found = SumPixels("in", "out").run({"in": data})
    assert found.flatten().tolist() == [66, 210]
    assert found.shape == (1, 2, 1, 1)


# -- whole networks --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(raw_model: ModelWrapper) -> ModelWrapper:
    return snap(copy.deepcopy(raw_model))


def requantisations(model: ModelWrapper) -> list[Requantise]:
    return [s for s in integer_network(model).steps if isinstance(s, Requantise)]


def same_integers(first: ModelWrapper, second: ModelWrapper) -> bool:
    pairs = zip(requantisations(first), requantisations(second), strict=True)
    return all(
        a.params.shift == b.params.shift
        and np.array_equal(a.params.scale, b.params.scale)
        and np.array_equal(a.params.bias, b.params.bias)
        for a, b in pairs
    )


def disturbed(model: ModelWrapper, noise: float, seed: int) -> ModelWrapper:
    """Copy with relative noise on every scale and every gain and offset."""
    rng = np.random.default_rng(seed)
    model = copy.deepcopy(model)
    names = {n.input[1] for n in model.graph.node if n.op_type == "Quant"}
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            names |= {node.input[1], node.input[2]}
    for name in sorted(names):
        value = model.get_initializer(name).astype(np.float64)
        value *= 1 + noise * rng.uniform(-1, 1, value.shape)
        model.set_initializer(name, value.astype(np.float32))
    return model


@pytest.mark.parametrize("seed", range(3))
def test_float32_noise_leaves_the_integers_of_a_snapped_model(
    model: ModelWrapper, seed: int
) -> None:
    assert len(requantisations(model)) == 56
    assert same_integers(model, disturbed(model, 1e-6, seed))


def test_the_same_noise_changes_integers_of_a_model_that_is_not_snapped(
    raw_model: ModelWrapper,
) -> None:
    assert not same_integers(raw_model, disturbed(raw_model, 1e-6, 0))


def test_every_layer_agrees_with_the_float_graph(
    model: ModelWrapper, images: npt.NDArray[np.uint8]
) -> None:
    """Each step on the integers of the float graph: one step off, seldom, at rounding ties."""
    inputs = {"image": images[:1, None].astype(np.float32) / 255}
    context = execute_onnx(model, inputs, return_full_exec_context=True)
    network = integer_network(model)
    tensors: dict[str, torch.Tensor] = {}
    for name in [network.image, *(s.output for s in network.steps if isinstance(s, Requantise))]:
        scale = model.get_initializer(model.find_producer(name).input[1]).reshape(())
        tensors[name] = torch.from_numpy(np.rint(context[name] / scale)).long()
    differing, total = 0, 0
    for step in network.steps:
        found = step.run(tensors)
        if isinstance(step, Requantise):
            off = (found - tensors[step.output]).abs()
            assert off.max() <= 1, step.output
            differing, total = differing + int(off.sum()), total + off.numel()
        else:
            tensors[step.output] = found
    assert total > 300_000
    assert differing < 1e-4 * total
    landmarks = tensors[network.accumulators].numpy() * network.out_scale + network.out_bias
    assert np.abs(landmarks - context["landmarks"]).max() < 1e-5


def test_batches_and_kept_tensors(model: ModelWrapper, images: npt.NDArray[np.uint8]) -> None:
    network = integer_network(model)
    name = network.steps[1].output
    whole = network.run(images, keep=[name, network.image])
    parts = network.run(images, batch=3)
    assert np.array_equal(whole.accumulators, parts.accumulators)
    assert whole.accumulators.dtype == np.int32
    assert whole.accumulators.shape == (8, 196)
    assert np.array_equal(whole.tensors[network.image][:, 0], images)
    assert whole.tensors[name].shape == (8, 16, 56, 56)
    expected = whole.accumulators * network.out_scale + network.out_bias
    assert np.array_equal(whole.landmarks.reshape(8, -1), expected)
    assert len(np.unique(whole.accumulators, axis=0)) == 8


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 112, 112), np.float32), r"images are float32 .* needs uint8 \(N, 112, 112\)"),
        (np.zeros((1, 64, 64), np.uint8), r"shape \(1, 64, 64\); the network needs uint8"),
        (np.zeros((0, 112, 112), np.uint8), r"with N >= 1"),
    ],
)
def test_images_are_checked(
    model: ModelWrapper, images: npt.NDArray[np.generic], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        integer_network(model).run(images)


def test_unknown_tensor_is_named(model: ModelWrapper, images: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(UserError, match=r"no step of the integer network writes nonsense"):
        integer_network(model).run(images[:1], keep=["nonsense"])


# -- refusals --------------------------------------------------------------------------------------


def node_of(model: ModelWrapper, kind: str, index: int = 0) -> NodeProto:
    return [n for n in model.graph.node if n.op_type == kind][index]


def activation_quant(model: ModelWrapper, index: int) -> NodeProto:
    quants = [n for n in model.graph.node if n.op_type == "Quant"]
    return [n for n in quants if model.get_initializer(n.input[0]) is None][index]


def other_op(model: ModelWrapper) -> None:
    node_of(model, "Relu").op_type = "Sigmoid"


def missing_scale(model: ModelWrapper) -> None:
    activation_quant(model, 3).input[1] = "nowhere"


def zero_point(model: ModelWrapper) -> None:
    model.set_initializer(activation_quant(model, 3).input[2], np.array(3.0, np.float32))


def negative_scale(model: ModelWrapper) -> None:
    model.set_initializer(activation_quant(model, 3).input[1], np.array(-1.0, np.float32))


def wide_activation(model: ModelWrapper) -> None:
    model.set_initializer(activation_quant(model, 3).input[3], np.array(16.0, np.float32))


def channel_scales(model: ModelWrapper) -> None:
    model.set_initializer(activation_quant(model, 3).input[1], np.ones((1, 8, 1, 1), np.float32))


def image_scale(model: ModelWrapper) -> None:
    model.set_initializer(activation_quant(model, 0).input[1], np.array(0.01, np.float32))


def unequal_add(model: ModelWrapper) -> None:
    quant = model.find_producer(node_of(model, "Add").input[1])
    scale = model.get_initializer(quant.input[1])
    model.set_initializer(quant.input[1], scale * np.float32(1.01))


def float_weights(model: ModelWrapper) -> None:
    conv = node_of(model, "Conv", 5)
    conv.input[1] = model.find_producer(conv.input[1]).input[0]


def unquantised_operand(model: ModelWrapper) -> None:
    conv = node_of(model, "Conv", 5)
    conv.input[0] = model.find_producer(conv.input[0]).input[0]


def transposed_gemm(model: ModelWrapper) -> None:
    for attr in node_of(model, "Gemm").attribute:
        if attr.name == "transB":
            attr.i = 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (other_op, r"Sigmoid node .* has no integer form; the format knows Add, BatchNorm"),
        (missing_scale, r"Quant node .* has no constant scale"),
        (zero_point, r"Quant node .*: zero point 3; the hardware needs 0"),
        (negative_scale, r"Quant node .*: scale -1 is not positive"),
        (wide_activation, r"Quant node .*: 16 bits; use 2 to 8"),
        (channel_scales, r"Quant node .*: activations need one scale, not 8"),
        (image_scale, r"Quant node .*: the image must be UINT8 with scale 1/255"),
        (unequal_add, r"Add node .*: its inputs have the scales .* must share one quantiser"),
        (float_weights, r"Conv node .*: its weights .* are not quantised"),
        (unquantised_operand, r"Conv node .*: its input .* does not come from a Quant node"),
        (transposed_gemm, r"Gemm node .*: needs transA = 0 and transB = 1"),
    ],
)
def test_refusals_name_node_and_reason(
    model: ModelWrapper, damage: Callable[[ModelWrapper], None], message: str
) -> None:
    broken = copy.deepcopy(model)
    damage(broken)
    with pytest.raises(UserError, match=message):
        integer_network(broken)


def test_files_that_are_no_qonnx_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no model .*missing\.onnx"):
        integer_network(tmp_path / "missing.onnx")
    text = tmp_path / "text.onnx"
    text.write_text("not a model")
    with pytest.raises(UserError, match=r"text\.onnx is not an ONNX model"):
        load_qonnx(text)
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([], "empty", [value], [value], [numpy_helper.from_array(np.ones(1))])
    onnx.save(helper.make_model(graph), tmp_path / "float.onnx")
    with pytest.raises(UserError, match=r"float\.onnx has no Quant node, so it is not a QONNX"):
        load_qonnx(tmp_path / "float.onnx")
