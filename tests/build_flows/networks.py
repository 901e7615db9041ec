# SPDX-License-Identifier: Apache-2.0
"""QONNX files as others export them, node by node: nothing of them is snapped."""

import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from build_flows.config import load_config
from build_flows.graph.edit import streams_of
from build_flows.graph.execute import File
from build_flows.graph.mapping import map_to_kernels
from build_flows.graph.streamline import OUTPUT_AFFINE, OUTPUTS, streamline
from build_flows.new import channels_last, write_network
from build_flows.steps import cleaned
from host.common.tasks import values_of
from hw.ops.base import OUTPUT_BITS, KernelOp
from hw.units import units_of

QONNX = "qonnx.custom_op.general"
WHOLE = ("pads", "sizes")  #: how constants begin that are whole numbers
PART = "xck26-sfvc784-2LV-c"


def graph(nodes, constants, image, outputs=("out",), opset=13):
    """QONNX model from nodes, constants by name and the shape of the image."""
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, image)
    sinks = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    tensors = [
        numpy_helper.from_array(np.asarray(v, np.int64 if n.startswith(WHOLE) else np.float32), n)
        for n, v in constants.items()
    ]
    made = helper.make_graph(nodes, "network", [source], sinks, tensors)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=8)
    return ModelWrapper(model).transform(InferShapes())


def quant(source, sink, scale, signed=0, bits="bits", **attributes):
    return helper.make_node(
        "Quant", [source, scale, "zero", bits], [sink], sink, domain=QONNX, signed=signed,
        narrow=0, **({"rounding_mode": "ROUND"} | attributes),
    )  # fmt: skip


def convolution(rng, source, sink, shape, signed=0, act="a", constants=None, **attributes):
    """A convolution with quantised random weights, batch normalisation, ReLU and a quantiser."""
    outputs, _, *kernel = shape
    constants[f"{sink}_w"] = rng.normal(size=shape)
    constants[f"{sink}_s"] = rng.uniform(0.01, 0.03, (outputs, 1, 1, 1))
    constants |= {
        f"{sink}_g": rng.uniform(-1.5, 1.5, outputs), f"{sink}_b": rng.normal(size=outputs),
        f"{sink}_m": rng.normal(size=outputs), f"{sink}_v": rng.uniform(0.5, 2, outputs),
    }  # fmt: skip
    pads = {} if "auto_pad" in attributes else {"pads": [k // 2 for k in kernel] * 2}
    size = {"kernel_shape": kernel} | pads | attributes
    names = [f"{sink}_{name}" for name in ("g", "b", "m", "v")]
    end = [] if signed else [helper.make_node("Relu", [f"{sink}_n"], [f"{sink}_r"])]
    return [
        quant(f"{sink}_w", f"{sink}_q", f"{sink}_s", signed=1),
        helper.make_node("Conv", [source, f"{sink}_q"], [f"{sink}_c"], f"/{sink}/Conv", **size),
        helper.make_node("BatchNormalization", [f"{sink}_c", *names], [f"{sink}_n"]),
        *end,
        quant(f"{sink}_n" if signed else f"{sink}_r", sink, act, signed=signed),
    ]


def network_of_others(channels):
    """Two convolutions, a pooling and a matrix product with bias on 8 x 8 pixels; signed input."""
    rng = np.random.default_rng(7)
    constants = {
        "byte": 0.0123, "zero": 0.0, "bits": 8.0, "a": 0.0211, "p": 0.0153, "fs": 0.0071,
        "fw": rng.normal(size=(7, 6)) / 3, "fb": rng.normal(size=7),
    }  # fmt: skip
    rows = [quant("image", "x", "byte", signed=1)]
    rows += convolution(rng, "x", "l0", (4, channels, 3, 3), constants=constants, strides=[2, 2])
    rows += convolution(rng, "l0", "l1", (6, 4, 3, 3), constants=constants)
    rows += [
        helper.make_node("GlobalAveragePool", ["l1"], ["pool"]), quant("pool", "pooled", "p"),
        helper.make_node("Flatten", ["pooled"], ["flat"]), quant("fw", "fq", "fs", signed=1),
        helper.make_node("Gemm", ["flat", "fq", "fb"], ["out"], "/fc/Gemm", transB=1),
    ]  # fmt: skip
    return graph(rows, constants, [1, channels, 8, 8])


def residual_network():
    """On 8 x 8 pixels: convolution, depthwise and pointwise with a residual add, pool, product."""
    rng, channels = np.random.default_rng(21), 6
    constants = {
        "byte": 1 / 255, "zero": 0.0, "bits": 8.0, "a": 0.02, "p": 0.01, "fs": 0.007,
        "fw": rng.normal(size=(5, channels)) / 3, "fb": rng.normal(size=5),
    }  # fmt: skip
    rows = [quant("image", "x", "byte")]
    rows += convolution(
        rng, "x", "l0", (channels, 1, 3, 3), signed=1, constants=constants, strides=[2, 2]
    )
    rows += convolution(rng, "l0", "l1", (channels, 1, 3, 3), constants=constants, group=channels)
    rows += convolution(rng, "l1", "l2", (channels, channels, 1, 1), signed=1, constants=constants)
    rows += [
        helper.make_node("Add", ["l2", "l0"], ["sum"], "/add/Add"),
        quant("sum", "l3", "a", signed=1),
        helper.make_node("GlobalAveragePool", ["l3"], ["pool"]),
        quant("pool", "pooled", "p", signed=1),
        helper.make_node("Flatten", ["pooled"], ["flat"]), quant("fw", "fq", "fs", signed=1),
        helper.make_node("Gemm", ["flat", "fq", "fb"], ["out"], "/fc/Gemm", transB=1),
    ]  # fmt: skip
    return graph(rows, constants, [1, 1, 8, 8])


def configured(network, folder, name):
    """The configuration of a network as ``new`` writes it into ``folder``."""
    network.save(str(folder / "file.onnx"))
    return load_config(str(write_network(name, folder / "file.onnx", None, folder / name)))


def equal_to_the_file(model, images, scale=1 / 255, lively=True):
    """The mapped graph, after a comparison of all its outputs with the file in float64.

    ``lively`` asks for outputs that are not all the same.
    """
    loaded = cleaned(model, "a file")
    file, integers = File(loaded), ModelWrapper(streamline(loaded, scale).model)
    affine, described = (
        json.loads(integers.get_metadata_prop(key)) for key in (OUTPUT_AFFINE, OUTPUTS)
    )
    mapped = map_to_kernels(integers, PART)
    for unit in units_of(mapped):
        if isinstance(unit, KernelOp):
            unit.rtl_parameters()  # or UserError: there is no such module
    read = [name for node in mapped.graph.node for name in streams_of(mapped, node)]
    assert len(read) == len(set(read))  # a stream has one reader
    source, sink = mapped.graph.input[0].name, mapped.graph.output[0].name
    for image in images:
        outputs = file.run(image[None] * scale)
        wanted = channels_last(list(outputs.values()), described)
        steps = (wanted - affine["bias"]) / affine["scale"]
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-5)
        frame = np.moveaxis(image, 0, -1).astype(np.float32)
        frame = frame.reshape(mapped.get_tensor_shape(source))
        found = execute_onnx(mapped, {source: frame})[sink].ravel()
        np.testing.assert_array_equal(found, np.rint(steps))
        assert not lively or len(set(found)) > 1
        settings = {"output": affine, "outputs": described, "config": "test"}
        for name, given in values_of(found[np.newaxis], settings).items():
            np.testing.assert_allclose(given.reshape(outputs[name].shape), outputs[name], atol=1e-5)
    assert mapped.get_tensor_datatype(sink).bitwidth() == OUTPUT_BITS
    return mapped
