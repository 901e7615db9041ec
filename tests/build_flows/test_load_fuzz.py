# SPDX-License-Identifier: Apache-2.0
"""Whatever a file holds, loading and streamlining it ends in integers or in one line.

A file is a sound network with parts of its protobuf changed: attributes, constants, names, shapes,
operators, or single bytes. The same files in every normal run; the slow test goes on with new
ones for LOAD_FUZZ_S seconds.
"""

import os
import time
import warnings

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from build_flows.graph.streamline import streamline
from build_flows.new import loaded
from host.common.errors import UserError, VerifyError
from tests.build_flows.networks import convolution, graph, network_of_others, quant

OPERATORS = (
    "Quant", "BipolarQuant", "Trunc", "Conv", "Gemm", "MatMul", "BatchNormalization", "Add", "Sub",
    "Mul", "Div", "Neg", "Relu", "Clip", "Sigmoid", "PRelu", "LeakyRelu", "MaxPool", "AveragePool",
    "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "Concat", "Pad", "Resize", "Flatten",
    "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Transpose", "Softmax", "Split",
    "Nonsense", "",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 3, 7, 1 << 20, -(1 << 40))
VALUES = (0.0, -1.0, 0.5, 1e-30, 1e30, np.nan, np.inf)
SEEDED = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def sound_files():
    """Networks that are changed: a chain, and branches with a pooling and an activation."""
    rng = np.random.default_rng(5)
    constants = {"byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.0211, "b": 0.0173}
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), constants=constants)
    rows += convolution(rng, "x", "r", (4, 2, 1, 1), act="b", constants=constants)
    rows += [
        onnx.helper.make_node("Add", ["l", "r"], ["s"]),
        onnx.helper.make_node("LeakyRelu", ["l"], ["v"], alpha=0.1), quant("v", "w", "a"),
        onnx.helper.make_node("Concat", ["w", "l"], ["j"], axis=1),
        onnx.helper.make_node("MaxPool", ["j"], ["out"], kernel_shape=[3, 3], pads=[1] * 4),
        quant("s", "t", "a"),
    ]  # fmt: skip
    branched = graph(rows, constants, [1, 2, 6, 6], ("out", "t"))
    return [network_of_others(channels=1).model, branched.model]


SOUND = [model.SerializeToString() for model in sound_files()]


def of(draw, items):
    return items[draw(st.integers(0, len(items) - 1))] if len(items) else None


def change_attribute(draw, model):
    attribute = of(draw, [a for node in model.graph.node for a in node.attribute])
    kind = draw(st.sampled_from(["number", "numbers", "text", "none"]))
    name = attribute.name
    attribute.Clear()
    if kind == "none":
        attribute.name = "unknown"
        return
    values = {
        "number": draw(st.sampled_from(NUMBERS)), "text": draw(st.text(max_size=8)),
        "numbers": draw(st.lists(st.sampled_from(NUMBERS), max_size=5)),
    }  # fmt: skip
    attribute.CopyFrom(onnx.helper.make_attribute(name, values[kind], attr_type=KINDS[kind]))


KINDS = {
    "number": onnx.AttributeProto.INT, "text": onnx.AttributeProto.STRING,
    "numbers": onnx.AttributeProto.INTS,
}  # fmt: skip


def change_constant(draw, model):
    """Its shape, its type, or some of its values."""
    tensor = of(draw, model.graph.initializer)
    values = numpy_helper.to_array(tensor).copy()
    kind = draw(st.sampled_from(["shape", "type", "value", "gone"]))
    if kind == "gone":
        model.graph.initializer.remove(tensor)
        return
    if kind == "value" and values.size:
        flat = values.reshape(-1).astype(np.float32)
        flat[draw(st.integers(0, flat.size - 1))] = draw(st.sampled_from(VALUES))
        values = flat.reshape(values.shape)
    elif kind == "shape":
        values = draw(st.sampled_from([values.reshape(-1), values[None], values.reshape(-1)[:1]]))
    elif kind == "type":
        with np.errstate(all="ignore"):
            values = values.astype(draw(st.sampled_from(["int8", "float64", "int64", "bool"])))
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def change_node(draw, model):
    """Its operator, or an input, or it goes, or comes twice."""
    node = of(draw, model.graph.node)
    names = [name for other in model.graph.node for name in (*other.input, *other.output)]
    kind = draw(st.sampled_from(["operator", "input", "fewer", "more", "gone", "twice", "output"]))
    if kind == "operator":
        node.op_type = draw(st.sampled_from(OPERATORS))
    elif kind == "input" and node.input:
        node.input[draw(st.integers(0, len(node.input) - 1))] = of(draw, [*names, "", "nothing"])
    elif kind == "fewer" and node.input:
        del node.input[-1]
    elif kind == "more":
        node.input.append(of(draw, names))
    elif kind == "gone":
        model.graph.node.remove(node)
    elif kind == "twice":
        model.graph.node.append(node)
    elif kind == "output" and node.output:
        node.output[0] = of(draw, names)


def change_end(draw, model):
    """The shape or the name of the input or an output."""
    end = of(draw, [*model.graph.input, *model.graph.output])
    if draw(st.booleans()):
        end.name = draw(st.sampled_from(["image", "out", "other", ""]))
        return
    shape = draw(st.lists(st.sampled_from([0, 1, 2, 3, 8, 64, -1]), max_size=5))
    end.type.tensor_type.shape.Clear()
    for size in shape:
        end.type.tensor_type.shape.dim.add().dim_value = size


CHANGES = (change_attribute, change_attribute, change_constant, change_node, change_end)


@st.composite
def changed_files(draw):
    """Bytes of a network with one to three changes, or with some of its bytes changed."""
    sound = draw(st.sampled_from(SOUND))
    if draw(st.integers(0, 7)) == 0:
        content = bytearray(sound)
        for _ in range(draw(st.integers(1, 4))):
            content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
        return bytes(content[: draw(st.sampled_from([len(content), len(content) // 2]))])
    model = onnx.ModelProto.FromString(sound)
    for _ in range(draw(st.integers(1, 3))):
        draw(st.sampled_from(CHANGES))(draw, model)
    return model.SerializeToString()


def load(content, folder):
    """Load and streamline a file; whether it was taken."""
    path = folder / "changed.onnx"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            streamline(loaded(path))
        except (UserError, VerifyError) as error:
            text = str(error)
        else:
            return True
    assert len(text.splitlines()) == 1, text
    return False


def test_the_files_are_sound(tmp_path):
    assert all(load(content, tmp_path) for content in SOUND)


@given(changed_files())
@settings(SEEDED, max_examples=60)
def test_changed_files_end_in_one_line(tmp_path_factory, content):
    load(content, tmp_path_factory.getbasetemp())


@pytest.mark.slow
def test_new_files_end_in_one_line(tmp_path):
    end = time.monotonic() + float(os.environ.get("LOAD_FUZZ_S", "300"))

    @given(changed_files())
    @settings(SEEDED, derandomize=False, max_examples=100)
    def go_on(content):
        load(content, tmp_path)

    while time.monotonic() < end:
        go_on()
