# SPDX-License-Identifier: Apache-2.0
"""Inside the simulator: a stream played word by word in front of the check."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge


async def play(dut: Any, cycles: Iterable[tuple[int, int, int]]) -> None:
    """Valid, ready and word of every cycle after a reset."""
    dut.rst_n.value = dut.tvalid.value = dut.tready.value = dut.tdata.value = 0
    cocotb.start_soon(Clock(dut.clk, 4, "ns").start())
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    dut.rst_n.value = 1
    for valid, ready, word in cycles:
        dut.tvalid.value, dut.tready.value, dut.tdata.value = valid, ready, word
        await RisingEdge(dut.clk)
    for _ in range(3):
        await RisingEdge(dut.clk)


@cocotb.test()
async def a_stream_that_waits(dut: Any) -> None:
    await play(dut, [(0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 0, 3), (1, 1, 3), (1, 1, 4), (0, 0, 5)])


@cocotb.test()
async def an_offer_that_goes(dut: Any) -> None:
    await play(dut, [(1, 0, 3), (0, 0, 3)])


@cocotb.test()
async def an_offer_that_changes(dut: Any) -> None:
    await play(dut, [(1, 0, 3), (1, 0, 4)])
