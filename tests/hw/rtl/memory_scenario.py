# SPDX-License-Identifier: Apache-2.0
"""Inside the simulator: memories of equal contents beside a list of their words."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

DEPTH, SHAPES, ACCESSES = 45, 3, 2_000


async def start(dut: Any) -> None:
    for name in ("write", "write_address", "write_word", "read", "read_address"):
        getattr(dut, name).value = 0
    cocotb.start_soon(Clock(dut.clk, 4, "ns").start())
    await RisingEdge(dut.clk)


async def found(dut: Any) -> list[int]:
    await ReadOnly()
    words = [int(getattr(dut, f"word_{i}").value) for i in range(SHAPES)]
    await RisingEdge(dut.clk)
    return words


@cocotb.test()
async def random_accesses(dut: Any) -> None:
    """Written and read at random, both at once too; a word stays until the next read."""
    await start(dut)
    rng = random.Random(7)
    words = [0] * DEPTH
    expected: int | None = None
    for cycle in range(DEPTH + ACCESSES):
        write, read = cycle < DEPTH or rng.random() < 0.5, cycle >= DEPTH and rng.random() < 0.6
        at = cycle if cycle < DEPTH else rng.randrange(DEPTH)
        word, where = rng.randrange(512), rng.randrange(DEPTH)
        dut.write.value, dut.write_address.value, dut.write_word.value = int(write), at, word
        dut.read.value, dut.read_address.value = int(read), where
        await RisingEdge(dut.clk)
        if read:
            expected = words[where]
        if write:
            words[at] = word
        if expected is not None:
            dut.write.value = dut.read.value = 0
            assert await found(dut) == [expected] * SHAPES, f"cycle {cycle}, address {where}"
    assert expected is not None


@cocotb.test()
async def preloaded(dut: Any) -> None:
    """With +preload all begin with the image."""
    await start(dut)
    for address in range(DEPTH):
        dut.read.value, dut.read_address.value = 1, address
        await RisingEdge(dut.clk)
        dut.read.value = 0
        assert await found(dut) == [(37 * address + 5) % 512] * SHAPES, f"address {address}"
