# SPDX-License-Identifier: Apache-2.0
"""One interface for our kernels and FINN's: what it says agrees with the operators below."""

import pytest
from onnx import helper
from qonnx.custom_op.registry import getCustomOp

from host.common.errors import UserError
from hw.ops import operators
from hw.ops.layers import layer_of, set_layer
from hw.ops.unit import RAM_STYLES
from hw.ops.width_converter import converter_resources
from hw.synthesis.calibration import cases
from hw.units import ADAPTERS, unit_of
from hw.units.mvau import Mvau, in_place_of
from tests.hw.hls.finn_cases import FINN_CASES

OURS = {case.op.rtl_module: case.op for case in cases()}
FINN = {name: made[0].op for name, made in FINN_CASES.items()}
DENSE = OURS["dense"]
ALL = {**OURS, **FINN, "mvau": getCustomOp(in_place_of(DENSE))}


@pytest.mark.parametrize("name", ALL)
def test_streams_are_those_of_the_operator(name):
    op, unit = ALL[name], unit_of(ALL[name])
    inputs, outputs = unit.all_inputs, unit.outputs
    assert [s.width for s in inputs] == [op.get_instream_width(i) for i in range(len(inputs))]
    assert [s.width for s in outputs] == [op.get_outstream_width(i) for i in range(len(outputs))]
    assert all(stream.padded_width % 8 == 0 for stream in inputs)
    assert unit.cycles >= outputs[0].words


@pytest.mark.parametrize("name", ALL)
def test_folds_divide_and_change_the_lanes(name):
    unit = unit_of(ALL[name].onnx_node.__class__.FromString(_text(ALL[name])))
    for attribute, channels in unit.folds.items():
        before = unit.cycles
        unit.set_fold(attribute, channels)
        assert unit.get_fold(attribute) == channels
        assert unit.cycles <= before
    assert all(stream.lanes > 0 for stream in (*unit.all_inputs, *unit.outputs))


@pytest.mark.parametrize("name", ALL)
def test_a_memory_has_every_style(name):
    unit = unit_of(ALL[name].onnx_node.__class__.FromString(_text(ALL[name])))
    assert ("ramStyle" in unit.options) == unit.has_memory
    for style in RAM_STYLES if unit.has_memory else ():
        unit.ram_style = style
        assert unit.ram_style == style
        assert unit.resources().lut > 0


def test_a_node_and_its_operator_have_one_unit():
    node = in_place_of(DENSE)
    assert isinstance(unit_of(node), Mvau)
    assert unit_of(getCustomOp(node)).kernel == "MVAU"
    assert unit_of(DENSE) is DENSE


def test_finn_s_unit_takes_the_place_of_ours():
    set_layer(DENSE.onnx_node, "stages.3.expand")
    ours, finn = unit_of(DENSE), unit_of(in_place_of(DENSE))
    assert ours.kernels == ("Dense", "MVAU", "DensePumped", "DenseTriple")
    assert (finn.name, finn.layer) == (ours.name, "stages.3.expand")
    assert finn.described == f"{ours.name} (stages.3.expand)"
    assert [s.folded for s in finn.inputs] == [s.folded for s in ours.inputs]
    assert finn.multiplications == ours.multiplications
    assert finn.outputs[0].datatype == ours.outputs[0].datatype
    assert list(finn.cpp_sizes())[1:] == list(ours.cpp_sizes())[1:]
    assert (finn.pauses, ours.pauses) == (True, False)
    set_layer(DENSE.onnx_node, "")
    assert layer_of(DENSE.onnx_node) == ""


def test_padding_must_be_faster_than_its_frame_unless_it_has_all_lanes():
    padding = unit_of(ALL["padding"])  # 3 x 4 pixels, one more at each edge, 2 of 4 lanes
    assert padding.least_cycles == 3 * padding.cycles
    assert padding.waiting_words([]) == [2 * (2 * 6 + 2)]
    padding.set_fold("SIMD", 4)
    assert padding.least_cycles == padding.cycles
    padding.set_fold("SIMD", 2)


def test_branches_wait_for_the_windows_of_the_longest():
    add, concat = OURS["stream_add"], OURS["stream_concat"]
    words = add.inputs[0].pixel_words
    assert add.waiting_words([0, 9]) == [13 * words, 4 * words]
    assert concat.waiting_words([0, 0, 0]) == [s.pixel_words for s in concat.inputs]
    assert unit_of(ALL["window"]).held_pixels == 2 * 5 + 3  # 3x3 on rows of 5


def test_a_converter_costs_what_its_widths_do():
    converter = unit_of(ALL["width_converter"])
    source, sink = converter.inputs[0].width, converter.outputs[0].width
    assert converter.resources() == converter_resources(source, sink)


def test_other_operators_are_no_hardware():
    node = helper.make_node(
        "VVAU_rtl", ["a"], ["b"], "VVAU_3", domain="finn.custom_op.fpgadataflow.rtl"
    )
    with pytest.raises(UserError, match=r"VVAU_3: there is no unit for VVAU_rtl, only for MVAU"):
        unit_of(node)
    assert set(ADAPTERS) & set(operators()) == set()


def _text(op):
    return op.onnx_node.SerializeToString()
