# SPDX-License-Identifier: Apache-2.0
"""Registers of the shell over AXI4-Lite, with a memory in the place of the weight_port."""

from __future__ import annotations

import json

import pytest

from hw.generate import RTL_FOLDER, module_instance
from hw.ops import control_registers
from tests.hw.rtl.harness import Simulator
from tests.hw.rtl.test_weight_port import AXIL

HASH = 0xC0FFEE42
EVENTS = ("busy", "frame_in", "frame_out", "frame_drop", "short_frame", "long_frame", "underrun",
          "weights_error", "full", "empty", "blocked")  # fmt: skip
UNCONNECTED = ("m_axil_bresp", "m_axil_rresp")  #: the memory's; our registers have no such input
TESTS = (
    "identity", "counters", "one_moment", "errors_and_interrupt", "soft_reset", "the_weight_port",
)  # fmt: skip


def ports() -> dict[str, tuple[str, int]]:
    """Direction and width of every port; the responses of the memory end nowhere."""
    slave = {f"s_axil_{n}": (d, w) for d, group in AXIL.items() for n, w in group.items()}
    slave |= {f"s_axil_{n}": ("input", 12) for n in ("awaddr", "araddr")}
    other = {"input": "output", "output": "input"}
    master = {f"m_axil_{n}": (other[d], w) for d, group in AXIL.items() for n, w in group.items()}
    single = {name: ("input", 1) for name in ("clk", "rst_n", *EVENTS)}
    return slave | master | single | {"core_rst_n": ("output", 1), "irq": ("output", 1)}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory, object_cache) -> Simulator:
    folder = tmp_path_factory.mktemp("registers")
    wires = {name: name for name in ports() if name not in UNCONNECTED}
    body = module_instance(control_registers.MODULE, "u_dut", {"CONFIG_HASH": HASH}, wires)
    listed = ", ".join(f"{d} wire logic [{w - 1}:0] {n}" for n, (d, w) in ports().items())
    (folder / "registers.sv").write_text(f"module registers ({listed});\n{body}endmodule\n")
    source = RTL_FOLDER / f"{control_registers.MODULE}.sv"
    return Simulator("registers", [source, folder / "registers.sv"], folder, object_cache)


@pytest.mark.parametrize("test", TESTS)
def test_registers(simulator, test, tmp_path):
    stimuli = {
        "registers": control_registers.REGISTERS, "weight_port": control_registers.WEIGHT_PORT,
        "events": EVENTS, "hash": HASH, "magic": control_registers.MAGIC,
        "version": control_registers.VERSION, "seed": 11,
    }  # fmt: skip
    (tmp_path / "stimuli.json").write_text(json.dumps(stimuli))
    simulator.run("tests.hw.rtl.control_registers_scenario", tmp_path, 1, test)
