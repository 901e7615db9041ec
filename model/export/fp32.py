# SPDX-License-Identifier: Apache-2.0
"""An FP32 network as a file for onnxruntime.

Constants whose values are all half-precision numbers (``python -m model shrink`` makes filters so)
are stored as such behind a Cast, which onnxruntime folds when it loads the file: the same network
in half the bytes.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from host.common.atomic import replacing
from model.network.pfld import PFLD

INPUT, OUTPUT = "image", "landmarks"
OPSET = 17
FEW = 16  #: constants of fewer numbers stay as they are


def export_fp32(network: PFLD, path: Path) -> None:
    """Write an FP32 network for onnxruntime: "image" (N, 1, S, S) -> "landmarks" (N, 196)."""
    network.eval()
    image = torch.zeros(1, 1, network.image_size, network.image_size)
    axes = {INPUT: {0: "N"}, OUTPUT: {0: "N"}}
    with torch.no_grad():
        width = int(network(image).shape[1])
    with replacing(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # torch prefers dynamo
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # sizes are constants
        torch.onnx.export(
            network, (image,), str(partial), input_names=[INPUT], output_names=[OUTPUT],
            dynamic_axes=axes, opset_version=OPSET, dynamo=False,
            do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,  # filters stay
        )  # fmt: skip
        model = onnx.load(str(partial))
        model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = width
        halve(model)
        onnx.save(model, str(partial))


def halve(model: onnx.ModelProto) -> None:
    """Store constants that are half-precision numbers as such; the model computes the same."""
    casts = []
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < FEW:
            continue
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        if not np.array_equal(halves.astype(np.float32), values):
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(halves, name + "_half"))
        casts.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *rest])
