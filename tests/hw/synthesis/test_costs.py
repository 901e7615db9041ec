# SPDX-License-Identifier: Apache-2.0
"""Cost formulas of our kernels stay near what yosys counts; counting rules; cached results."""

import json

import pytest

from host.common.errors import ToolError, UserError
from hw.synthesis import netlist
from hw.synthesis import yosys as synthesis
from hw.synthesis.calibration import Case, cases
from hw.synthesis.yosys import Unit, kernel_unit, synthesise

MAX_LEVELS = 8
QUICK = {
    "64 bits x 48, distributed": 0.10,
    "64 channels, 4 lanes, INT20": 0.10,
    "128 channels, 4 lanes": 0.10,
}
MEAN_ERROR = 0.15  #: of the LUT formula of a kernel
SUM_ERROR = 0.10  #: of all instances together


def counts(found: list[Case], cache) -> list[netlist.Count]:
    units = [kernel_unit(c.op, f"case_{i}", c.constants) for i, c in enumerate(found)]
    return synthesise(units, cache)


def test_formulas_of_three_kernels(tmp_path):
    found = [case for case in cases() if case.text in QUICK]
    assert len(found) == len(QUICK)
    for case, count in zip(found, counts(found, tmp_path), strict=True):
        formula = case.op.resources()
        assert formula.lut == pytest.approx(count.lut, rel=QUICK[case.text]), case.text
        assert formula.ff == pytest.approx(count.ff, rel=0.1), case.text
        assert formula.dsp == count.dsp
        assert formula.bram18 == count.bram18
        assert count.levels <= MAX_LEVELS
        assert count.slow_dsp == 0


@pytest.mark.slow
def test_errors_of_all_formulas(tmp_path):
    found = list(cases())
    results = counts(found, tmp_path)
    errors: dict[str, list[float]] = {}
    for case, count in zip(found, results, strict=True):
        formula = case.op.resources()
        assert (formula.dsp, formula.bram18, formula.uram) == (count.dsp, count.bram18, count.uram)
        assert count.levels <= MAX_LEVELS, f"{case.op.rtl_module}, {case.text}: {count.path}"
        error = abs(formula.lut - count.lut) / count.lut
        errors.setdefault(case.op.rtl_module, []).append(error)
    for kernel, values in errors.items():
        assert sum(values) / len(values) <= MEAN_ERROR, kernel
    total = sum(count.lut for count in results)
    assert sum(case.op.resources().lut for case in found) == pytest.approx(total, rel=SUM_ERROR)


def unit(name: str, body: str) -> Unit:
    ports = "input wire logic clk, input wire logic [7:0] a, output logic [7:0] q"
    return Unit(name, f"module {name}_top ({ports});\n{body}\nendmodule\n", {})


def test_result_of_an_equal_unit_is_kept(tmp_path, monkeypatch):
    body = "always_ff @(posedge clk) q <= a + 8'd3;"
    first = synthesise([unit("one", body)], tmp_path)
    assert first[0].ff == 8
    monkeypatch.setattr(synthesis, "_run", lambda units: pytest.fail("synthesised again"))
    assert synthesise([unit("other", body)], tmp_path) == first


def test_another_unit_is_not_taken_from_the_cache(tmp_path):
    keys = [unit("one", f"always_ff @(posedge clk) q <= a + 8'd{i};").key() for i in (3, 5)]
    assert keys[0] != keys[1]


def test_failure_of_yosys_names_the_units_and_keeps_the_log(tmp_path):
    with pytest.raises(ToolError, match=r"exit code 1 on broken; log: ") as caught:
        synthesise([unit("broken", "assign q = missing;")], tmp_path)
    assert "missing" in caught.value.log.read_text()
    caught.value.log.unlink()


def cell(kind: str, inputs: dict[str, list], outputs: dict[str, list], **parameters) -> dict:
    directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    return {"type": kind, "parameters": parameters, "port_directions": directions,
            "connections": inputs | outputs}  # fmt: skip


def module(*cells: dict) -> dict:
    return {"cells": {f"c{i}": entry for i, entry in enumerate(cells)}, "netnames": {}}


def test_luts_share_a_place_only_with_equal_inputs():
    luts = [cell("LUT2", {"I0": [1], "I1": [2]}, {"O": [10 + i]}) for i in range(3)]
    other = cell("LUT2", {"I0": [1], "I1": [3]}, {"O": [20]})
    whole = [cell("LUT6", {f"I{i}": [i] for i in range(1, 7)}, {"O": [30 + i]}) for i in range(2)]
    assert netlist.count(module(*luts, other, *whole)).lut == 2 + 1 + 2


def test_levels_count_luts_carry_chains_and_memory_reads_but_no_wide_multiplexer():
    found = netlist.count(module(
        cell("LUT1", {"I0": [1]}, {"O": [2]}),
        cell("CARRY4", {"S": [2], "CI": ["0"]}, {"CO": [3]}),
        cell("CARRY4", {"S": ["0"], "CI": [3]}, {"CO": [4]}),
        cell("MUXF7", {"I0": [4], "I1": [4], "S": [4]}, {"O": [5]}),
        cell("RAM64M8", {"ADDRA": [5], "DIA": [1], "WE": [1]}, {"DOA": [6]}),
        cell("FDRE", {"D": [6], "C": [9]}, {"Q": [7]}),
        cell("LUT1", {"I0": [7]}, {"O": [8]}),
    ))  # fmt: skip
    assert found.levels == 3  # LUT, chain, memory
    assert (found.lut, found.ff) == (1 + 1 + 8, 1)


def test_dsp_without_a_product_register_is_slow():
    full = {"MREG": "1", "PREG": "1"}
    found = netlist.count(module(
        cell("DSP48E1", {"A": [1]}, {"P": [2]}, **full),
        cell("DSP48E1", {"A": [2]}, {"P": [3]}, **(full | {"MREG": "0"})),
    ))  # fmt: skip
    assert (found.dsp, found.slow_dsp) == (2, 1)


def test_the_widest_enable_and_fanout_are_named():
    found = netlist.count(
        {
            **module(
                *(cell("FDRE", {"D": [1], "CE": [2], "C": [9]}, {"Q": [20 + i]}) for i in range(3)),
                cell("SRL16E", {"D": [1], "CE": [2], "A0": [3], "CLK": [9]}, {"Q": [30]}),
                cell("FDRE", {"D": [3], "CE": ["1"], "C": [9]}, {"Q": [31]}),
                cell("LUT2", {"I0": [1], "I1": [2]}, {"O": [32]}),
            ),
            "netnames": {"advance": {"bits": [2]}, "data": {"bits": [1]}},
        }
    )
    assert (found.widest_enable, found.enable) == (4, "advance")
    assert (found.fanout, found.reaches) == (5, "advance")  # data reaches as many, and is none


def test_memories_without_output_register_are_counted():
    def memory(first):
        return cell("RAMB36E2", {"ADDRARDADDR": [1]}, {"DOUTADOUT": [first, first + 1]})

    registers = [cell("FDRE", {"D": [bit]}, {"Q": [bit + 100]}) for bit in (10, 11, 20)]
    more = cell("LUT1", {"I0": [21]}, {"O": [40]})
    found = netlist.count(
        {**module(memory(10), memory(20), memory(30), *registers, more),
         "ports": {"q": {"bits": [30]}}}
    )  # fmt: skip
    assert (found.bram18, found.open_memories) == (6, 2)


def test_unknown_cells_and_loops_are_refused():
    with pytest.raises(UserError, match="cells of the kinds GTYE4, for which there is no"):
        netlist.count(module(cell("GTYE4", {}, {})))
    loop = module(cell("LUT1", {"I0": [1]}, {"O": [2]}), cell("LUT1", {"I0": [2]}, {"O": [1]}))
    with pytest.raises(UserError, match="combinational loop: "):
        netlist.count(loop)


def test_cache_file_is_json_by_content(tmp_path):
    one = unit("one", "always_ff @(posedge clk) q <= a;")
    synthesise([one], tmp_path)
    entries = json.loads((tmp_path / "synthesis_cache.json").read_text())
    assert list(entries) == [one.key()]
    assert entries[one.key()]["ff"] == 8
