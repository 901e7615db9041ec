# SPDX-License-Identifier: Apache-2.0
"""Quantisers and what waits for them, compared with the file for every integer before them."""

import numpy as np
import pytest
from onnx import helper

from build_flows.graph.execute import File
from build_flows.graph.streamline import streamline
from build_flows.steps import cleaned
from host.common.errors import UserError
from hw.units import units_of
from tests.build_flows.networks import QONNX, equal_to_the_file, graph, quant

BYTES = np.arange(256).reshape(1, 1, 16, 16)  #: every byte, one image
BYTE = 2**-8  #: of the image's scale, so that there are halves
CONSTANTS = {"byte": BYTE, "zero": 0.0, "bits": 8.0, "four": 4.0, "half": 0.5, "less": -1.0}
MODES = ["ROUND", "FLOOR", "CEIL", "DOWN", "UP", "HALF_UP", "HALF_DOWN", "ROUND_TO_ZERO"]


def node(operator, source, sink, *constants, **attributes):
    return helper.make_node(operator, [source, *constants], [sink], f"{operator}_0", **attributes)


def on_every_byte(nodes, constants=None, channels=1):
    """``nodes`` from "x", an image whose channels have every byte, to "out"; its kernels."""
    rows = [quant("image", "x", "byte"), *nodes]
    model = graph(rows, CONSTANTS | (constants or {}), [1, channels, 16, 16])
    mapped = equal_to_the_file(model, np.repeat(BYTES, channels, axis=1), BYTE)
    return [unit.kernel for unit in units_of(mapped)]


def on_every_sum(nodes, constants, span, opset=13):
    """``nodes`` from "n", sums of which all 32,641 occur, from -``span`` to ``span``, to "out"."""
    weights = np.array([127, 1]).reshape(1, 2, 1, 1)
    step = span / 64
    rows = [
        quant("image", "x", "byte"), quant("w", "q", "ws", signed=1),
        node("Conv", "x", "y", "q", kernel_shape=[1, 1]), node("Sub", "y", "n", "span"), *nodes,
    ]  # fmt: skip
    constants = CONSTANTS | {"w": weights * step, "ws": step, "span": span} | constants
    model = graph(rows, constants, [1, 2, 256, 256], opset=opset)
    return equal_to_the_file(model, np.stack(np.mgrid[:256, :256])[None], BYTE)


@pytest.mark.parametrize("form", ["none", "tanh"])
def test_both_forms_of_gelu(form):
    gelu = node("Gelu", "n", "g", approximate=form)
    on_every_sum([gelu, quant("g", "out", "a", signed=1)], {"a": 0.0173}, 3.0, opset=20)


def test_other_forms_of_gelu_are_refused():
    nodes = [quant("image", "x", "byte"), node("Gelu", "x", "g", approximate="sigmoid")]
    model = graph([*nodes, quant("g", "out", "byte")], CONSTANTS, [1, 1, 4, 4], opset=20)
    with pytest.raises(UserError, match="Gelu_0: approximate='sigmoid'; use none or tanh"):
        streamline(cleaned(model, "a file"))


NEGATED = {  # of a quantised tensor of both signs
    "CReLU": [node("Neg", "q", "n"), node("Relu", "n", "r")],
    "product": [node("Mul", "q", "n", "less"), node("Relu", "n", "r")],
    "difference": [
        helper.make_node("Sub", ["zero", "q"], ["n"], "Sub_1"), node("Clip", "n", "r", "lo", "hi"),
    ],
    "normalisation": [
        node("BatchNormalization", "q", "n", "gamma", "beta", "beta", "one"),
        node("Relu", "n", "r"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", NEGATED)
def test_a_clip_behind_a_negated_tensor(kind):
    constants = {
        "lo": -0.3, "hi": 0.1, "gamma": [-1.0, -0.3], "beta": [0.0, 0.0], "one": [1.0, 1.0],
    }  # fmt: skip
    nodes = [
        node("Sub", "x", "s", "half"), quant("s", "q", "byte", signed=1), *NEGATED[kind],
        quant("r", "out", "byte", signed=1),
    ]  # fmt: skip
    on_every_byte(nodes, constants, channels=2)


def shifted(source, sink, scale, point, mode="ROUND", bits="four", signed=0):
    """A quantiser with a zero point."""
    return helper.make_node(
        "Quant", [source, scale, point, bits], [sink], sink, domain=QONNX, signed=signed,
        narrow=0, rounding_mode=mode,
    )  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("point", [7.0, 8.0])
@pytest.mark.parametrize("step", [2**-4, 0.0613])
def test_rounding_is_behind_the_zero_point(mode, point, step):
    """On both sides of zero, and on halves, which 2**-4 has."""
    nodes = [node("Sub", "x", "s", "half"), shifted("s", "out", "step", "point", mode)]
    on_every_byte(nodes, {"step": step, "point": point})


def padded(source):
    """A convolution with padding from ``source`` to "out"."""
    return [
        quant("w", "wq", "one", signed=1),
        node("Conv", source, "out", "wq", kernel_shape=[3, 3], pads=[1] * 4),
    ]


@pytest.mark.parametrize(("point", "kernel"), [(7.0, "lookup"), (8.0, "requant")])
def test_halves_of_an_odd_zero_point_before_a_padding(point, kernel):
    """A table has its integers without the zero point, so that a padding is a zero."""
    constants = {"step": 2**-4, "point": point, "w": np.ones((1, 1, 3, 3)), "one": 1.0}
    nodes = [node("Sub", "x", "s", "half"), shifted("s", "m", "step", "point"), *padded("m")]
    assert kernel in on_every_byte(nodes, constants)


def of_every_pair(nodes, constants):
    """Model of ``nodes`` from "j", the sum of two bytes of unlike scales, to "out"."""
    rows = [quant("image", "x", "byte")]
    for name, taps, step in (("q", [1, 0], 2**-6), ("r", [0, 1], 2**-7)):
        constants |= {f"{name}_w": np.array(taps).reshape(1, 2, 1, 1), f"{name}_s": step}
        conv = [f"{name}_c", f"{name}_n", f"{name}_wq"]
        rows += [
            quant(f"{name}_w", conv[2], "one", signed=1),
            helper.make_node("Conv", ["x", conv[2]], [conv[0]], kernel_shape=[1, 1]),
            helper.make_node("Sub", [conv[0], "half"], [conv[1]]),
            quant(conv[1], name, f"{name}_s", signed=1),
        ]  # fmt: skip
    rows.append(helper.make_node("Add", ["q", "r"], ["j"]))
    return graph([*rows, *nodes], CONSTANTS | {"one": 1.0} | constants, [1, 2, 256, 256])


PAIRS = np.stack(np.mgrid[:256, :256])[None]


@pytest.mark.parametrize("point", [7.0, 8.0])
def test_halves_of_a_sum_behind_a_zero_point(point):
    model = of_every_pair([shifted("j", "out", "t", "point")], {"t": 2**-3, "point": point})
    units = units_of(equal_to_the_file(model, PAIRS, BYTE))
    assert "requant_add" in [unit.kernel for unit in units]


def test_a_sum_without_halves_is_padded_behind_an_odd_zero_point():
    constants = {"t": 0.0813, "point": 7.0, "w": np.ones((1, 1, 3, 3))}
    model = of_every_pair([shifted("j", "m", "t", "point"), *padded("m")], constants)
    equal_to_the_file(model, PAIRS, BYTE)


def test_the_image_in_a_sum_does_not_stand_for_it():
    """Its bytes are codes of the quantiser behind the sum, but not of the sum."""
    rows = [
        quant("image", "x", "byte"), quant("w", "wq", "one", signed=1),
        node("Conv", "x", "y", "wq", kernel_shape=[1, 1]), quant("y", "q", "t", signed=1),
        node("Add", "x", "j", "q"), quant("j", "out", "byte"),
    ]  # fmt: skip
    constants = CONSTANTS | {"w": np.full((1, 1, 1, 1), -1.0), "one": 1.0, "t": 0.0213}
    mapped = equal_to_the_file(graph(rows, constants, [1, 1, 16, 16]), BYTES, BYTE)
    assert "requant_add" in [unit.kernel for unit in units_of(mapped)]


def test_a_trunc_has_a_sign_by_default():
    trunc = helper.make_node(
        "Trunc", ["q", "step", "zero", "bits", "wider", "four"], ["out"], domain=QONNX,
        rounding_mode="FLOOR",
    )  # fmt: skip
    nodes = [node("Sub", "x", "s", "half"), quant("s", "q", "step", signed=1), trunc]
    on_every_byte(nodes, {"step": BYTE, "wider": 8 * BYTE})


PER_CHANNEL = {"t": np.array([0.05, 0.1, 0.2]).reshape(3, 1, 1), "lo": -0.4, "hi": 0.3}


@pytest.mark.parametrize("signed", [0, 1])
def test_a_clip_before_a_scale_for_each_channel(signed):
    """Its codes differ from channel to channel."""
    nodes = [
        node("Sub", "x", "s", "half"), node("Clip", "s", "c", "lo", "hi"),
        quant("c", "out", "t", signed=signed, bits="four"),
    ]  # fmt: skip
    on_every_byte(nodes, PER_CHANNEL, channels=3)


def test_a_relu_before_a_scale_for_each_channel_is_a_line():
    """Zero is the same code in all."""
    nodes = [
        node("Sub", "x", "s", "half"), node("Relu", "s", "c"),
        quant("c", "out", "t", signed=1, bits="four"),
    ]  # fmt: skip
    assert "lookup" not in on_every_byte(nodes, PER_CHANNEL, channels=3)


def test_a_clipped_sum_before_a_scale_for_each_channel_is_refused():
    rng = np.random.default_rng(3)
    constants = CONSTANTS | PER_CHANNEL | {"one": 1.0, "a": 0.0211, "b": 0.0173}
    rows = [quant("image", "x", "byte"), node("Sub", "x", "n", "half")]
    for name, step in (("q", "a"), ("r", "b")):
        constants[f"{name}_w"] = rng.integers(-9, 9, (3, 3, 1, 1))
        rows += [
            quant(f"{name}_w", f"{name}_wq", "one", signed=1),
            helper.make_node("Conv", ["n", f"{name}_wq"], [f"{name}_c"], kernel_shape=[1, 1]),
            quant(f"{name}_c", name, step, signed=1),
        ]  # fmt: skip
    rows += [
        node("Add", "q", "j", "r"), node("Clip", "j", "c", "lo", "hi"),
        quant("c", "out", "t", signed=1, bits="four"),
    ]  # fmt: skip
    refused = (
        "Quant_.: the sum of branches of unlike scales does not round.*one scale a tensor where"
    )
    with pytest.raises(UserError, match=refused):
        streamline(cleaned(graph(rows, constants, [1, 3, 4, 4]), "a file"))


def bipolar(source, sink, scale):
    return helper.make_node("BipolarQuant", [source, scale], [sink], sink, domain=QONNX)


@pytest.mark.parametrize("scale", [1.0, 0.37, np.linspace(0.4, 1.3, 8).reshape(8, 1, 1)])
def test_signs_of_sums_that_are_zero(scale):
    """In float64 the sum of the file is a zero but for errors, which is a zero."""
    rng = np.random.default_rng(5)
    taps, image = rng.integers(-7, 8, (8, 16)), rng.integers(0, 256, (1, 16, 64, 64))
    weights = taps.reshape(8, 16, 1, 1) * 0.1
    constants = CONSTANTS | {"t": 0.0123, "scale": scale, "w": weights, "ws": 0.1}
    nodes = [
        quant("image", "x", "t"), quant("w", "q", "ws", signed=1),
        node("Conv", "x", "y", "q", kernel_shape=[1, 1]), bipolar("y", "out", "scale"),
    ]  # fmt: skip
    model = graph(nodes, constants, [1, 16, 64, 64])
    zeros = np.einsum("oi,nihw->nohw", taps, image) == 0
    (signs,) = File(cleaned(model, "a file")).run(image * 0.0123).values()
    assert zeros.any()
    assert (signs[zeros] > 0).all()
    equal_to_the_file(model, image, 0.0123)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            [node("PRelu", "x", "c", "row"), quant("c", "out", "byte", signed=1)],
            r"PRelu_0: slopes of shape \[4\]; use one number or one a channel",
        ),
        ([quant("x", "out", "row")], r"Quant_1: scales of shape \[4\]; use one number or one a ch"),
        ([bipolar("x", "out", "row")], r"BipolarQuant_0: scales of shape \[4\]; use one number or"),
        ([quant("x", "out", "byte", bits="part")], "Quant_1: 3.5 bits; use a whole number, 2 to 8"),
        (
            [quant("x", "out", "byte", signed=1, bits="bit")],
            "Quant_1: one bit with a sign, which is -1 and 0 .* use BipolarQuant",
        ),
        (
            [
                quant("w", "wq", "byte", signed=1, bits="bit"),
                helper.make_node("Conv", ["x", "wq"], ["out"], kernel_shape=[1, 1]),
            ],
            "Quant_1: one bit with a sign, which is -1 and 0 .* use BipolarQuant",
        ),
    ],
)
def test_what_would_be_read_otherwise_than_in_the_file_is_refused(nodes, reason):
    """A row of numbers is one a column, on a map of as many columns as channels."""
    constants = CONSTANTS | {"row": np.array([0.1, 0.2, 0.3, 0.4]), "part": 3.5}
    constants |= {"bit": 1, "w": np.ones((4, 4, 1, 1))}
    model = graph([quant("image", "x", "byte"), *nodes], constants, [1, 4, 3, 4])
    with pytest.raises(UserError, match=reason):
        streamline(cleaned(model, "a file"))


AXES = {  # of 4 inputs and 4 outputs: operator, shape of the weights, the axis of their outputs
    "Conv": ("Conv", (4, 4, 1, 1), 0, {"kernel_shape": [1, 1]}),
    "ConvTranspose": ("ConvTranspose", (4, 4, 1, 1), 1, {"kernel_shape": [1, 1]}),
    "grouped": ("ConvTranspose", (4, 2, 1, 1), 1, {"kernel_shape": [1, 1], "group": 2}),
    "depthwise": ("ConvTranspose", (4, 1, 1, 1), 0, {"kernel_shape": [1, 1], "group": 4}),
    "Gemm": ("Gemm", (4, 4), 1, {}),
    "turned": ("Gemm", (4, 4), 0, {"transB": 1}),
}


def weighted(kind, axis):
    """A layer of AXES whose weights have scales along ``axis``."""
    operator, shape, _, attributes = AXES[kind]
    rng = np.random.default_rng(31)
    scales = rng.uniform(0.01, 0.03, [n if i == axis else 1 for i, n in enumerate(shape)])
    rows = [
        quant("image", "x", "byte"), quant("w", "wq", "scales", signed=1),
        node(operator, "x", "out", "wq", **attributes),
    ]  # fmt: skip
    image = [1, 4] if operator == "Gemm" else [1, 4, 3, 3]
    return graph(rows, CONSTANTS | {"w": rng.normal(size=shape), "scales": scales}, image)


@pytest.mark.parametrize("kind", AXES)
def test_scales_of_weights_along_their_outputs(kind):
    model = weighted(kind, AXES[kind][2])
    shape = model.get_tensor_shape("image")
    equal_to_the_file(model, np.random.default_rng(32).integers(0, 256, (2, *shape[1:])), BYTE)


@pytest.mark.parametrize("kind", ["Conv", "ConvTranspose", "Gemm", "turned"])
def test_scales_of_weights_along_their_inputs_are_refused(kind):
    """Also where there are as many of these as of outputs."""
    with pytest.raises(UserError, match="has weights of unlike scales in one sum; use one a tenso"):
        streamline(cleaned(weighted(kind, 1 - AXES[kind][2]), "a file"))
