# SPDX-License-Identifier: Apache-2.0
"""Stand-ins: a picture file, a tiny ONNX model, builds with a simulator written in Python."""

import json
import stat
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from host.face.image import astronaut

ROOT = Path(__file__).resolve().parents[2]
SIZE, OUTPUTS = 112, 196

SIMULATOR = """#!{python}
import json, sys
import numpy as np
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
frames = np.fromfile(options["--input"], np.uint8).reshape(-1, {frame})
words = frames[:, :{outputs}].astype("<i4") - 128
{damage}
words.tofile(options["--output"])
stats = {{"frames": len(frames), "cycles": 1000 * len(frames), "first_output": 7,
         "frame_ends": [1000 * (i + 1) for i in range(len(frames))]}}
open(options["--stats"], "w").write(json.dumps(stats))
"""


@pytest.fixture(scope="session")
def portrait():
    """The built-in source, (512, 512, 3) BGR."""
    return astronaut()


@pytest.fixture(scope="session")
def portrait_file(portrait, tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "portrait.png"
    cv2.imwrite(str(path), portrait)
    return path


@pytest.fixture(scope="session")
def shape():
    """The landmarks (98, 2) that the tiny model gives for a black crop, as fractions."""
    return np.random.default_rng(2).uniform(0.2, 0.8, (OUTPUTS // 2, 2)).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_model(shape, tmp_path_factory):
    """landmarks = shape + mean of the input (0..1) / 10; named as a network that the limits fit."""
    path = tmp_path_factory.mktemp("models") / "pfld_eyes_tiny.onnx"
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "gain", "shape"], ["landmarks"]),
    ]
    constants = {"gain": np.full((1, OUTPUTS), 0.1, np.float32), "shape": shape.reshape(-1)}
    return save_model(path, nodes, constants, ["N", 1, SIZE, SIZE], ["N", OUTPUTS])


def save_model(path, nodes, constants, shape_in, shape_out, type_in=TensorProto.FLOAT):
    """Write an ONNX file with the input ``image`` and the output ``landmarks``."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", type_in, shape_in)],
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, shape_out)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.fixture
def make_build(tmp_path):
    """Function that writes a build folder; ``damage`` is a line of the simulator's program."""

    def make(damage="", frame=SIZE * SIZE, outputs=OUTPUTS, **changes):
        build = tmp_path / "build"
        (build / "sim").mkdir(parents=True)
        program = build / "sim" / "simulator"
        program.write_text(
            SIMULATOR.format(python=sys.executable, frame=frame, outputs=outputs, damage=damage)
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        (build / "settings.json").write_text(json.dumps(settings() | changes))
        return build

    return make


def settings():
    """What a build of the flow leaves in settings.json."""
    values = {"scale": [2.0**-10] * OUTPUTS, "bias": [i / 256 for i in range(OUTPUTS)]}
    return {
        "format": 1,
        "config": "tiny",
        "network": "tiny",
        "task": "landmarks",
        "input": {"shape": [SIZE, SIZE, 1], "dtype": "UINT8"},
        "output": {"shape": [OUTPUTS], "dtype": "INT22", **values},
        "clk_mhz": 250,
        "simulator": "sim/simulator",
    }
