# SPDX-License-Identifier: Apache-2.0
"""Registers of the shell over AXI4-Lite, with a memory in the place of the weight_port."""

from __future__ import annotations

import json

import pytest

from host.board.registers import CONTROL_REGISTERS, MAGIC, VERSION, WEIGHT_PORT
from hw.axi_lite import signals
from hw.generate import module_instance
from hw.rtl_files import files_of, module_name
from tests.hw.rtl.harness import Simulator

MODULE = module_name(CONTROL_REGISTERS.module)
HASH = 0xC0FFEE42
EVENTS = ("busy", "frame_in", "frame_out", "frame_drop", "short_frame", "long_frame", "underrun",
          "weights_error", "full", "empty", "blocked")  # fmt: skip
UNCONNECTED = ("m_axil_bresp", "m_axil_rresp")  #: the memory's; our registers have no such input
TESTS = (
    "identity", "counters", "one_moment", "errors_and_interrupt", "soft_reset", "the_weight_port",
)  # fmt: skip


def ports() -> dict[str, tuple[str, int]]:
    """Direction and width of every port; the responses of the memory end nowhere."""
    slave = {
        f"s_axil_{s.name}": (s.direction, s.bits) for s in signals(CONTROL_REGISTERS.address_bits)
    }
    other = {"input": "output", "output": "input"}
    port = signals(WEIGHT_PORT.address_bits)
    master = {f"m_axil_{s.name}": (other[s.direction], s.bits) for s in port}
    single = {name: ("input", 1) for name in ("clk", "rst_n", *EVENTS)}
    return slave | master | single | {"core_rst_n": ("output", 1), "irq": ("output", 1)}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory, object_cache) -> Simulator:
    folder = tmp_path_factory.mktemp("registers")
    wires = {name: name for name in ports() if name not in UNCONNECTED}
    body = module_instance(MODULE, "u_dut", {"CONFIG_HASH": HASH}, wires)
    listed = ", ".join(f"{d} wire logic [{w - 1}:0] {n}" for n, (d, w) in ports().items())
    (folder / "registers.sv").write_text(f"module registers ({listed});\n{body}endmodule\n")
    files = [*files_of([MODULE]), folder / "registers.sv"]
    return Simulator("registers", files, folder, object_cache)


@pytest.mark.parametrize("test", TESTS)
def test_registers(simulator, test, tmp_path):
    stimuli = {
        "registers": {r.name: r.offset for r in CONTROL_REGISTERS.registers},
        "weight_port": WEIGHT_PORT.offset,
        "events": EVENTS, "hash": HASH, "magic": MAGIC,
        "version": VERSION, "seed": 11,
    }  # fmt: skip
    (tmp_path / "stimuli.json").write_text(json.dumps(stimuli))
    simulator.run("tests.hw.rtl.control_registers_scenario", tmp_path, 1, test)
