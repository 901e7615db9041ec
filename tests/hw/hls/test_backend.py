# SPDX-License-Identifier: Apache-2.0
"""Our kernels as HLS operators of FINN: PrepareIP writes C++ that g++ takes, and the script."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from build_flows.graph.edit import kernel_node
from host.backends.csim import vendor_headers
from hw.finn.environment import prepare_finn
from hw.hls_backend import DOMAIN, PreferHls

SHAPE = [1, 2, 3, 4]


@pytest.fixture(params=["hls", "rtl"])
def model(request: pytest.FixtureRequest) -> ModelWrapper:
    """A dense unit and its requantisation."""
    prepare_finn()
    common = {"PE": 2, "numInputVectors": SHAPE[:3], "preferred_impl_style": request.param}
    dense = kernel_node(
        "Dense", ["in", "w"], ["acc"], MW=4, MH=4, SIMD=2, inputDataType="UINT8",
        weightDataType="INT8", accDataType="INT18", **common,
    )  # fmt: skip
    requant = kernel_node(
        "Requant", ["acc", "scale", "bias"], ["out"], NumChannels=4, inputDataType="INT18",
        outputDataType="UINT8", shift=10, biasBits=12, **common,
    )  # fmt: skip
    dense.name, requant.name = "dense_0", "requant_0"
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, SHAPE) for n in ("in", "out")]
    made = ModelWrapper(
        helper.make_model(helper.make_graph([dense, requant], "two", ends[:1], ends[1:]))
    )
    made.set_initializer("w", np.arange(16, dtype=np.float32).reshape(4, 4) - 8)
    for name in ("scale", "bias"):
        made.set_initializer(name, np.arange(1, 5, dtype=np.float32))
    made.set_tensor_datatype("in", DataType["UINT8"])
    return made.transform(PreferHls()).transform(PrepareIP("xck26-sfvc784-2LV-c", 4.0))


@pytest.mark.parametrize("model", ["hls"], indirect=True)
def test_finn_generates_the_twins(model: ModelWrapper, tmp_path: Path) -> None:
    (tmp_path / "bnn-library.h").write_text("#include <hls_stream.h>\n")  # FINN's, not used here
    for node in model.graph.node:
        assert node.domain == DOMAIN
        folder = Path(getCustomOp(node).get_nodeattr("code_gen_dir_ipgen"))
        source = folder / f"top_{node.name}.cpp"
        assert f"void {node.name}(hls::stream<lanes::word<2, " in source.read_text()
        assert "#pragma HLS interface axis port = out0_V" in source.read_text()
        subprocess.run(
            ["g++", "-std=c++17", "-fsyntax-only", "-Wno-unknown-pragmas", f"-I{tmp_path}",
             "-isystem", str(vendor_headers()), str(source)], check=True,
        )  # fmt: skip
        script = (folder / f"hls_syn_{node.name}.tcl").read_text()
        assert "-std=c++17" in script
        assert f"top_{node.name}.cpp" in script


@pytest.mark.parametrize("model", ["rtl"], indirect=True)
def test_others_stay_what_they_are(model: ModelWrapper) -> None:
    assert {node.domain for node in model.graph.node} == {"hw.ops"}
