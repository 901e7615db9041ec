# SPDX-License-Identifier: Apache-2.0
"""What a file says against what the host gives, where nothing of the flow has read it before.

equal_to_the_file compares with the cleaned file; here qonnx runs the file as it is.
"""

import copy
import json

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from build_flows.__main__ import cli
from build_flows.graph.lookup import lookup_of
from build_flows.graph.mapping import map_to_kernels
from build_flows.graph.streamline import OUTPUT_AFFINE, OUTPUTS, streamline
from build_flows.new import loaded, vectors_of, whole_file
from build_flows.steps import cleaned
from host.common.errors import UserError
from host.common.tasks import classes_of, values_of
from tests.build_flows.networks import PART, convolution, graph, quant

CONSTANTS = {"byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.0211, "b": 0.0173, "four": 4.0}
SIDE = 6


def network(nodes, constants=None, outputs=("out",), opset=13, seed=4):
    """A convolution, then ``nodes`` from its map "l" (1, 4, 6, 6)."""
    rng = np.random.default_rng(seed)
    constants = CONSTANTS | (constants or {})
    rows = [quant("image", "x", "byte")]
    rows += convolution(rng, "x", "l", (4, 2, 3, 3), constants=constants)
    return graph([*rows, *nodes], constants, [1, 2, SIDE, SIDE], outputs, opset)


def last(source="m", seed=9):
    """Nodes and constants of a convolution from ``source`` to "out"."""
    constants = {}
    rng = np.random.default_rng(seed)
    return convolution(rng, source, "out", (5, 4, 3, 3), signed=1, constants=constants), constants


def settings_of(model):
    """What settings.json has of a file, and its cleaned model."""
    file = cleaned(ModelWrapper(copy.deepcopy(model.model)), "a file")
    integers = streamline(ModelWrapper(copy.deepcopy(file.model)))
    map_to_kernels(integers, PART)
    affine, rows = (json.loads(integers.get_metadata_prop(k)) for k in (OUTPUT_AFFINE, OUTPUTS))
    return {"output": affine, "outputs": rows, "config": "t", "task": "values"}, file


def equal(model, count=3):
    """Compare the host's outputs with those of qonnx for the raw file; its settings, integers."""
    settings, file = settings_of(model)
    images = np.random.default_rng(1).integers(0, 256, (count, SIDE, SIDE, 2))
    vectors = vectors_of(file, images)
    found = list(values_of(vectors.accumulators, settings).values())
    for i, image in enumerate(images):
        given = (np.moveaxis(image, -1, 0)[None] / 255).astype(np.float32)
        wanted = list(execute_onnx(model, {"image": given}).values())
        assert [a[i].shape for a in found] == [b.shape[1:] for b in wanted]
        for mine, theirs in zip(found, wanted, strict=True):
            assert np.ptp(theirs) > 0
            np.testing.assert_allclose(mine[i], theirs[0], atol=1e-4)
    return settings, vectors.accumulators


def node(kind, inputs, sink, **attributes):
    return helper.make_node(kind, inputs, [sink], f"{kind}_{sink}", **attributes)


# -- outputs with channels last --------------------------------------------------------------------

LAST = node("Transpose", ["l"], "out", perm=[0, 2, 3, 1])


def test_an_output_with_channels_last():
    settings, accumulators = equal(network([LAST]))
    classes = classes_of(accumulators, settings)
    values = values_of(accumulators, settings)
    ((name, found),) = classes.items()
    np.testing.assert_array_equal(found, values[name].argmax(axis=-1))
    assert found.shape == (3, SIDE, SIDE)


def test_it_is_read_again():
    equal(network([LAST, node("Flatten", ["out"], "flat")], outputs=("out", "flat")))


def test_it_stands_beside_the_map_itself():
    equal(network([LAST], outputs=("l", "out")))


def test_classes_of_a_list_of_pixels():
    constants = {"sizes": [1, 4, SIDE * SIDE]}
    rows = [node("Reshape", ["l", "sizes"], "r"), node("Transpose", ["r"], "out", perm=[0, 2, 1])]
    settings, accumulators = equal(network(rows, constants))
    (found,) = classes_of(accumulators, settings).values()
    assert found.shape == (3, SIDE * SIDE)
    (values,) = values_of(accumulators, settings).values()
    np.testing.assert_array_equal(found, values.argmax(axis=2))


@pytest.mark.parametrize("order", [[0, 2, 3, 1], [0, 3, 2, 1]])
def test_classes_of_one_pixel(order):
    rows, constants = last("p")
    rows = [
        node("GlobalAveragePool", ["l"], "g"), quant("g", "p", "a"), *rows,
        node("Transpose", ["out"], "turned", perm=order),
    ]  # fmt: skip
    settings, accumulators = equal(network(rows, constants, outputs=("turned",)))
    (found,) = classes_of(accumulators, settings).values()
    (values,) = values_of(accumulators, settings).values()
    np.testing.assert_array_equal(found.ravel(), values.reshape(3, 5).argmax(axis=1))


def test_classes_along_two_axes_are_refused():
    rows = [node("Reshape", ["l", "sizes"], "out")]
    settings, accumulators = equal(network(rows, {"sizes": [1, 2, 2, SIDE, SIDE]}))
    with pytest.raises(UserError, match=r"of shape \[2, 2, 6, 6\] has the classes of a pixel not"):
        classes_of(accumulators, settings)


# -- equal to the file -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axes", "pads"), [([2, 3], [1, 1, 1, 1]), ([3, 2], [0, 2, 1, 0]), ([-1], [1, 2])]
)
def test_a_padding_of_named_axes(axes, pads):
    rows, constants = last()
    constants |= {"pads": pads, "pads_axes": axes}
    rows = [node("Pad", ["l", "pads", "zero", "pads_axes"], "m"), *rows]
    equal(network(rows, constants, opset=18))


def test_quantisers_under_their_other_name():
    model = network(last("l")[0], last("l")[1])
    for one in model.graph.node:
        one.op_type = "IntQuant" if one.op_type == "Quant" else one.op_type
    settings, _ = settings_of(model)
    assert settings["outputs"][0]["shape"] == [5, SIDE, SIDE]


def test_what_nobody_reads_is_left_out():
    rows, constants = last("l")
    dead = [node("Softmax", ["l"], "dead"), quant("l", "unread", "b")]
    _, file = settings_of(network([*dead, *rows], constants))
    assert not [one for one in file.graph.node if one.op_type == "Softmax"]
    equal(network([*dead, *rows], constants))


def test_a_network_of_others_whose_normalisation_does_nothing():
    """Scales are powers of two, too; still it has no grid head."""
    rng, names = np.random.default_rng(2), ("g", "h", "n", "v")
    constants = {"byte": 2.0**-8, "s": 2.0**-5, "a": 2.0**-5, "w": rng.normal(size=(4, 2, 3, 3)),
                 "u": rng.normal(size=(6, 4, 3, 3)), "g": np.ones(4), "h": np.zeros(4),
                 "n": np.zeros(4), "v": np.ones(4), "zero": 0.0, "bits": 8.0}  # fmt: skip
    size = {"kernel_shape": [3, 3], "pads": [1] * 4}
    rows = [
        quant("image", "x", "byte"), quant("w", "wq", "s", signed=1),
        node("Conv", ["x", "wq"], "c", **size),
        node("BatchNormalization", ["c", *names], "d", epsilon=0.0), node("Relu", ["d"], "r"),
        quant("r", "q", "a"), quant("u", "uq", "s", signed=1),
        node("Conv", ["q", "uq"], "out", **size),
    ]  # fmt: skip
    equal(graph(rows, constants, [1, 2, SIDE, SIDE]))


def test_numbers_of_sixteen_bits():
    """In double too; qonnx computes them in half."""
    rows, constants = last("l")
    model = network(rows, constants)
    for i, tensor in enumerate(model.graph.initializer):
        values = numpy_helper.to_array(tensor).astype(np.float16)
        model.graph.initializer[i].CopyFrom(numpy_helper.from_array(values, tensor.name))
    for end in (*model.graph.input, *model.graph.output):
        end.type.tensor_type.elem_type = TensorProto.FLOAT16
    del model.graph.value_info[:]
    _, file = settings_of(model)
    images = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 2))
    assert np.ptp(vectors_of(file, images).accumulators) > 0


# -- refused ---------------------------------------------------------------------------------------

NORM = {"g": [1.2, 0.0, 1.5, -1.0], "h": [0.1] * 4, "n": [0.5] * 4, "v": [1.0] * 4}
NAMES = ["g", "h", "n", "v"]
PADS = {"pads": [0, 0, 1, 1, 0, 0, 1, 1]}
WINDOW = {"kernel_shape": [3, 3], "strides": [2, 2]}
REFUSED = {
    "has training_mode=1; export the network after": (
        [node("BatchNormalization", ["l", *NAMES], "m", training_mode=1), quant("m", "out", "b")],
        NORM,
    ),
    "have a factor of 0 in 1 of 4 channels, the first is 1: they never change": (
        [node("BatchNormalization", ["l", *NAMES], "out")],
        NORM,
    ),
    r"joins maps of \[1, 4, 1, 1\] and \[1, 4\]; there is no broadcast": (
        [
            node("GlobalAveragePool", ["l"], "p"), quant("p", "pq", "a"),
            node("Flatten", ["pq"], "f"), node("Add", ["pq", "f"], "s"), quant("s", "out", "a"),
        ],
        {},
    ),
    "ConvTranspose_0 stands behind a padding": (
        [
            node("Pad", ["l", "pads"], "m"), quant("w", "wq", "b", signed=1),
            node("ConvTranspose", ["m", "wq"], "t", kernel_shape=[2, 2], strides=[2, 2]),
            quant("t", "out", "b", signed=1),
        ],
        PADS | {"w": np.ones((4, 3, 2, 2))},
    ),
    "MaxPool_0 stands behind a padding; pad in the pooling itself": (
        [
            quant("l_n", "k", "b", signed=1), node("Concat", ["l", "k"], "j", axis=1),
            node("Pad", ["j", "pads"], "m"), node("MaxPool", ["m"], "out", **WINDOW),
        ],
        PADS,
    ),
    "has axes=.*keep_aspect_ratio_policy='not_larger'; resize all axes": (
        [node("Resize", ["l", "", "", "sizes"], "out", mode="nearest", nearest_mode="floor",
              coordinate_transformation_mode="asymmetric",
              keep_aspect_ratio_policy="not_larger")],
        {"sizes": [1, 4, 12, 12]},
    ),
    "places 'align_corners', nearest 'round_prefer_floor'; use nearest upsampling": (
        [node("Resize", ["l", "", "", "sizes"], "out", mode="nearest",
              coordinate_transformation_mode="align_corners")],
        {"sizes": [1, 4, 12, 12]},
    ),
    "weights of unlike scales in one sum": (
        [
            node("GlobalAveragePool", ["l"], "p"), quant("p", "pq", "a"),
            node("Flatten", ["pq"], "f"), quant("w", "wq", "each", signed=1),
            node("Transpose", ["wq"], "t", perm=[1, 0]), node("MatMul", ["f", "t"], "out"),
        ],
        {"w": np.random.default_rng(3).normal(size=(4, 4)), "each": [0.01, 0.02, 0.03, 0.04]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_refused_in_one_line(text):
    nodes, constants = REFUSED[text]
    opset = 18 if "resize" in text or "places" in text else 15
    with pytest.raises(UserError, match=text) as told:
        settings_of(network(nodes, constants, opset=opset))
    assert "\n" not in str(told.value)


# -- files -----------------------------------------------------------------------------------------


def test_weights_in_a_file_beside_it(tmp_path):
    rows, constants = last("l")
    model, path = network(rows, constants), tmp_path / "beside.onnx"
    onnx.save(
        model.model, path, save_as_external_data=True, location="weights.data", size_threshold=0
    )
    assert (tmp_path / "weights.data").is_file()
    alone = tmp_path / "alone" / "whole.onnx"
    alone.parent.mkdir()
    alone.write_bytes(whole_file(path))
    for one, other in zip(
        loaded(path).graph.initializer, loaded(alone).graph.initializer, strict=True
    ):
        np.testing.assert_array_equal(numpy_helper.to_array(one), numpy_helper.to_array(other))
    words = ["new", "mine", "--model", str(path), "--out", str(tmp_path / "mine")]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("kind", ["npy", "cut", "text"])
def test_images_that_are_none(tmp_path, kind):
    rows, constants = last("l")
    network(rows, constants).save(str(tmp_path / "file.onnx"))
    path = tmp_path / f"images.{kind}"
    images = np.zeros((2, SIDE, SIDE, 2), np.uint8)
    if kind == "npy":
        with path.open("wb") as file:
            np.save(file, images)
    else:
        np.savez_compressed(tmp_path / "whole.npz", images=images)
        data = (tmp_path / "whole.npz").read_bytes()
        path.write_bytes(data[: len(data) // 2] if kind == "cut" else b"no images")
    words = ["new", "mine", "--model", str(tmp_path / "file.onnx"), "--images", str(path)]
    result = CliRunner().invoke(cli, [*words, "--out", str(tmp_path / "mine")])
    assert result.exit_code != 0
    assert "is no npz with the key images" in result.output
    assert "Traceback" not in result.output


# -- tables of functions ---------------------------------------------------------------------------

CURVES = {
    "hard swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "swish": lambda x: x / (1 + np.exp(np.clip(-x, -500, 500))),
    "bump": lambda x: np.exp(-(x**2)),
    "square": lambda x: x**2 / 100,
}


@pytest.mark.parametrize("reach", [8, 500, 4_100, 60_000])
@pytest.mark.parametrize("name", CURVES)
def test_a_table_has_every_step_however_narrow_it_is(name, reach):
    """Two channels of ``reach`` on either side of 0, by every accumulator."""
    most = np.array([40_000, 33_333])
    unit, off = reach / most, np.array([0.37, -0.2])

    def function(accumulators):
        return CURVES[name](accumulators * unit + off) / 0.02

    def codes(accumulators):
        return np.rint(function(accumulators).clip(-128, 127)).astype(np.int64)

    table = lookup_of(codes, function, -most, most)
    for channel, end in enumerate(most):
        every = np.arange(-end, end + 1)
        wanted = codes(np.repeat(every[:, None], 2, axis=1))[:, channel]
        place = np.searchsorted(table.starts[channel], every, side="right")
        np.testing.assert_array_equal(table.codes[channel][place], wanted)
        assert np.ptp(wanted) > 0
