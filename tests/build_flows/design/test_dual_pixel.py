# SPDX-License-Identifier: Apache-2.0
"""Our dual-pixel unit beside FINN's dense unit at equal multiplications a cycle, by yosys.

``pytest -m slow -s`` on this file prints the figures of docs/kernels/dense.md. That both give exact
results is the subject of tests/hw/rtl/test_dense.py and test_mvau.py.
"""

import json

import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from build_flows.config import load_config
from build_flows.graph.folding import fold
from build_flows.synthesise import instances
from hw.synthesis.yosys import synthesise

LAYER = "Dense_15"  #: of the demo: 128 inputs, 32 outputs, 14 x 14 pixels
MACS = 64  #: a cycle


@pytest.mark.slow
def test_half_the_weight_bits_no_more_dsps_fewer_luts(demo_build, tmp_path):
    mapped = demo_build / "map" / "model.onnx"
    config = load_config("demo")
    found = {}
    for kernel, pe, pixels in (("Dense", 4, 2), ("MVAU", 8, 1)):
        folding = tmp_path / f"{kernel}.json"
        folding.write_text(json.dumps({LAYER: {"SIMD": 8, "PE": pe, "kernel": kernel}}))
        model = fold(ModelWrapper(str(mapped)), folding)
        node = next(n for n in model.graph.node if n.op_type.startswith(kernel) and _is_layer(n))
        op = getCustomOp(node)
        assert op.get_nodeattr("SIMD") * op.get_nodeattr("PE") * pixels == MACS
        unit = next(i.unit for i in instances(model, config) if i.unit.name == node.name)
        count = synthesise([unit])[0]
        print(f"{kernel}: {op.get_instream_width(1)} weight bits a cycle, {count}")
        found[kernel] = (op.get_instream_width(1), op.get_exp_cycles(), count)
    (bits, cycles, ours), (finn_bits, finn_cycles, finn) = found["Dense"], found["MVAU"]
    assert (2 * bits, cycles) == (finn_bits, finn_cycles)
    assert ours.dsp <= finn.dsp
    assert ours.lut < finn.lut


def _is_layer(node) -> bool:
    op = getCustomOp(node)
    return (op.get_nodeattr("MW"), op.get_nodeattr("SIMD")) == (128, 8)
