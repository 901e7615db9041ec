# SPDX-License-Identifier: Apache-2.0
"""What cannot be connected is refused: words go from one unit to one other."""

import pytest
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from build_flows.design.stitch import stitch
from build_flows.graph.edit import kernel_node
from host.common.errors import UserError


def test_a_stream_with_two_readers_is_refused(tmp_path):
    add = kernel_node(
        "StreamAdd", ["x", "x"], ["y"], name="StreamAdd_0", NumChannels=1,
        numInputVectors=[1, 2, 2], inputDataType="UINT8",
    )  # fmt: skip
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2, 2, 1]) for n in "xy"]
    model = ModelWrapper(qonnx_make_model(helper.make_graph([add], "g", ends[:1], ends[1:])))
    (tmp_path / "rtl").mkdir()
    with pytest.raises(
        UserError,
        match="n_x has 2 readers: StreamAdd_0, StreamAdd_0; put a StreamFork before them",
    ):
        stitch(model, tmp_path / "rtl", tmp_path / "design")
