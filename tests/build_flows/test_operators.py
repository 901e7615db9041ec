# SPDX-License-Identifier: Apache-2.0
"""Activations, quantisers and layers beyond convolution and ReLU: equal to the file, or refused."""

import numpy as np
import pytest
from onnx import helper

from build_flows.graph.mapping import map_to_kernels
from build_flows.graph.streamline import streamline
from build_flows.steps import cleaned
from host.common.errors import UserError
from hw.units import units_of
from tests.build_flows.networks import PART, QONNX, convolution, equal_to_the_file, graph, quant

CONSTANTS = {"byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.0211, "b": 0.0173, "four": 4.0}


def kernels(mapped):
    return [unit.kernel for unit in units_of(mapped)]


def between(nodes, constants=None, seed=16, signed=1, size=8, **last):
    """``nodes`` from "n" to "m" between a normalised convolution and another; its mapped graph."""
    rng = np.random.default_rng(seed)
    constants = CONSTANTS | (constants or {})
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), signed=1, constants=constants)[:-1]
    rows += nodes
    rows += convolution(rng, "m", "out", (5, 4, 3, 3), signed=signed, constants=constants, **last)
    model = graph(rows, constants, [1, 2, size, size])
    return equal_to_the_file(model, rng.integers(0, 256, (2, 2, size, size)))


def node(operator, source, sink, *constants, **attributes):
    return helper.make_node(operator, [source, *constants], [sink], f"{operator}_0", **attributes)


CURVES = {
    "leaky": [node("LeakyRelu", "l_n", "c", alpha=0.1)],
    "slopes": [node("PRelu", "l_n", "c", "slopes")],
    "sigmoid": [node("Sigmoid", "l_n", "c")],
    "tanh": [node("Tanh", "l_n", "c")],
    "hard sigmoid": [node("HardSigmoid", "l_n", "c", alpha=0.25)],
    "elu": [node("Elu", "l_n", "c", alpha=0.7)],
    "softplus": [node("Softplus", "l_n", "c")],
    "swish": [node("Sigmoid", "l_n", "g"), node("Mul", "l_n", "c", "g")],
    "hard swish": [
        node("HardSigmoid", "l_n", "g", alpha=1 / 6), node("Mul", "g", "c", "l_n"),
    ],
    "gelu": [
        node("Div", "l_n", "d", "root"), node("Erf", "d", "e"), node("Add", "e", "g", "one"),
        node("Mul", "l_n", "c", "g"),
    ],
    "absolute, moved": [
        node("Abs", "l_n", "v"), node("Mul", "v", "u", "four"), node("Sub", "u", "c", "four"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CURVES)
def test_activations_equal_the_file(name):
    slopes = np.array([0.1, -0.5, 2.0, 0.0]).reshape(4, 1, 1)
    constants = {"slopes": slopes, "root": np.sqrt(2), "one": 1.0}
    mapped = between([*CURVES[name], quant("c", "m", "b", signed=1)], constants)
    assert kernels(mapped).count("lookup") == 1


@pytest.mark.parametrize("mode", ["FLOOR", "CEIL", "DOWN", "UP", "HALF_UP", "HALF_DOWN"])
def test_rounding_modes_equal_the_file(mode):
    mapped = between([quant("l_n", "m", "b", signed=1, rounding_mode=mode)])
    assert kernels(mapped).count("lookup") == 1


@pytest.mark.parametrize("kernel", [1, 6])
@pytest.mark.parametrize("scales", [(2**-4, 2**-6, 2**-4), (0.037, 0.0211, 0.0173)])
def test_convolutions_without_normalisation(scales, kernel):
    """Where scales are powers of two there are halves; the last gives a map or a vector."""
    rng = np.random.default_rng(23)
    constants = CONSTANTS | dict(zip(("s", "t0", "t1"), scales, strict=True))
    rows, source = [quant("image", "x", "byte")], "x"
    sizes, sinks = [(4, 1, 3), (4, 4, 3), (3, 4, kernel)], ("t0", "t1", "")
    for i, ((outputs, inputs, taps), step) in enumerate(zip(sizes, sinks, strict=True)):
        constants[f"w{i}"] = rng.normal(size=(outputs, inputs, taps, taps))
        sums = f"y{i}" if step else "out"
        rows += [
            quant(f"w{i}", f"q{i}", "s", signed=1),
            node("Conv", source, sums, f"q{i}", kernel_shape=[taps, taps],
                 pads=[1 if taps == 3 else 0] * 4),
        ]  # fmt: skip
        source = f"h{i}"
        rows += [quant(sums, source, step, signed=1)] if step else []
    equal_to_the_file(graph(rows, constants, [1, 1, 6, 6]), rng.integers(0, 256, (4, 1, 6, 6)))


@pytest.mark.parametrize(("taps", "stride"), [((1, 1), (3, 2)), ((2, 3), (4, 9)), ((3, 2), (5, 2))])
def test_strides_that_are_longer_than_the_map(taps, stride):
    """They count for one place only, which FINN's window is told."""
    rng, constants = np.random.default_rng(26), dict(CONSTANTS)
    rows = [quant("image", "x", "byte")]
    rows += convolution(
        rng, "x", "l", (4, 2, *taps), constants=constants, strides=[*stride], pads=[0, 1, 0, 1],
        kernel_shape=[*taps],
    )  # fmt: skip
    rows += [node("MaxPool", "l", "p", kernel_shape=[1, 1], strides=[2, 7])]
    rows += convolution(rng, "p", "out", (5, 4, 1, 1), constants=constants)
    mapped = equal_to_the_file(
        graph(rows, constants, [1, 2, 3, 6]), rng.integers(0, 256, (3, 2, 3, 6))
    )
    for unit in units_of(mapped):
        if unit.kernel == "ConvolutionInputGenerator":
            assert np.all(
                unit.op.get_nodeattr("Stride") <= np.array(unit.op.get_nodeattr("IFMDim"))
            )


@pytest.mark.parametrize("image", [(1, 6), (5, 1), (1, 1)])
@pytest.mark.parametrize("pool", ["MaxPool", "AveragePool"])
def test_kernels_on_one_row_or_column(pool, image):
    """Of 3 x 3 with padding, one row or column of which meets the map."""
    rng = np.random.default_rng(24)
    counted = {"count_include_pad": 1} if pool == "AveragePool" else {}
    constants = dict(CONSTANTS)
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), constants=constants)
    rows += convolution(rng, "l", "r", (4, 1, 3, 3), constants=constants, group=4)
    rows += [
        node(pool, "r", "p", kernel_shape=[3, 3], pads=[1] * 4, **counted), quant("p", "m", "b"),
    ]  # fmt: skip
    rows += convolution(rng, "m", "out", (5, 4, 1, 1), signed=1, constants=constants)
    equal_to_the_file(graph(rows, constants, [1, 2, *image]), rng.integers(0, 256, (3, 2, *image)))


@pytest.mark.parametrize(
    ("image", "kernel", "stride", "why"),
    [
        ([2, 6, 8], (1, 3), (2, 1), "H increment > buffer size"),  # leaves out too many rows
        ([1, 2, 3], (1, 1), (2, 2), "it gives too few pixels"),
    ],
)
def test_a_window_that_finn_has_not_is_refused(tmp_path, image, kernel, stride, why):
    rng, constants = np.random.default_rng(25), dict(CONSTANTS)
    rows = [quant("image", "x", "byte")]
    rows += convolution(
        rng, "x", "out", (4, image[0], *kernel), constants=constants, kernel_shape=[*kernel],
        strides=[*stride],
    )  # fmt: skip
    mapped = map_to_kernels(streamline(cleaned(graph(rows, constants, [1, *image]), "")), PART)
    (window,) = [u for u in units_of(mapped) if u.kernel == "ConvolutionInputGenerator"]
    refused = (
        f"ConvolutionInputGenerator.*: FINN has no RTL for it \\(.*{why}.*\\); use another kernel"
    )
    with pytest.raises(UserError, match=refused):
        window.generated_rtl(tmp_path, mapped, PART, 4.0)


def test_a_row_that_is_padded_to_several_is_refused():
    rng, constants = np.random.default_rng(24), dict(CONSTANTS)
    rows = [quant("image", "x", "byte")]
    rows += convolution(
        rng, "x", "out", (4, 2, 1, 3), constants=constants, kernel_shape=[1, 3], pads=[1] * 4
    )
    with pytest.raises(UserError, match="pads a side of one pixel by 1 and 1, its kernel has 1"):
        streamline(cleaned(graph(rows, constants, [1, 2, 1, 6]), "a file"))


def test_weights_and_activations_of_one_bit():
    """As in binary networks: signs of a normalised convolution, and signs as weights."""
    rng = np.random.default_rng(17)
    constants = CONSTANTS | {"w": rng.normal(size=(5, 4, 3, 3)), "s": np.full((5, 1, 1, 1), 0.3)}
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), signed=1, constants=constants)[:-1]
    rows += [
        helper.make_node("BipolarQuant", ["l_n", "a"], ["m"], "sign", domain=QONNX),
        helper.make_node("BipolarQuant", ["w", "s"], ["wq"], "weights", domain=QONNX),
        helper.make_node("Conv", ["m", "wq"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        quant("y", "out", "a", signed=1),
    ]
    equal_to_the_file(graph(rows, constants, [1, 2, 6, 6]), rng.integers(0, 256, (3, 2, 6, 6)))


def test_lower_bits_that_are_dropped_behind_a_pooling():
    """TruncAvgPool2d of Brevitas: the sum of a window without its lowest bits."""
    trunc = helper.make_node(
        "Trunc", ["t", "b", "zero", "ten", "bits"], ["m"], "trunc_0", domain=QONNX,
        rounding_mode="FLOOR",
    )  # fmt: skip
    nodes = [
        node("Relu", "l_n", "r"), quant("r", "q", "b"),
        node("AveragePool", "q", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Mul", "p", "t", "four"), trunc,
    ]  # fmt: skip
    between(nodes, {"ten": 10.0})


@pytest.mark.parametrize("quantised", [True, False])
def test_nearest_upsampling(quantised):
    """Of the codes, or of what a quantiser takes behind it."""
    resize = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
    resize["nearest_mode"] = "floor"
    source, sink = ("q", "m") if quantised else ("l_n", "u")
    up = node("Resize", source, sink, "", "factors", **resize)
    nodes = [quant("l_n", "q", "b", signed=1), up] if quantised else [up, quant("u", "m", "b", 1)]
    mapped = between(nodes, {"factors": np.array([1, 1, 2, 3])}, size=4)
    assert kernels(mapped).count("upsample") == 1


def test_a_mean_without_quantiser_before_a_matrix_product():
    """The mean of the products, for the product of a mean is one of wide integers."""
    rng = np.random.default_rng(18)
    constants = CONSTANTS | {"w": rng.normal(size=(3, 4)), "s": 0.02, "fb": rng.normal(size=3)}
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), constants=constants)
    rows += [
        node("GlobalAveragePool", "l", "p"), node("Flatten", "p", "v"),
        quant("w", "wq", "s", signed=1), node("Gemm", "v", "out", "wq", "fb", transB=1),
    ]  # fmt: skip
    model = graph(rows, constants, [1, 2, 6, 6])
    mapped = equal_to_the_file(model, rng.integers(0, 256, (3, 2, 6, 6)))
    assert kernels(mapped)[-2] == "global_acc_pool"


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("GlobalMaxPool", {}),
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
        ("AveragePool", {"kernel_shape": [7, 7]}),
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1}),
        ("MaxPool", {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"}),
        ("MaxPool", {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        (
            "AveragePool",
            {"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER", "count_include_pad": 1},
        ),
    ],
)
def test_other_poolings(operator, attributes):
    nodes = [
        node("Relu", "l_n", "r"), quant("r", "q", "b"), node(operator, "q", "p", **attributes),
        quant("p", "m", "a"),
    ]  # fmt: skip
    between(nodes, size=7)


POOLED_SUMS = {  # accumulators that are pooled before any quantiser
    "average": [node("AveragePool", "l_c", "p", kernel_shape=[2, 2], strides=[2, 2])],
    "maximum": [
        node("MaxPool", "l_c", "v", kernel_shape=[2, 2], strides=[2, 2]),
        node("Mul", "v", "p", "slopes"),
    ],
    "upsampled": [
        node("Resize", "l_c", "v", "", "twice", mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric"),
        node("AveragePool", "v", "p", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1),
    ],
    "depthwise": [
        quant("l_n", "v", "a", signed=1), quant("weights", "w", "b", signed=1),
        node("Conv", "v", "u", "w", kernel_shape=[3, 3], group=4),
        node("AveragePool", "u", "p", kernel_shape=[2, 2], strides=[2, 2]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", POOLED_SUMS)
def test_pools_of_sums_are_as_wide_as_those(name):
    constants = {
        "slopes": np.array([[[1.5]], [[-0.5]], [[1.0]], [[0.7]]]), "twice": [1, 1, 2, 2],
        "weights": np.random.default_rng(18).normal(size=(4, 1, 3, 3)),
    }  # fmt: skip
    mapped = between([*POOLED_SUMS[name], quant("p", "m", "a", signed=1)], constants)
    (pool,) = (unit for unit in units_of(mapped) if unit.kernel == "window_pool")
    sums = next(unit for unit in units_of(mapped) if unit.kernel in ("dense", "depthwise"))
    assert pool.get_input_datatype().bitwidth() < 32
    assert pool.get_input_datatype() == mapped.get_tensor_datatype(pool.onnx_node.input[0])
    if name in ("average", "maximum"):
        assert pool.get_input_datatype() == sums.get_output_datatype()


HALVED = {"kernel_shape": [2, 2], "strides": [2, 2]}
PADDED = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
LARGEST = {  # maxima of what no quantiser gives, with one somewhere behind them
    "normalised": [node("MaxPool", "l_n", "v", **PADDED), node("Relu", "v", "p")],
    "activated": [node("Relu", "l_n", "v"), node("MaxPool", "v", "p", **PADDED)],
    "of a curve": [
        node("Sigmoid", "l_n", "g"), node("Mul", "l_n", "v", "g"),
        node("MaxPool", "v", "p", **PADDED),
    ],
    "twice": [node("MaxPool", "l_n", "v", **PADDED), node("MaxPool", "v", "p", **HALVED)],
    "of all": [node("GlobalMaxPool", "l_n", "p")],
    "of a sum": [
        quant("l_n", "v", "a", signed=1), quant("l_n", "u", "b", signed=1),
        node("Add", "u", "s", "v"), node("MaxPool", "s", "p", **HALVED),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", LARGEST)
def test_a_maximum_goes_behind_the_quantiser(name):
    """Whatever the sign of the normalisation before it, of which two channels are below zero."""
    mapped = between([*LARGEST[name], quant("p", "m", "a")])
    pools = [unit for unit in units_of(mapped) if unit.kernel == "window_pool"]
    assert len(pools) == (2 if name == "twice" else 1)
    assert all(pool.get_input_datatype().name == "UINT8" for pool in pools)


def test_a_padded_maximum_behind_an_activation_that_waits():
    nodes = [
        node("Relu", "l_c", "v"), node("MaxPool", "v", "p", **PADDED),
        node("Mul", "p", "u", "slopes"), quant("u", "m", "a", signed=1),
    ]  # fmt: skip
    slopes = np.array([[[1.5]], [[-0.5]], [[1.0]], [[0.7]]])
    assert kernels(between(nodes, {"slopes": slopes})).count("window_pool") == 1


@pytest.mark.parametrize(
    ("attributes", "source", "reason"),
    [
        (HALVED, "l_n", "MaxPool_0 takes a sum of branches of unlike scales, or channels with a f"),
        (PADDED, "l_c", "MaxPool_0 pads a tensor that can be below zero; pool without padding, or"),
    ],
)
def test_a_maximum_that_no_quantiser_follows_is_refused(attributes, source, reason):
    nodes = [
        node("MaxPool", source, "p", **attributes), node("LeakyRelu", "p", "v"),
        quant("v", "m", "a", signed=1),
    ]  # fmt: skip
    with pytest.raises(UserError, match=reason):
        between(nodes)


TWICE = {  # nodes that read one tensor twice, and the kernels that they are
    "sum": ([node("Add", "q", "p", "q")], []),
    "sum with its half": ([node("Mul", "q", "v", "half"), node("Add", "v", "p", "q")], []),
    "square": ([node("Mul", "q", "p", "q")], ["lookup"]),
    "concatenation": (
        [node("Concat", "q", "p", "q", axis=1)], ["stream_fork", "stream_concat"],
    ),
    "three": (
        [quant("l_r", "v", "a", signed=1), node("Concat", "q", "p", "v", "q", axis=1)],
        ["stream_fork", "stream_fork", "stream_concat"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TWICE)
def test_a_tensor_that_one_node_reads_twice(name):
    nodes, wanted = TWICE[name]
    rng, constants = np.random.default_rng(19), CONSTANTS | {"half": 0.5}
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), constants=constants)[:-1]
    rows += [quant("l_r", "q", "a"), *nodes, quant("p", "m", "b")]
    channels = {"concatenation": 8, "three": 12}.get(name, 4)
    rows += convolution(rng, "m", "out", (5, channels, 3, 3), constants=constants)
    model = graph(rows, constants, [1, 2, 6, 6])
    mapped = equal_to_the_file(model, rng.integers(0, 256, (2, 2, 6, 6)))
    for kernel in ("lookup", "stream_fork", "stream_add", "stream_concat"):
        assert kernels(mapped).count(kernel) == wanted.count(kernel)


@pytest.mark.parametrize("name", ["sum", "concatenation"])
def test_a_tensor_that_one_node_reads_twice_before_a_convolution(name):
    channels = {"concatenation": 8, "sum": 4}[name]
    rng, constants = np.random.default_rng(20), dict(CONSTANTS)
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "q", (4, 2, 3, 3), constants=constants)
    rows += TWICE[name][0]
    rows += convolution(rng, "p", "out", (5, channels, 3, 3), constants=constants)
    model = graph(rows, constants, [1, 2, 6, 6])
    equal_to_the_file(model, rng.integers(0, 256, (2, 2, 6, 6)))


JOINED = {  # what becomes of two branches that are joined before any quantiser
    "one quantiser": [node("Concat", "l_n", "j", "r_n", axis=1), quant("j", "m", "a", signed=1)],
    "activations": [
        node("Relu", "l_n", "v"), node("Tanh", "r_n", "u"), node("Concat", "v", "j", "u", axis=1),
        node("Mul", "j", "k", "four"), quant("k", "m", "a", signed=1),
    ],
    "a scale for each channel": [
        node("Concat", "l_n", "j", "r_n", axis=1), node("Mul", "j", "k", "two"),
        quant("k", "m", "a", signed=1),
    ],
    "an activation behind": [
        node("Concat", "l_n", "j", "r_n", axis=1), node("LeakyRelu", "j", "k", alpha=0.2),
        quant("k", "m", "a", signed=1),
    ],
    "bytes of both kinds": [
        quant("l_n", "v", "a", signed=1), quant("r_n", "u", "b"),
        node("Concat", "v", "m", "u", axis=1),
    ],
    "unlike types, pooled": [
        quant("l_n", "v", "a", signed=1), quant("r_n", "u", "b", bits="four"),
        node("Concat", "v", "j", "u", axis=1), node("MaxPool", "j", "m", kernel_shape=[2, 2]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", JOINED)
def test_branches_that_are_joined(name):
    """Each is quantised by itself."""
    rng = np.random.default_rng(19)
    constants = CONSTANTS | {"two": np.array([1, 2, 1, 2, 3, 1.0]).reshape(6, 1, 1)}
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), signed=1, constants=constants)[:-1]
    rows += convolution(rng, "x", "r", (2, 2, 1, 1), signed=1, constants=constants)[:-1]
    rows += JOINED[name]
    rows += convolution(rng, "m", "out", (6, 1, 3, 3), constants=constants, group=6)
    model = graph(rows, constants, [1, 2, 6, 6])
    equal_to_the_file(model, rng.integers(0, 256, (2, 2, 6, 6)))


def test_differences_of_branches():
    nodes = [
        quant("l_n", "q", "a", signed=1), quant("l_n", "r", "b", signed=1),
        node("Neg", "r", "s"), node("Sub", "q", "d", "s"), quant("d", "m", "a", signed=1),
    ]  # fmt: skip
    assert kernels(between(nodes)).count("requant_add") == 1


def branches(count, join):
    """Quantisers of unlike scales of one tensor, every second one with a sign, and their join."""
    scales = {f"s{i}": 0.0131 + 0.0037 * i for i in range(count)}
    nodes = [quant("l_n", f"q{i}", f"s{i}", signed=i % 2) for i in range(count)]
    if join == "Concat":
        names = [f"q{i}" for i in range(count)]
        return [*nodes, helper.make_node("Concat", names, ["j"], "Concat_0", axis=1)], scales
    sums = ["q0", *(f"j{i}" for i in range(1, count - 1)), "j"]
    for i in range(1, count):
        nodes.append(helper.make_node(join, [sums[i - 1], f"q{i}"], [sums[i]], f"{join}_{i}"))
    return nodes, scales


def sums_of(mapped):
    """Streams into each sum of unlike scales."""
    return [len(unit.inputs) for unit in units_of(mapped) if unit.kernel == "requant_add"]


@pytest.mark.parametrize(("count", "join"), [(3, "Add"), (3, "Sub"), (5, "Add"), (8, "Add")])
def test_sums_of_more_branches_of_unlike_scales(count, join):
    nodes, scales = branches(count, join)
    mapped = between([*nodes, quant("j", "m", "a", signed=1)], scales)
    assert sums_of(mapped) == [count]


@pytest.mark.parametrize("count", [3, 4])
def test_a_convolution_of_a_concatenation_of_unlike_scales(count):
    """The sum of a convolution of each part."""
    nodes, scales = branches(count, "Concat")
    rng, constants = np.random.default_rng(27), CONSTANTS | scales
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), signed=1, constants=constants)[:-1]
    rows += nodes
    rows += convolution(rng, "j", "out", (5, 4 * count, 3, 3), constants=constants)
    images = rng.integers(0, 256, (3, 2, 6, 6))
    mapped = equal_to_the_file(graph(rows, constants, [1, 2, 6, 6]), images)
    assert sums_of(mapped) == [count]


def joined_at_the_end(*nodes, constants=None):
    """Branches of unlike scales, one of them with a sign, joined to "j", and the rest."""
    rng, constants = np.random.default_rng(27), CONSTANTS | (constants or {})
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (2, 2, 3, 3), constants=constants)
    rows += convolution(rng, "x", "r", (2, 2, 1, 1), 1, "b", constants=constants)
    rows += [helper.make_node("Concat", ["l", "r"], ["j" if nodes else "out"], "join", axis=1)]
    return graph([*rows, *nodes], constants, [1, 2, 6, 6])


def test_branches_that_are_joined_to_an_output():
    images = np.random.default_rng(28).integers(0, 256, (2, 2, 6, 6))
    equal_to_the_file(joined_at_the_end(), images)


def test_a_last_layer_on_branches_of_unlike_scales_is_refused():
    constants = {"w": np.random.default_rng(29).normal(size=(3, 4, 1, 1))}
    last = helper.make_node("Conv", ["j", "q"], ["out"], "/head/Conv", kernel_shape=[1, 1])
    model = joined_at_the_end(quant("w", "q", "a", signed=1), last, constants=constants)
    reason = "layer head, Conv_2 gives the output global_out as a sum of 2 tensors of unlike scales"
    with pytest.raises(UserError, match=reason):
        streamline(cleaned(model, "a file"))


def test_a_convolution_of_more_than_bytes_is_refused():
    nodes = [quant("l_n", "v", "a"), quant("l_n", "u", "a"), node("Add", "v", "m", "u")]
    with pytest.raises(UserError, match="takes UINT9, of quantised tensors that were added, or jo"):
        between(nodes)


def test_a_sum_of_too_many_branches_is_refused():
    nodes, scales = branches(9, "Add")
    refused = (
        "takes a sum of 9 branches of unlike scales, of which there may be 8; put a quantiser "
        "behind the sum of some"
    )
    with pytest.raises(UserError, match=refused):
        between([*nodes, quant("j", "m", "a", signed=1)], scales)


def test_an_activation_of_a_sum_of_unlike_scales_is_refused():
    nodes = [
        quant("l_n", "q", "a", signed=1), quant("l_n", "r", "b", signed=1),
        node("Add", "q", "d", "r"), node("Tanh", "d", "t"), quant("t", "m", "a", signed=1),
    ]  # fmt: skip
    with pytest.raises(
        UserError, match="rounds an activation that is no clip of a sum of branches of"
    ):
        between(nodes)


def test_an_activation_without_a_quantiser_is_refused():
    with pytest.raises(UserError, match="takes what an activation gives without a quantiser; put"):
        between([node("Tanh", "l_n", "m")])


def test_an_attribute_of_another_kind_is_refused():
    rows = [quant("image", "x", "byte"), node("AveragePool", "x", "out", kernel_shape="large")]
    with pytest.raises(UserError, match="no sound ONNX graph: .*AveragePool_0 : kernel_shape"):
        streamline(cleaned(graph(rows, CONSTANTS, [1, 2, 6, 6]), "a file"))
