# SPDX-License-Identifier: Apache-2.0
"""Inside the simulator: packets of all lengths through a frame_gate with an accelerator in Python.

The accelerator takes IN_WORDS words and gives OUT_WORDS times their sum, each plus its index; any
frame but a good one must be discarded. ``stimuli.json`` has the parameters.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

LIMIT = 20_000  #: cycles until the unit counts as stuck
EVENTS = ("frame_in", "frame_out", "frame_drop", "short_frame", "long_frame", "underrun")


class Bench:
    def __init__(self, dut: Any, seed: int) -> None:
        self.dut, self.rng = dut, random.Random(seed)
        parameters = json.loads(Path("stimuli.json").read_text())
        self.words_in, self.words_out = parameters["IN_WORDS"], parameters["OUT_WORDS"]
        self.packets: list[list[int]] = []
        self.results: list[list[int]] = []
        self.events = dict.fromkeys(EVENTS, 0)
        self.stall = 0.0
        self.hold = False  # the DMA engine offers nothing
        self.queue: list[tuple[int, int]] = []
        self.computing: list[int] = []
        self.waiting: list[int] = []
        self.coming: list[int] = []

    async def start(self) -> None:
        dut = self.dut
        for name in ("rst_n", "s_axis_tvalid", "s_axis_tdata", "s_axis_tlast", "u_tready",
                     "v_tvalid", "v_tdata", "m_axis_tready"):  # fmt: skip
            getattr(dut, name).value = 0
        cocotb.start_soon(Clock(dut.clk, 4, "ns").start())
        await self.reset()
        cocotb.start_soon(self.run())

    async def reset(self) -> None:
        self.dut.rst_n.value = 0
        for _ in range(3):
            await RisingEdge(self.dut.clk)
        self.queue, self.computing, self.waiting, self.coming = [], [], [], []
        self.dut.s_axis_tvalid.value = self.dut.v_tvalid.value = 0
        self.dut.rst_n.value = 1

    def send(self, packet: list[int]) -> None:
        self.queue += [(word, i == len(packet) - 1) for i, word in enumerate(packet)]

    async def run(self) -> None:
        """Both neighbours, a cycle at a time."""
        dut = self.dut
        offering = giving = False
        while True:
            if not int(dut.rst_n.value):
                offering = giving = False
            if not offering and self.queue and not self.hold and self.rng.random() >= self.stall:
                dut.s_axis_tdata.value, dut.s_axis_tlast.value = self.queue[0]
                offering = True
            if not giving and self.waiting and self.rng.random() >= self.stall:
                dut.v_tdata.value = self.waiting[0]
                giving = True
            dut.s_axis_tvalid.value, dut.v_tvalid.value = int(offering), int(giving)
            dut.u_tready.value = int(self.rng.random() >= self.stall)
            dut.m_axis_tready.value = int(self.rng.random() >= self.stall)
            await ReadOnly()
            took = offering and int(dut.s_axis_tready.value)
            gave = giving and int(dut.v_tready.value)
            fed = int(dut.u_tvalid.value) and int(dut.u_tready.value)
            word = int(dut.u_tdata.value) if fed else 0
            came = int(dut.m_axis_tvalid.value) and int(dut.m_axis_tready.value)
            if came:
                self.coming.append(int(dut.m_axis_tdata.value))
                if int(dut.m_axis_tlast.value):
                    self.results.append(self.coming)
                    self.coming = []
            for name in EVENTS:
                self.events[name] += int(getattr(dut, name).value)
            await RisingEdge(dut.clk)
            if not int(dut.rst_n.value):
                continue
            if took:
                self.queue.pop(0)
                offering = False
            if gave:
                self.waiting.pop(0)
                giving = False
            if fed:
                self.computing.append(word)
                if len(self.computing) == self.words_in:
                    self.waiting += self.golden(self.computing)
                    self.computing = []

    def golden(self, frame: list[int]) -> list[int]:
        return [sum(frame) + i for i in range(self.words_out)]

    async def until_quiet(self) -> None:
        """Everything has come out."""
        quiet = 0
        for _ in range(LIMIT):
            await RisingEdge(self.dut.clk)
            moving = self.queue or self.waiting or int(self.dut.busy.value)
            quiet = 0 if moving or int(self.dut.m_axis_tvalid.value) else quiet + 1
            if quiet == 12:
                return
        raise AssertionError(f"stuck with {len(self.queue)} words to send")

    def packet(self, length: int) -> list[int]:
        return [self.rng.randrange(256) for _ in range(length)]


def check(bench: Bench, packets: list[list[int]]) -> None:
    """Results and events of the packets that were sent."""
    size = bench.words_in
    good = [packet for packet in packets if len(packet) == size]
    assert bench.results == [bench.golden(packet) for packet in good]
    assert bench.events == {
        "frame_in": len(packets),
        "frame_out": len(good),
        "frame_drop": len(packets) - len(good),
        "short_frame": sum(len(packet) < size for packet in packets),
        "long_frame": sum(len(packet) > size for packet in packets),
        "underrun": 0,
    }


@cocotb.test()
async def packets_of_all_lengths(dut: Any) -> None:
    """Random order of good, short and long frames, under all kinds of stalls."""
    checked = 0
    bench = Bench(dut, 1)
    await bench.start()
    for stall in (0.0, 0.3, 0.8):
        bench.stall = stall
        bench.results.clear()
        bench.events = dict.fromkeys(EVENTS, 0)
        size = bench.words_in
        lengths = [size] * 8 + [1, size - 1, size + 1, 2 * size, 2 * size + 1, 3 * size] * 2
        lengths = [length for length in lengths if length > 0]
        bench.rng.shuffle(lengths)
        packets = [bench.packet(length) for length in [*lengths, size]]
        for packet in packets:
            bench.send(packet)
        await bench.until_quiet()
        check(bench, packets)
        checked += len(packets)
    Path("measured.json").write_text(json.dumps({"checked": checked}))


@cocotb.test()
async def reset_in_mid_frame(dut: Any) -> None:
    """Nothing of a frame is left behind a reset, wherever it was."""
    bench = Bench(dut, 2)
    await bench.start()
    for cycles in range(1, 3 * (bench.words_in + bench.words_out), 3):
        bench.send(bench.packet(bench.words_in))
        bench.send(bench.packet(bench.words_in))
        for _ in range(cycles):
            await RisingEdge(dut.clk)
        await bench.reset()
        bench.results.clear()
        good = bench.packet(bench.words_in)
        bench.send(good)
        await bench.until_quiet()
        assert bench.results == [bench.golden(good)], f"reset after {cycles} cycles"


@cocotb.test()
async def a_pause_in_mid_frame_is_an_underrun(dut: Any) -> None:
    """One event a pause; the frame goes on and is right."""
    bench = Bench(dut, 3)
    await bench.start()
    limit = json.loads(Path("stimuli.json").read_text())["IDLE_LIMIT"]
    pauses = 0
    for length in (limit - 4, limit + 12, 3 * limit):
        good = bench.packet(bench.words_in)
        bench.results.clear()
        bench.send(good[:-1])
        last = bench.queue.pop()
        bench.queue.append((last[0], 0))
        while bench.queue:
            await RisingEdge(dut.clk)
        for _ in range(length):
            await RisingEdge(dut.clk)
        bench.queue.append((good[-1], 1))
        await bench.until_quiet()
        pauses += length > limit
        assert bench.results == [bench.golden(good)]
        assert bench.events["underrun"] == pauses
    assert bench.events["short_frame"] == bench.events["long_frame"] == 0
