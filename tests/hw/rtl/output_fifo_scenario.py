# SPDX-License-Identifier: Apache-2.0
"""Inside the simulator: a pipeline of random delays that claims places and delivers its words.

All signals change in mid-cycle. ``depth`` of stimuli.json is that of the fifo.
"""

from __future__ import annotations

import json
import random
from collections import deque
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge, Timer

WORDS = 600
LIMIT = 20_000  #: cycles until the words count as stuck


class Pipeline:
    """Claims with a probability, and pushes each word so many cycles later, in order."""

    def __init__(self, dut: Any, seed: int) -> None:
        self.dut, self.rng = dut, random.Random(seed)
        self.depth: int = json.loads(Path("stimuli.json").read_text())["depth"]
        self.inside: deque[tuple[int, int]] = deque()  # cycle in which it is pushed, word
        self.claimed: list[int] = []
        self.came: list[int] = []

    async def start(self) -> None:
        for name in ("rst_n", "claim", "push", "push_data", "m_axis_tready"):
            getattr(self.dut, name).value = 0
        cocotb.start_soon(Clock(self.dut.clk, 4, "ns").start())
        for _ in range(3):
            await RisingEdge(self.dut.clk)
        self.dut.rst_n.value = 1
        await RisingEdge(self.dut.clk)

    async def run(self, words: int, claims: float, takes: float, delay: int) -> int:
        """Pass ``words`` with these probabilities a cycle and up to ``delay`` cycles inside."""
        for cycle in range(LIMIT):
            await self.step(cycle, len(self.claimed) < words, claims, takes, delay)
            if len(self.came) == words:
                return cycle
        raise AssertionError(f"{len(self.came)} of {words} words came")

    async def step(self, cycle: int, more: bool, claims: float, takes: float, delay: int) -> None:
        dut = self.dut
        await Timer(1, "ns")  # registers have changed
        dut.m_axis_tready.value = int(self.rng.random() < takes)
        due = bool(self.inside) and self.inside[0][0] <= cycle
        dut.push.value = int(due)
        dut.push_data.value = self.inside.popleft()[1] if due else self.rng.getrandbits(8)
        claim = more and bool(int(dut.room.value)) and self.rng.random() < claims
        dut.claim.value = int(claim)
        if claim:
            self.claimed.append(self.rng.getrandbits(8))
            last = self.inside[-1][0] if self.inside else 0
            leaves = max(last + 1, cycle + 1 + self.rng.randint(0, delay))
            self.inside.append((leaves, self.claimed[-1]))
        await ReadOnly()
        if int(dut.m_axis_tvalid.value) and int(dut.m_axis_tready.value):
            self.came.append(int(dut.m_axis_tdata.value))
            assert self.came[-1] == self.claimed[len(self.came) - 1]
        held = len(self.claimed) - len(self.came)
        assert held <= self.depth, f"{held} claims on {self.depth} places"
        await RisingEdge(dut.clk)


@cocotb.test()
async def words_in_order(dut: Any) -> None:
    """Nothing lost, doubled or out of order, at all rates of both sides."""
    for i, (claims, takes, delay) in enumerate(
        [(1.0, 1.0, 0), (1.0, 0.3, 4), (0.3, 1.0, 9), (0.7, 0.7, 3), (1.0, 0.1, 20)]
    ):
        pipeline = Pipeline(dut, i)
        await pipeline.start() if i == 0 else None
        await pipeline.run(WORDS, claims, takes, delay)


@cocotb.test()
async def room_ends_and_comes_back(dut: Any) -> None:
    """As many claims as places while nothing is taken, and one more for each word that leaves."""
    pipeline = Pipeline(dut, 7)
    await pipeline.start()
    for cycle in range(4 * pipeline.depth):
        await pipeline.step(cycle, True, 1.0, 0.0, 0)
    assert len(pipeline.claimed) == pipeline.depth
    assert not int(dut.room.value)
    words = len(pipeline.claimed) + 50
    await pipeline.run(words, 1.0, 1.0, 0)
    assert len(pipeline.claimed) == words


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """A word a cycle where the places cover the way from claim to the output and back."""
    pipeline = Pipeline(dut, 9)
    await pipeline.start()
    cycles = await pipeline.run(WORDS, 1.0, 1.0, 0)
    if pipeline.depth >= 4:  # claim, push, two of the fifo
        assert cycles <= WORDS + 5
    else:
        assert cycles > WORDS + 5


@cocotb.test()
async def a_claim_without_room(dut: Any) -> None:
    """Ends the simulation by the module's own check."""
    pipeline = Pipeline(dut, 3)
    await pipeline.start()
    dut.claim.value = 1
    for _ in range(pipeline.depth + 4):
        await RisingEdge(dut.clk)
