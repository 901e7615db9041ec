# SPDX-License-Identifier: Apache-2.0
"""Shapes and orders of tensors: lengths, moved elements, transposed convolutions, outputs."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnxruntime import InferenceSession
from qonnx.core.datatype import DataType
from qonnx.transformation.general import GiveReadableTensorNames

from build_flows.graph.edit import renamed
from build_flows.graph.execute import NEW, File
from build_flows.graph.streamline import OUTPUTS, metadata, streamline
from build_flows.steps import cleaned
from host.common.errors import UserError
from hw.units import units_of
from tests.build_flows.networks import convolution, equal_to_the_file, graph, quant
from tests.build_flows.test_operators import CONSTANTS, between, kernels, node

SHUFFLE = [
    node("Reshape", "q", "a5", "sizes5"), node("Transpose", "a5", "b5", perm=[0, 2, 1, 3, 4]),
    node("Reshape", "b5", "p", "sizes4"),
]  # fmt: skip
SIZES = {"sizes5": [1, 2, 2, 8, 8], "sizes4": [1, 4, 8, 8]}


def test_shuffled_channels_before_a_convolution_cost_nothing():
    """The weights take their order."""
    rows = [quant("l_n", "q", "b", signed=1), *SHUFFLE[:2], node("Reshape", "b5", "m", "sizes4")]
    assert kernels(between(rows, SIZES)).count("dense") == 2


def test_shuffled_channels_elsewhere_are_put_in_order():
    """By a convolution of zeros and ones."""
    rows = [
        quant("l_n", "q", "b", signed=1), *SHUFFLE, node("Add", "p", "j", "q"),
        quant("j", "m", "a", signed=1),
    ]  # fmt: skip
    assert kernels(between(rows, SIZES)).count("dense") == 3


def test_split_channels():
    """One half passes, the other is worked on; a slice begins elsewhere."""
    constants = {"sizes0": [2, 2], "sizes1": [1], "sizes2": [3], "sizes3": [1], "sizes6": [0, 2]}
    rows = [
        quant("l_n", "q", "b", signed=1),
        helper.make_node("Split", ["q", "sizes0"], ["h0", "h1"], "Split_0", axis=1),
        node("Slice", "q", "s", "sizes1", "sizes2", "sizes3"),
        node("Gather", "q", "g", "sizes6", axis=1), node("MaxPool", "s", "t", kernel_shape=[1, 1]),
        node("Add", "h1", "u", "t"), node("Concat", "h0", "j", "u", axis=1),
        node("Add", "j", "k", "q"), quant("k", "m", "a", signed=1),
    ]  # fmt: skip
    between(rows, constants)


def test_elements_in_another_order_before_a_matrix_product():
    """A map that is flattened channels last; the weights take its order."""
    rng = np.random.default_rng(31)
    constants = CONSTANTS | {"w": rng.normal(size=(3, 4 * 25)), "s": 0.02}
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), constants=constants)
    rows += [
        node("Transpose", "l", "t", perm=[0, 2, 3, 1]), node("Flatten", "t", "v"),
        quant("w", "wq", "s", signed=1), node("Gemm", "v", "out", "wq", transB=1),
    ]  # fmt: skip
    model = graph(rows, constants, [1, 2, 5, 5])
    equal_to_the_file(model, rng.integers(0, 256, (2, 2, 5, 5)))


def whole(rows, constants, shape, seed=33):
    """``rows`` from image to out, compared with their file; kernels of the design."""
    rng = np.random.default_rng(seed)
    model = graph([quant("image", "x", "byte"), *rows], CONSTANTS | constants, [1, *shape])
    mapped = equal_to_the_file(model, rng.integers(0, 256, (2, *shape)))
    return [unit.kernel for unit in units_of(mapped)]


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("first", ["quantiser", "shuffle"])
def test_depth_to_space_before_a_convolution(mode, first):
    """Also of sums, whose quantiser then works before the elements move."""
    rng, constants = np.random.default_rng(34), {"c": 0.02}
    sums = convolution(rng, "x", "l", (12, 2, 3, 3), constants=constants)[:-2]
    shuffle = {"blocksize": 2, "mode": mode}
    rows = {
        "quantiser": [quant("l_n", "q", "c"), node("DepthToSpace", "q", "m", **shuffle)],
        "shuffle": [
            node("DepthToSpace", "l_n", "d", **shuffle), node("Relu", "d", "r"),
            quant("r", "m", "c"),
        ],
    }[first]  # fmt: skip
    end = convolution(rng, "m", "out", (2, 3, 3, 3), constants=constants)
    assert "upsample" in whole([*sums, *rows, *end], constants, (2, 4, 5))


def test_a_pixel_shuffle_of_reshapes():
    """As people write it without the operator, with unlike sides, from a vector too."""
    rng, constants = np.random.default_rng(35), {"c": 0.02}
    constants |= {"sizes0": [1, 2, 2, 3, 4, 5], "sizes1": [1, 2, 8, 15]}
    rows = convolution(rng, "x", "l", (12, 2, 3, 3), constants=constants)
    rows += [
        node("Reshape", "l", "u", "sizes0"), node("Transpose", "u", "v", perm=[0, 1, 4, 2, 5, 3]),
        node("Reshape", "v", "m", "sizes1"),
    ]  # fmt: skip
    end = convolution(rng, "m", "out", (2, 2, 3, 3), constants=constants)
    whole([*rows, *end], constants, (2, 4, 5))
    constants |= {"sizes2": [1, 3, 2, 2]}
    rows = convolution(rng, "x", "l", (12, 2, 3, 3), constants=constants, pads=[0] * 4)
    rows.append(node("Reshape", "l", "m", "sizes2"))
    end = convolution(rng, "m", "out", (2, 3, 3, 3), constants=constants)
    whole([*rows, *end], constants, (2, 3, 3))


def test_space_to_depth_of_slices_is_one_convolution():
    """As detectors begin, and the operator itself."""
    rng, constants = np.random.default_rng(36), {"c": 0.02}
    constants |= {"sizes0": [0], "sizes1": [1], "sizes2": [2], "sizes3": [3], "sizes9": [99]}
    rows = []
    for i, j in np.ndindex(2, 2):
        rows += [
            node("Slice", "x", f"r{i}{j}", f"sizes{i}", "sizes9", "sizes2", "sizes2"),
            node("Slice", f"r{i}{j}", f"p{i}{j}", f"sizes{j}", "sizes9", "sizes3", "sizes2"),
        ]
    rows.append(node("Concat", "p00", "m", "p10", "p01", "p11", axis=1))
    end = convolution(rng, "m", "out", (3, 8, 3, 3), constants=constants)
    kernels = whole([*rows, *end], constants, (2, 6, 8))
    assert kernels.count("dense") == 2
    rows = [node("SpaceToDepth", "x", "m", blocksize=2)]
    assert whole([*rows, *end], constants, (2, 6, 8)) == kernels


def test_a_crop():
    rng, constants = np.random.default_rng(37), {"c": 0.02}
    constants |= {"sizes_from": [1, 2], "sizes_to": [-1, 6], "sizes_axes": [2, 3]}
    rows = [node("Slice", "x", "m", "sizes_from", "sizes_to", "sizes_axes")]
    end = convolution(rng, "m", "out", (3, 2, 3, 3), constants=constants)
    whole([*rows, *end], constants, (2, 5, 8))


def test_outputs_in_another_order_are_left_to_the_host():
    """Boxes of a detector as a list of rows, a shuffled map with a bias for each channel, a vector
    of a map."""
    rng = np.random.default_rng(38)
    constants = {"c": 0.02, "bias": rng.normal(size=12)}
    sums = convolution(rng, "x", "l", (12, 2, 3, 3), constants=constants)[:1]
    constants |= {"sizes_boxes": [1, 3, 4, 4, 5], "sizes_rows": [1, -1, 4]}
    product = node("Conv", "x", "y", "l_q", "bias", kernel_shape=[3, 3], pads=[1] * 4)
    ends = [
        [node("Reshape", "y", "u", "sizes_boxes"),
         node("Transpose", "u", "v", perm=[0, 1, 3, 4, 2]),
         node("Reshape", "v", "out", "sizes_rows")],
        [node("DepthToSpace", "y", "out", blocksize=2, mode="CRD")],
        [node("Flatten", "y", "out")],
    ]  # fmt: skip
    for end in ends:
        assert whole([*sums, product, *end], constants, (2, 4, 5)).count("dense") == 1


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [quant("l_n", "q", "b", signed=1), node("Transpose", "q", "m", perm=[0, 1, 3, 2])],
            "Conv_1 takes elements in another order or shape; only a matrix product or a quantiser",
        ),
        ([node("Reshape", "l_n", "m", "image")], "Reshape_0: .* is computed at run time; make"),
        (
            [node("Slice", "l_n", "m", "sizes1", "sizes1", "sizes1")],
            "Slice_0 leaves no element of .*; look at its sizes",
        ),
        ([node("Reshape", "l_n", "m", "sizes")], "sound ONNX graph|Reshape_0: .* export the netw"),
    ],
)
def test_what_moves_in_other_ways_is_refused(rows, reason):
    with pytest.raises(UserError, match=reason):
        between(rows, {"sizes": [1, 7], "sizes1": [1]})


def line(rng, rows, constants, length=12):
    """A network on two channels of a length, compared with its file."""
    model = graph(rows, constants, [1, 2, length])
    return equal_to_the_file(model, rng.integers(0, 256, (2, 2, length)))


def test_convolutions_and_pooling_over_a_length():
    rng = np.random.default_rng(32)
    constants = CONSTANTS | {"w": rng.normal(size=(3, 12)), "s": 0.02, "sizes": [0, 0, 1, 0, 0, 2]}
    constants["factors"] = [1, 1, 2]
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3), constants=constants, strides=[2])
    constants["l_s"] = constants["l_s"].reshape(4, 1, 1)
    rows += [
        node("MaxPool", "l", "p", kernel_shape=[2], strides=[2]),
        node("Resize", "p", "u", "", "factors", mode="nearest", nearest_mode="floor",
             coordinate_transformation_mode="asymmetric"),
        node("Pad", "u", "d", "sizes"),
    ]  # fmt: skip
    rows += convolution(
        rng, "d", "k", (4, 1, 3), constants=constants, group=4, pads=[0, 0], dilations=[2]
    )
    constants["k_s"] = constants["k_s"].reshape(4, 1, 1)
    rows += [
        node("AveragePool", "k", "v", kernel_shape=[2], strides=[2]), quant("v", "y", "b"),
        node("ReduceMean", "y", "z", axes=[-1], keepdims=0), quant("z", "t", "a"),
        quant("w", "wq", "s", signed=1), node("Gemm", "t", "out", "wq", transB=1),
    ]  # fmt: skip
    constants["w"] = constants["w"][:, :4]
    line(rng, rows, constants)


def test_a_map_of_a_length_is_an_output():
    rng = np.random.default_rng(33)
    constants = dict(CONSTANTS)
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "out", (4, 2, 3), constants=constants)
    constants["out_s"] = constants["out_s"].reshape(4, 1, 1)
    line(rng, rows, constants)


TRANSPOSED = [  # kernel, stride, padding, more at the end, groups, dilation
    ((2, 2), (2, 2), (0, 0), (0, 0), 1, 1),
    ((3, 3), (2, 2), (1, 1), (1, 1), 1, 1),
    ((3, 4), (1, 3), (1, 0), (0, 1), 2, 1),
    ((3, 3), (2, 1), (1, 1), (0, 0), 4, 2),
]


@pytest.mark.parametrize("case", TRANSPOSED)
def test_transposed_convolutions(case):
    """Equal to the file, and the file is what PyTorch computes."""
    kernel, stride, pads, more, group, dilation = case
    rng = np.random.default_rng(34)
    weights = rng.normal(size=(4, 4 // group, *kernel))
    options = {
        "strides": stride, "pads": pads * 2, "output_padding": more, "group": group,
        "dilations": [dilation] * 2, "kernel_shape": kernel,
    }  # fmt: skip
    constants = {"w": weights, "ws": 0.02 if group > 1 else rng.uniform(0.01, 0.03, (1, 4, 1, 1))}
    rows = [
        quant("l_n", "q", "b", signed=1), quant("w", "wq", "ws", signed=1),
        node("ConvTranspose", "q", "t", "wq", **options), quant("t", "m", "a", signed=1),
    ]  # fmt: skip
    assert kernels(between(rows, constants)).count("upsample") == (stride != (1, 1))
    alone = helper.make_graph(
        [node("ConvTranspose", "x", "y", "w", **options)], "alone",
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in ("x", "w")],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, None)],
    )  # fmt: skip
    x = rng.normal(size=(1, 4, 5, 6))
    found = ReferenceEvaluator(helper.make_model(alone), new_ops=NEW).run(
        None, {"x": x, "w": weights}
    )
    wanted = torch.nn.functional.conv_transpose2d(
        torch.tensor(x), torch.tensor(weights), None, stride, pads, more, group, dilation
    )
    np.testing.assert_allclose(found[0], wanted.numpy(), atol=1e-12)


def test_transposed_convolutions_that_cut_the_map_are_refused():
    constants = {"w": np.ones((4, 4, 2, 2)), "ws": 0.02}
    rows = [
        quant("l_n", "q", "b", signed=1), quant("w", "wq", "ws", signed=1),
        node("ConvTranspose", "q", "m", "wq", strides=[3, 3]),
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"strides=\[3, 3\].*use a kernel as large as the stride"):
        between(rows, constants)


def test_pooled_branches_of_unlike_scales_before_a_convolution():
    """Each is pooled by itself."""
    rows = [
        quant("l_n", "q", "a", signed=1), quant("l_n", "r", "b", signed=1),
        node("Concat", "q", "j", "r", axis=1), node("MaxPool", "j", "m", kernel_shape=[2, 2]),
    ]  # fmt: skip
    rng = np.random.default_rng(35)
    constants = dict(CONSTANTS)
    start = [quant("image", "x", "byte")]
    start += convolution(rng, "x", "l", (4, 2, 3, 3), signed=1, constants=constants)[:-1]
    rows = start + rows + convolution(rng, "m", "out", (5, 8, 3, 3), constants=constants)
    mapped = equal_to_the_file(
        graph(rows, constants, [1, 2, 8, 8]), rng.integers(0, 256, (2, 2, 8, 8))
    )
    assert kernels(mapped).count("window_pool") == 2


def two_sizes():
    """A map, and half of it."""
    rng = np.random.default_rng(36)
    constants = dict(CONSTANTS)
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "a_map", (3, 2, 3, 3), constants=constants)
    rows += convolution(rng, "x", "half", (2, 2, 3, 3), constants=constants, strides=[2, 2])
    return graph(rows, constants, [1, 2, 6, 4], ("a_map", "half"))


def test_outputs_of_unlike_size_leave_one_after_another():
    rng = np.random.default_rng(37)
    mapped = equal_to_the_file(two_sizes(), rng.integers(0, 256, (2, 2, 6, 4)))
    assert kernels(mapped).count("stream_concat") == 1
    rows = metadata(streamline(cleaned(two_sizes(), "a file")), OUTPUTS)
    assert [row["shape"] for row in rows] == [[3, 6, 4], [2, 3, 2]]


def test_channels_last_at_input_and_output():
    rng = np.random.default_rng(38)
    constants = dict(CONSTANTS)
    rows = [node("Transpose", "image", "i", perm=[0, 3, 1, 2]), quant("i", "x", "byte")]
    rows += convolution(rng, "x", "l", (3, 2, 3, 3), constants=constants)
    rows += [helper.make_node("Transpose", ["l"], ["out"], "Transpose_1", perm=[0, 2, 3, 1])]
    model = graph(rows, constants, [1, 6, 4, 2])
    assert File(cleaned(graph(rows, constants, [1, 6, 4, 2]), "a file")).shape == [1, 2, 6, 4]
    equal_to_the_file(model, rng.integers(0, 256, (2, 2, 6, 4)))


def test_a_batch_without_a_number_and_outputs_that_are_constants():
    """As Brevitas exports a QuantTensor, whose scale and zero point are outputs of their own."""
    rng = np.random.default_rng(41)
    constants = dict(CONSTANTS)
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "out", (3, 2, 3, 3), constants=constants)
    rows += [helper.make_node("Identity", ["a"], ["scale"], "scale")]
    constants["bias"] = rng.normal(size=3)
    rows += [quant("bias", "sh", "a", signed=1), node("Neg", "sh", "shift")]
    model = graph(rows, constants, [1, 2, 6, 4], ("out", "scale", "shift"))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"
    equal_to_the_file(model, rng.integers(0, 256, (2, 2, 6, 4)))


def test_weights_whose_elements_moved():
    """As in the product of a picture's rows: transposed, with a scale an output; and a bias."""
    rng = np.random.default_rng(43)
    constants = CONSTANTS | {
        "w": rng.normal(size=(5, 8)), "s": rng.uniform(0.01, 0.03, (5, 1)),
        "bias": rng.normal(size=(5, 1)), "sizes": [1, 5],
    }  # fmt: skip
    rows = [
        quant("image", "x", "byte"), quant("w", "q", "s", signed=1),
        node("Transpose", "q", "t", perm=[1, 0]), node("Flatten", "x", "f"),
        node("MatMul", "f", "m", "t"), quant("bias", "v", "a", signed=1),
        node("Reshape", "v", "r", "sizes"), node("Add", "m", "out", "r"),
    ]  # fmt: skip
    model = graph(rows, constants, [1, 2, 2, 2])
    equal_to_the_file(model, rng.integers(0, 256, (2, 2, 2, 2)))


@pytest.mark.parametrize("places", ["half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize("nearest", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
def test_resize_of_the_reference_is_that_of_onnx(places, nearest):
    resize = node(
        "Resize", "x", "y", "", "f", mode="nearest", nearest_mode=nearest,
        coordinate_transformation_mode=places,
    )  # fmt: skip
    ends = [
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names]
        for names in (("x", "f"), ("y",))
    ]
    model = helper.make_model(
        helper.make_graph([resize], "one", *ends), opset_imports=[helper.make_opsetid("", 13)]
    )
    x = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
    inputs = {"x": x, "f": np.array([1, 1, 2, 3], np.float32)}
    found = [ReferenceEvaluator(model, new_ops=ops).run(None, inputs)[0] for ops in (NEW, [])]
    np.testing.assert_array_equal(*found)


POOLS = [
    {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [3, 2], "strides": [2, 3], "auto_pad": "VALID"},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 1]},
    {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 1, 0, 0], "ceil_mode": 1},
    {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [2, 3], "dilations": [3, 2], "pads": [1, 1, 0, 2]},
    {"kernel_shape": [3], "strides": [2], "pads": [1, 0], "ceil_mode": 1},
]


@pytest.mark.parametrize("attributes", POOLS)
@pytest.mark.parametrize("counted", [None, 0, 1])
def test_poolings_of_the_reference_are_those_of_onnxruntime(counted, attributes):
    """None: of the largest."""
    kind = "MaxPool" if counted is None else "AveragePool"
    more = {} if counted is None else {"count_include_pad": counted}
    sides = (7, 8)[: len(attributes["kernel_shape"])]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name, shape in (("x", (1, 2, *sides)), ("y", None))
    ]
    pool = helper.make_node(kind, ["x"], ["y"], **(attributes | more))
    model = helper.make_model(
        helper.make_graph([pool], "one", *ends), opset_imports=[helper.make_opsetid("", 19)],
        ir_version=8,
    )  # fmt: skip
    x = np.random.default_rng(50).normal(size=(1, 2, *sides)).astype(np.float32)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": x})
    (found,) = ReferenceEvaluator(model, new_ops=NEW).run(None, {"x": x})
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def test_a_type_of_a_tensor_that_is_gone_does_no_harm():
    """qonnx gives its name to another tensor, which then has two."""
    rng = np.random.default_rng(42)
    constants = dict(CONSTANTS)
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "out", (3, 2, 3, 3), constants=constants)
    model = streamline(cleaned(graph(rows, constants, [1, 2, 6, 4]), "a file"))
    model.set_tensor_datatype("tensor_0", DataType["INT4"])
    with pytest.raises(Exception, match="multiple get_by_name matches"):
        model.transform(GiveReadableTensorNames())
    names = [node.output[0] for node in renamed(model).graph.node]
    assert "tensor_0" not in names
    assert len(names) == len(set(names))
