# SPDX-License-Identifier: Apache-2.0
"""What the shell takes, by yosys, beside what the budget keeps for it and Vivado's own parts."""

import pytest

from build_flows.board import shell
from build_flows.explore.budget import SHELL
from hw.generate import module_instance
from hw.rtl_files import files_of
from hw.synthesis.yosys import Unit, synthesise
from tests.hw.rtl import test_control_registers, test_frame_gate

MAX_LEVELS = 8
PART_OF_SHELL = 0.25  #: of LUTs and flip-flops kept for the shell; the rest is for DMA and buses
FRAME = {"IN_WIDTH": 8, "IN_WORDS": 112 * 112, "OUT_WIDTH": 32, "OUT_WORDS": 196,
         "BUFFER": 112 * 112, "FRAMES": shell.MAX_FRAMES}  # fmt: skip


def unit(module: str, parameters: dict[str, int], ports: dict[str, str]) -> Unit:
    """One module of hw/rtl behind ports of its own; ``ports`` has direction and width."""
    body = module_instance(module, "u_dut", parameters, {name: name for name in ports})
    listed = ", ".join(f"{kind} {name}" for name, kind in ports.items())
    text = f"module {module}_unit_top ({listed});\n{body}endmodule\n"
    sources = {path.name: path.read_bytes() for path in files_of([module])}
    return Unit(f"{module}_unit", text, sources)


@pytest.mark.slow
def test_registers_and_gate_leave_room_for_the_dma(tmp_path):
    registers = {
        name: f"{direction} wire logic [{width - 1}:0]"
        for name, (direction, width) in test_control_registers.ports().items()
        if name not in test_control_registers.UNCONNECTED
    }
    gate = {name: kind.replace("put", "put wire") for name, kind in test_frame_gate.PORTS.items()}
    units = [
        unit(shell.REGISTERS, {"CONFIG_HASH": test_control_registers.HASH}, registers),
        unit(shell.GATE, FRAME, gate),
    ]
    found = synthesise(units, tmp_path)
    lut, ff, dsp, bram18, uram = SHELL
    assert sum(count.lut for count in found) <= PART_OF_SHELL * lut
    assert sum(count.ff for count in found) <= PART_OF_SHELL * ff
    assert sum(count.bram18 for count in found) <= bram18 // 2
    assert sum(count.dsp + count.uram for count in found) == dsp + uram == 0
    assert max(count.levels for count in found) <= MAX_LEVELS
