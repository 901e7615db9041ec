# SPDX-License-Identifier: Apache-2.0
"""Adder trees of every size against sums delayed by their depth, inside the simulator."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb
from cocotb.triggers import Timer

MAX, WIDTH = 17, 7
CYCLES = 1000


def depth(n: int) -> int:
    """Registers that FINN's dense unit asks for with ``n`` products: ceil(log2(n)), at least 1."""
    return max(1, (n - 1).bit_length())


EXTRA = {"low": 0, "high": -1, "deep": 3, "flat": None}  #: registers beyond depth(n)


class Tree:
    """A sum behind registers that start at zero."""

    def __init__(self, kind: str, n: int) -> None:
        extra = EXTRA[kind]
        self.kind, self.n = kind, n
        self.registers = deque([0] * (0 if extra is None else depth(n) + extra))

    def reset(self) -> None:
        self.registers = deque([0] * len(self.registers))

    def sum(self, args: list[int], high: list[int]) -> int:
        chosen = high if self.kind == "high" else args
        if self.kind == "deep":
            chosen = [a - (1 << WIDTH) if a >> (WIDTH - 1) else a for a in args]
        return sum(chosen[: self.n])


def draw(rng: random.Random) -> tuple[list[int], list[int]]:
    """Arguments 0..2**WIDTH-1 and -1..1; every other draw only ends of the ranges."""
    top = (1 << WIDTH) - 1
    ends = [0, top, top >> 1, (top >> 1) + 1]
    match rng.randrange(4):
        case 0:
            return [rng.choice(ends)] * MAX, [rng.choice([-1, 1])] * MAX
        case 1:
            return rng.choices(ends, k=MAX), rng.choices([-1, 1], k=MAX)
    return [rng.randint(0, top) for _ in range(MAX)], rng.choices([-1, 0, 1], k=MAX)


def pack(values: list[int], bits: int) -> int:
    return sum((value % (1 << bits)) << (bits * i) for i, value in enumerate(values))


@cocotb.test()
async def every_size_and_depth(dut: Any) -> None:
    rng = random.Random(7)
    trees = [Tree(kind, n) for kind in EXTRA for n in range(1, MAX + 1)]
    for now in range(CYCLES):
        args, high = draw(rng)
        reset, enable = now < 2 or rng.random() < 0.01, rng.random() < 0.8
        dut.args.value, dut.high_args.value = pack(args, WIDTH), pack(high, 2)
        dut.rst.value, dut.en.value, dut.clk.value = int(reset), int(enable), 0
        await Timer(1, "ns")
        words = {kind: int(getattr(dut, kind).value) for kind in EXTRA}
        for tree in trees if now > 1 else []:
            total = tree.sum(args, high)
            expected = tree.registers[-1] if tree.registers else total
            found = words[tree.kind] >> (32 * (tree.n - 1)) & 0xFFFFFFFF
            assert found == expected % (1 << 32), (now, tree.kind, tree.n, found, expected)
            if tree.registers and enable:
                tree.registers.rotate(1)
                tree.registers[0] = total
            if reset:
                tree.reset()
        dut.clk.value = 1
        await Timer(1, "ns")
