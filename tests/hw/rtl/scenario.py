# SPDX-License-Identifier: Apache-2.0
"""What every kernel is put through, inside the simulator (see harness.py for the other side).

Under each pair of an idle pattern on the inputs and a back-pressure pattern on the outputs two
frames must come out word by word, and nothing after them. Resets in mid-frame must leave no trace.
All the time, an offered word stays as it is until taken. In between, m_axis_tready is moved within
a cycle and must not show at any other output, nor s_axis_tvalid at an output port. Without stalls
the cycles a frame are measured, and with words fed one by one the latency.

Timing of a cycle: inputs change after the rising edge, handshakes are read just before the next.
Latency counts from the edge that takes the last input word needed to the edge that could take the
result; of a kernel without inputs, from the first edge out of reset.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.triggers import Timer

RESETS = 4  #: runs cut by a reset
LIMIT = 50  #: cycles a word in any run, before the simulation counts as stuck
PROBE_EVERY = 5  #: cycles between probes for combinational paths


def never(rng: random.Random) -> Iterator[bool]:
    return itertools.repeat(False)


def cycle(rng: random.Random) -> Iterator[bool]:
    return itertools.cycle([rng.random() < 0.5, True, False, True])


def bursts(rng: random.Random) -> Iterator[bool]:
    """Pauses and runs of random length, 6 cycles each on average."""
    pause = True
    while True:
        yield pause
        pause ^= rng.random() < 1 / 6


PATTERNS: tuple[Callable[[random.Random], Iterator[bool]], ...] = (never, cycle, bursts)


class Port:
    """The three signals of a stream."""

    def __init__(self, dut: Any, net: str, words: list[int]) -> None:
        self.net, self.words = net, words
        self.data = getattr(dut, f"{net}_tdata")
        self.valid = getattr(dut, f"{net}_tvalid")
        self.ready = getattr(dut, f"{net}_tready")

    def sample(self) -> tuple[int, int | None]:
        """tvalid, and tdata if valid."""
        valid = int(self.valid.value)
        return valid, int(self.data.value) if valid else None


class Source(Port):
    """Offers words; a pause delays the next word, never one on offer."""

    def start(self, words: list[int], pauses: Iterator[bool]) -> None:
        self.queue, self.pauses, self.sent = words, pauses, 0
        self.offered, self.released = False, len(words)
        self.taken_at: list[int] = []

    def drive(self) -> None:
        pause = next(self.pauses)
        self.offered = self.offered or (self.sent < self.released and not pause)
        self.valid.value = int(self.offered)
        if self.offered:
            self.data.value = self.queue[self.sent]

    def observe(self, now: int) -> bool:
        if not (self.offered and int(self.ready.value)):
            return False
        self.sent, self.offered = self.sent + 1, False
        self.taken_at.append(now)
        return True


class Sink(Port):
    """Takes words and checks each, and that an offered word stays."""

    def start(self, words: list[int], pauses: Iterator[bool]) -> None:
        self.expected, self.pauses = words, pauses
        self.waiting: int | None = None
        self.came_at: list[int] = []

    def drive(self) -> None:
        self.taking = not next(self.pauses)
        self.ready.value = int(self.taking)

    def observe(self, now: int) -> bool:
        valid, data = self.sample()
        if self.waiting is not None:
            assert valid, f"{self.net}: tvalid fell before the word was taken"
            assert data == self.waiting, f"{self.net}: tdata changed before the word was taken"
        self.waiting = data if valid and not self.taking else None
        if not (valid and self.taking):
            return False
        self._check(data)
        self.came_at.append(now)
        return True

    def _check(self, data: int | None) -> None:
        index = len(self.came_at)
        assert index < len(self.expected), f"{self.net}: word {data:#x} after the last"
        assert data == self.expected[index], (
            f"{self.net}: word {index} is {data:#x}, the golden says {self.expected[index]:#x}"
        )


class Scenario:
    def __init__(self, dut: Any, stimuli: dict[str, Any]) -> None:
        prefix = stimuli["prefix"]
        self.clk, self.rst_n = getattr(dut, f"{prefix}_clk"), getattr(dut, f"{prefix}_rst_n")
        self.clk2x = getattr(dut, f"{prefix}_clk2x", None)
        self.sources = [Source(dut, *item) for item in stimuli["inputs"].items()]
        self.sinks = [Sink(dut, *item) for item in stimuli["outputs"].items()]
        self.rng = random.Random(stimuli["seed"])
        self.frames, self.latency = stimuli["frames"], stimuli["latency"]
        self.quiet = 2 * self.latency + 32
        self.now = self.words = 0

    # -- clock ---------------------------------------------------------------------------------

    async def tick(self, probe: bool = False) -> bool:
        """One clock cycle; True if any word moved."""
        for port in (*self.sources, *self.sinks):
            port.drive()
        await self.clock(0)
        if probe:
            await self.probe()
        moved = [port.observe(self.now) for port in (*self.sources, *self.sinks)]
        await self.clock(1)
        self.now += 1
        return any(moved)

    async def clock(self, level: int) -> None:
        """Half a cycle; clk2x, where there is one, rises at both edges of clk."""
        self.clk.value = level
        if self.clk2x is not None:
            self.clk2x.value = 1
            await Timer(1, "ns")
            self.clk2x.value = 0
        await Timer(1, "ns")

    async def probe(self) -> None:
        """Within the cycle, tready reaches no other output and tvalid no output port."""
        before = [int(source.ready.value) for source in self.sources]
        outputs = [sink.sample() for sink in self.sinks]
        for sink in self.sinks:
            sink.ready.value = int(not sink.taking)
        await Timer(1, "ns")
        after = [int(source.ready.value) for source in self.sources]
        assert after == before, f"tready of an input follows tready of an output: {after}"
        for source in self.sources:
            source.valid.value = int(not source.offered)
        await Timer(1, "ns")
        assert [sink.sample() for sink in self.sinks] == outputs, "outputs are not registered"
        for source in self.sources:
            source.valid.value = int(source.offered)
        for sink in self.sinks:
            sink.ready.value = int(sink.taking)
        await Timer(1, "ns")

    async def reset(self) -> None:
        """Two cycles of reset with inputs still on offer; then no output may be valid."""
        self.rst_n.value = 0
        for _ in range(2):
            await self.clock(0)
            await self.clock(1)
        for sink in self.sinks:
            assert not int(sink.valid.value), f"{sink.net}: tvalid in reset"
        self.rst_n.value = 1

    def start(
        self, frames: int, idle: Callable[..., Iterator[bool]], stall: Callable[..., Iterator[bool]]
    ) -> None:
        for group, pattern in ((self.sources, idle), (self.sinks, stall)):
            for port in group:
                words = port.words[: len(port.words) * frames // self.frames]
                port.start(words, pattern(self.rng))
        self.now = 0

    # -- runs ----------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        return all(len(sink.came_at) == len(sink.expected) for sink in self.sinks)

    @property
    def came(self) -> bool:
        """Every output port has had a word."""
        return all(sink.came_at for sink in self.sinks)

    async def run_frames(
        self, frames: int, idle: Callable[..., Iterator[bool]], stall: Callable[..., Iterator[bool]]
    ) -> None:
        """``frames`` frames to their last word, then a pause in which nothing more may come."""
        await self.reset()
        self.start(frames, idle, stall)
        moved = max(len(port.words) for port in (*self.sources, *self.sinks))
        for count in range(LIMIT * (moved + self.quiet)):
            await self.tick(probe=count % PROBE_EVERY == 0)
            if self.done:
                break
        taken = [source.sent for source in self.sources]
        came = [len(sink.came_at) for sink in self.sinks]
        assert self.done, f"stuck: {taken} words taken, {came} words came"
        if self.sources:  # a kernel without inputs never ends
            for _ in range(self.quiet):
                await self.tick()
            left = {source.net: len(source.queue) - source.sent for source in self.sources}
            assert not any(left.values()), f"input words not taken: {left}"
        self.words += sum(len(sink.came_at) for sink in self.sinks)

    async def run_cut(self) -> None:
        """Part of a frame; the reset that begins the next run ends it."""
        await self.reset()
        self.start(1, bursts, bursts)
        longest = max(len(port.words) for port in (*self.sources, *self.sinks)) // self.frames
        for _ in range(self.rng.randrange(2, 2 * longest + self.quiet)):
            if self.done:
                break
            await self.tick()

    async def measure_cycles(self) -> int:
        """Cycles from the end of the last frame but one to the end of the last, without stalls."""
        await self.run_frames(self.frames, never, never)
        ends = []
        for sink in self.sinks:
            frame = len(sink.expected) // self.frames
            ends.append(sink.came_at[-1] - sink.came_at[-1 - frame])
        return max(ends)

    async def measure_latency(self) -> int:
        """Feed words one by one, port after port, until the first result is out."""
        await self.reset()
        self.start(1, never, never)
        for source in self.sources:
            source.released = 0
        await self.until_quiet()
        taken = 0
        for source in self.sources:
            while source.released < len(source.queue) and not self.came:
                source.released += 1
                await self.until_quiet()
                taken = source.taken_at[-1] if source.taken_at else 0
        return max(sink.came_at[0] for sink in self.sinks) - taken

    async def until_quiet(self) -> None:
        """Until no word moved for a while, or, where words never end, the first has come."""
        still = 0
        while still < self.quiet and not self.came:
            still = 0 if await self.tick() else still + 1


@cocotb.test()
async def scenario(dut: Any) -> None:
    stimuli = json.loads(Path("stimuli.json").read_text())
    bench = Scenario(dut, stimuli)
    cycles = await bench.measure_cycles()
    latency = await bench.measure_latency()
    for idle, stall in itertools.product(PATTERNS, PATTERNS):
        await bench.run_frames(2, idle, stall)
    for _ in range(RESETS):
        await bench.run_cut()
        await bench.run_frames(1, bursts, bursts)
    measured = {"words": bench.words, "cycles_per_frame": cycles, "latency": latency}
    Path("measured.json").write_text(json.dumps(measured))
