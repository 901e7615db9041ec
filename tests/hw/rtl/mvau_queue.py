# SPDX-License-Identifier: Apache-2.0
"""Inside the simulator: FINN's dense unit with its output blocked while inputs are offered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

CYCLES = 200  #: blocked, then taken


async def blocked(dut: Any, index: int) -> tuple[int, int]:
    """Input words taken, output words that came."""

    def port(name: str) -> Any:
        return getattr(dut, f"c{index}_{name}")

    async def clock() -> None:
        for level in (1, 0):
            port("clk").value = level
            await Timer(1, "ns")

    for name in ("clk", "rst_n", "in0_tvalid", "in0_tdata", "out0_tready"):
        port(name).value = 0
    for _ in range(4):
        await clock()
    port("rst_n").value = port("in0_tvalid").value = 1
    taken = came = 0
    for cycle in range(3 * CYCLES):
        if cycle == CYCLES:
            port("out0_tready").value = 1
        if cycle == 2 * CYCLES:
            port("in0_tvalid").value = 0
        await Timer(1, "ns")
        taken += int(port("in0_tready").value) * int(port("in0_tvalid").value)
        came += int(port("out0_tvalid").value) * int(port("out0_tready").value)
        await clock()
    return taken, came


@cocotb.test()
async def queue(dut: Any) -> None:
    """An overflow ends the simulation."""
    count = json.loads(Path("cases.json").read_text())
    measured = [await blocked(dut, index) for index in range(count)]
    Path("measured.json").write_text(json.dumps(measured))
