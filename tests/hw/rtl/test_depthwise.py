# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolution in hardware, its word order and its operator's errors."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.util.basic import qonnx_make_model

from host.common.errors import UserError
from hw.ops import Depthwise
from tests.hw.rtl.harness import Case, make_op, random_integers


def make(channels: int = 4, pe: int = 2, kernel: tuple[int, int] = (3, 3), **attributes):
    base = {
        "NumChannels": channels, "PE": pe, "Kernel": list(kernel), "numInputVectors": [1, 2, 2],
        "inputDataType": "UINT8", "weightDataType": "INT8", "accDataType": "INT20",
    }  # fmt: skip
    return make_op(Depthwise, inputs=2, **base | attributes)


def case(*args, seed: int = 1, **kwargs) -> Case:
    op = make(*args, **kwargs)
    rng = np.random.default_rng(seed)
    weights = random_integers(rng, op.get_input_datatype(1), op.get_normal_input_shape(1))
    act, acc = op.get_nodeattr("inputDataType"), op.get_nodeattr("accDataType")
    name = f"{act}-{acc}-c{op.channels}-pe{op.pe}-taps{op.taps}"
    return Case(name, op, (weights,), seed)


CASES = [
    case(channels=6, pe=2),
    case(channels=4, pe=4, inputDataType="INT8"),
    case(channels=3, pe=1, kernel=(2, 1), accDataType="INT18"),
    case(channels=3, pe=3, kernel=(1, 1), accDataType="INT16"),
    case(channels=1, pe=1, numInputVectors=[1, 1, 1]),
    case(channels=2, pe=2, inputDataType="INT5", weightDataType="INT3", accDataType="INT11"),
    case(channels=2, pe=1, inputDataType="INT27", weightDataType="INT18", accDataType="INT48"),
]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)


def test_weights_go_fold_by_fold_and_tap_by_tap():
    op = make(channels=4, pe=2, kernel=(1, 2))
    weights = np.arange(1, 9).reshape(4, 1, 1, 2)  # channel c: taps 2c+1, 2c+2
    assert op.weight_words(weights) == [0x0301, 0x0402, 0x0705, 0x0806]


def window_model(op: Depthwise, size: int, weights: np.ndarray) -> ModelWrapper:
    """FINN's abstract depthwise window before ``op``, as the mapped graph has them."""
    channels = op.channels
    window = helper.make_node(
        "ConvolutionInputGenerator", ["image"], ["in0"], "window",
        domain="finn.custom_op.fpgadataflow", backend="fpgadataflow", ConvKernelDim=[3, 3],
        IFMChannels=channels, IFMDim=[size] * 2, OFMDim=[size - 2] * 2, SIMD=op.pe,
        Stride=[1, 1], Dilation=[1, 1], depthwise=1, inputDataType="UINT8", outputDataType="UINT8",
    )  # fmt: skip
    shapes = {"image": (1, size, size, channels), "out0": (1, size - 2, size - 2, channels)}
    image, out = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    )
    graph = helper.make_graph([window, op.onnx_node], "depthwise", [image], [out])
    model = ModelWrapper(qonnx_make_model(graph))
    model.set_initializer("in1", weights.astype(np.float32))
    model.set_tensor_shape("in0", op.get_normal_input_shape())
    model.set_tensor_datatype("image", DataType["UINT8"])
    return model


def test_replaces_a_vvau_behind_an_abstract_window():
    rng, size = np.random.default_rng(2), 5
    op = make(channels=4, pe=2, numInputVectors=[1, size - 2, size - 2])
    weights = random_integers(rng, DataType["INT8"], (4, 1, 3, 3))
    image = random_integers(rng, DataType["UINT8"], (1, size, size, 4))
    model = window_model(op, size, weights)
    found = execute_onnx(model, {"image": image.astype(np.float32)})["out0"]
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(1, 2))
    assert np.array_equal(found, np.einsum("nhwcij,cij->nhwc", windows, weights[:, 0]))


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"channels": 6, "pe": 4}, "PE=4 does not divide the 6 channels of dut"),
        ({"weightDataType": "UINT8"}, "dut: weightDataType=UINT8 is unsigned; .* INT2 to INT18"),
        ({"weightDataType": "INT19"}, "weightDataType=INT19 .* INT2 to INT18"),
        ({"inputDataType": "UINT27"}, "dut takes UINT27; .* up to 27 bits with sign"),
        ({"accDataType": "INT49"}, "accDataType=INT49 of dut .* up to 48 bits"),
    ],
)
def test_illegal_attributes_are_named(attributes, text):
    with pytest.raises(UserError, match=text):
        make(**attributes).rtl_parameters()


def test_weights_of_another_shape_are_refused():
    with pytest.raises(
        UserError, match=r"shape \(4, 3, 3\); its attributes ask for \(4, 1, 3, 3\)"
    ):
        make().weight_words(np.zeros((4, 3, 3), int))


def test_an_accumulator_beyond_its_type_is_refused():
    op = make(channels=1, pe=1, numInputVectors=[1, 1, 1], accDataType="INT17")
    window, weights = np.full((1, 1, 1, 9), 255), np.full((1, 1, 3, 3), 127)
    with pytest.raises(
        UserError, match=r"accumulators of 0\.\.291465 do not fit accDataType=INT17"
    ):
        op.golden(window, weights)
