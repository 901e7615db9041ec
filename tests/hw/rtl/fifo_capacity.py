# SPDX-License-Identifier: Apache-2.0
"""Inside the simulator: how many words a blocked fifo takes, and its own count of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer


async def clock(clk: Any) -> None:
    for level in (1, 0):
        clk.value = level
        await Timer(1, "ns")


async def fill_and_drain(dut: Any, index: int, cycles: int) -> dict[str, int]:
    """Offer a word in each of ``cycles`` cycles with the output blocked, then take all."""
    port = {
        name: getattr(dut, f"c{index}_{name}")
        for name in (
            "clk",
            "rst_n",
            "in0_tvalid",
            "in0_tready",
            "in0_tdata",
            "out0_tvalid",
            "out0_tready",
        )
    }
    peak = getattr(getattr(dut, f"u_case_{index}"), f"u_{index}").peak
    for name in ("clk", "rst_n", "in0_tvalid", "in0_tdata", "out0_tready"):
        port[name].value = 0
    for _ in range(2):
        await clock(port["clk"])
    port["rst_n"].value = port["in0_tvalid"].value = 1
    taken = came = 0
    for _ in range(cycles):
        await Timer(1, "ns")
        taken += int(port["in0_tready"].value)
        await clock(port["clk"])
    peak_when_full = int(peak.value)
    port["in0_tvalid"].value, port["out0_tready"].value = 0, 1
    for _ in range(cycles):
        await Timer(1, "ns")
        came += int(port["out0_tvalid"].value)
        await clock(port["clk"])
    return {
        "taken": taken, "came": came, "peak_when_full": peak_when_full,
        "peak_when_empty": int(peak.value),
    }  # fmt: skip


@cocotb.test()
async def capacity(dut: Any) -> None:
    cycles = json.loads(Path("cycles.json").read_text())
    measured = [await fill_and_drain(dut, index, count) for index, count in enumerate(cycles)]
    Path("measured.json").write_text(json.dumps(measured))
