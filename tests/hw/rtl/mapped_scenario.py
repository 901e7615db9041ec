# SPDX-License-Identifier: Apache-2.0
"""Inside the simulator: cells and their DSP48E2 on random inputs, compared before every edge."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

CYCLES, FILLED = 800, 20
"""Cycles of clk; those from the start after which no register holds what it began with."""


def word(rng: random.Random, bits: int) -> int:
    """Random bits, now and then an end of the range of two's complement."""
    ends = (0, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1)
    return rng.choice(ends) if rng.random() < 0.2 else rng.getrandbits(bits)


@cocotb.test()
async def equal(dut: Any) -> None:
    """New inputs in every cycle; where ``first`` is given a sum begins in the first cycle."""
    rng = random.Random(cocotb.RANDOM_SEED)
    cells = json.loads(Path("cells.json").read_text())
    dut.clk.value = dut.clk2x.value = 0
    seen = [set[int]() for _ in cells]
    for cycle in range(CYCLES):
        dut.rst_n.value = int(cycle > 3)
        for i, inputs in enumerate(cells):
            for name, bits in inputs.items():
                begins = cycle < FILLED and name in ("first", "valid")
                getattr(dut, f"c{i}_{name}").value = 1 if begins else word(rng, bits)
        for level in (0, 1):  # of clk; each of its edges is one of clk2x
            dut.clk2x.value = 0
            await Timer(1, "ns")
            dut.clk2x.value, dut.clk.value = 1, level
            await Timer(1, "ns")
        for i, outputs in enumerate(seen) if cycle >= FILLED else ():
            found, expected = (int(getattr(dut, f"c{i}_{kind}").value) for kind in ("mapped", "kl"))
            assert found == expected, f"cell {i}, cycle {cycle}: {found:x}, not {expected:x}"
            outputs.add(found)
    assert all(len(outputs) > CYCLES / 10 for outputs in seen)
