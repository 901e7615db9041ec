# SPDX-License-Identifier: Apache-2.0
"""Inside the simulator: weight memories loaded, read and started over the port of their chain.

``stimuli.json`` has the registers and for each memory its words and three contents as slices: that
of its file (initial) and two to load. All signals change just after a rising edge.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

HOP = 2  #: cycles from a memory to the next on the chain
LIMIT = 5000  #: cycles until a stream counts as stuck
CIRCLES = 3  #: words checked of each memory, in multiples of its depth
BURST = 100  #: beats in the measurement of the write rate


class Bench:
    def __init__(self, dut: Any) -> None:
        self.dut, self.stimuli = dut, json.loads(Path("stimuli.json").read_text())
        self.registers: dict[str, int] = self.stimuli["registers"]
        self.memories: list[dict[str, Any]] = self.stimuli["memories"]
        self.rng = random.Random(self.stimuli["seed"])
        self.checked = 0

    async def start(self) -> None:
        """Clock, reset and a master with pauses on each of its channels."""
        self.dut.rst_n.value = 0
        for i in range(len(self.memories)):
            self.signal(i, "tready").value = 0
        cocotb.start_soon(Clock(self.dut.clk, 4, "ns").start())
        bus = AxiLiteBus.from_prefix(self.dut, "s_axil")
        self.master = AxiLiteMaster(bus, self.dut.clk, self.dut.rst_n, reset_active_level=False)
        write, read = self.master.write_if, self.master.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel,
                        read.ar_channel, read.r_channel):  # fmt: skip
            channel.set_pause_generator(self.pauses())
        await self.reset()

    def pauses(self) -> Any:
        while True:
            yield self.rng.random() < 0.3

    async def reset(self) -> None:
        self.dut.rst_n.value = 0
        await self.cycles(3)
        self.dut.rst_n.value = 1
        await self.cycles(3)

    async def cycles(self, count: int) -> None:
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    def signal(self, memory: int, name: str) -> Any:
        return getattr(self.dut, f"m{memory}_{name}")

    # -- registers -----------------------------------------------------------------------------

    async def write(self, register: str, value: int) -> None:
        await self.master.write_dword(self.registers[register], value)

    async def read(self, register: str) -> int:
        return int(await self.master.read_dword(self.registers[register]))

    async def status(self) -> int:
        """STATUS once no packet is on the chain; 1: error, 2: running."""
        while (value := await self.read("STATUS")) & self.stimuli["busy"]:
            pass
        return value

    async def write_slices(self, memory: int, word: int, slices: list[int]) -> None:
        await self.write("ADDRESS", self.address(memory, word))
        events = [
            self.master.init_write(self.registers["DATA"], value.to_bytes(4, "little"))
            for value in slices
        ]
        for event in events:
            await event.wait()

    async def read_slices(self, memory: int, word: int, count: int) -> list[int]:
        await self.write("ADDRESS", self.address(memory, word))
        return [await self.read("DATA") for _ in range(count)]

    def address(self, memory: int, word: int) -> int:
        return memory << 20 | word

    # -- checks --------------------------------------------------------------------------------

    async def load(self, contents: str) -> None:
        """Load all memories in random order; no error, and the checksum of all slices."""
        await self.write("CHECKSUM", 0)
        total = 0
        for i in self.rng.sample(range(len(self.memories)), len(self.memories)):
            await self.write_slices(i, 0, self.memories[i][contents])
            total = checksum(self.memories[i][contents], total)
        assert await self.status() == 0
        assert await self.read("CHECKSUM") == total

    async def check_contents(self, contents: str, memories: list[int]) -> None:
        await self.write("CHECKSUM", 0)
        total = 0
        for i in memories:
            expected = self.memories[i][contents]
            assert await self.read_slices(i, 0, len(expected)) == expected, f"memory {i}"
            total = checksum(expected, total)
            self.checked += len(expected)
        assert await self.status() == 0
        assert await self.read("CHECKSUM") == total

    async def check_quiet(self, cycles: int) -> None:
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)
            await ReadOnly()
            for i in range(len(self.memories)):
                assert not int(self.signal(i, "tvalid").value), f"memory {i} streams"
        await RisingEdge(self.dut.clk)

    async def check_error(self) -> None:
        """The error flag stands, stays, and goes when cleared."""
        error = self.stimuli["error"]
        assert await self.status() & error
        assert await self.status() & error
        await self.write("STATUS", error)
        assert not await self.status() & error

    async def check_streams(self, contents: str, stall: float) -> None:
        """Start all; each must give its words from word 0 in a circle, a word a cycle if taken.

        Without stalls the first word of memory i comes ``latency`` cycles after ``running`` less
        the hops behind it.
        """
        watch = [cocotb.start_soon(self.stream(i, contents, stall))
                 for i in range(len(self.memories))]  # fmt: skip
        running = cocotb.start_soon(self.started())
        await self.write("CONTROL", self.stimuli["run"])
        at = await running
        for i, task in enumerate(watch):
            first = await task
            late = first - at + HOP * (len(self.memories) - i)
            assert late == self.memories[i]["latency"], f"memory {i}: first word after {late}"
        assert await self.status() == self.stimuli["running"]

    async def started(self) -> int:
        """Cycle in which the port says that all memories run."""
        for cycle in range(LIMIT):
            await RisingEdge(self.dut.clk)
            await ReadOnly()
            if int(self.dut.running.value):
                return cycle
        raise AssertionError("never running")

    async def stream(self, memory: int, contents: str, stall: float) -> int:
        """Words of one memory against its contents; the cycle of the first."""
        item = self.memories[memory]
        size = len(item[contents]) // item["depth"]
        words = [join(item[contents][i : i + size]) for i in range(0, len(item[contents]), size)]
        rng = random.Random(memory)
        ready, valid, data = (self.signal(memory, n) for n in ("tready", "tvalid", "tdata"))
        first, came = -1, 0
        for cycle in range(LIMIT):
            await RisingEdge(self.dut.clk)
            taking = rng.random() >= stall
            ready.value = int(taking)
            await ReadOnly()
            if not int(valid.value):
                assert came == 0 or stall, f"memory {memory}: gap after {came} words"
                continue
            first = cycle if first < 0 else first
            assert int(data.value) == words[came % len(words)], f"memory {memory}: word {came}"
            came += taking
            if came == CIRCLES * len(words) + 20:
                break
        else:
            raise AssertionError(f"memory {memory}: stuck after {came} words")
        await RisingEdge(self.dut.clk)
        ready.value = 0
        self.checked += came
        return first

    async def stop(self) -> None:
        await self.write("CONTROL", 0)
        await self.cycles(HOP * len(self.memories) + 4)
        assert await self.status() == 0

    async def write_rate(self) -> None:
        """Beats on both write channels without pause are all taken, one a cycle."""
        dut = self.dut
        for signal, value in (("awaddr", self.registers["DATA"]), ("wdata", 0), ("wstrb", 15),
                              ("awvalid", 1), ("wvalid", 1), ("bready", 1)):  # fmt: skip
            getattr(dut, f"s_axil_{signal}").value = value
        for beat in range(BURST):
            await ReadOnly()
            assert int(dut.s_axil_awready.value), f"address {beat} waits"
            assert int(dut.s_axil_wready.value), f"data {beat} waits"
            await RisingEdge(dut.clk)
        dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 0
        await self.cycles(4)


def join(slices: list[int]) -> int:
    return sum(value << 32 * i for i, value in enumerate(slices))


def checksum(slices: list[int], total: int) -> int:
    for value in slices:
        total = ((total << 1 | total >> 31) + value) & 0xFFFFFFFF
    return total


@cocotb.test()
async def loading(dut: Any) -> None:
    """Loaded, read back, streamed, stopped and loaded again."""
    bench = Bench(dut)
    await bench.start()
    memories = bench.memories
    assert await bench.read("MEMORIES") == len(memories)
    assert await bench.status() == 0
    await bench.check_quiet(20)
    filed = [i for i, memory in enumerate(memories) if memory["filed"]]
    await bench.check_contents("initial", filed)
    for contents in ("first", "second"):
        await bench.load(contents)
        await bench.check_quiet(5)
        await bench.check_contents(contents, list(range(len(memories))))
        for stall in (0.0, 0.5, 0.9):
            await bench.check_streams(contents, stall)
            await bench.stop()
            await bench.check_quiet(5)
    await bench.reset()
    await bench.check_streams("second", 0.5)
    Path("measured.json").write_text(json.dumps({"checked": bench.checked}))


@cocotb.test()
async def errors(dut: Any) -> None:
    """What no memory takes raises the flag and changes nothing."""
    bench = Bench(dut)
    await bench.start()
    memories = bench.memories
    await bench.load("first")
    await bench.write("ADDRESS", bench.address(len(memories), 0))  # no such memory
    await bench.check_error()
    await bench.write("DATA", 0x5A5A5A5A)  # none selected
    await bench.check_error()
    assert await bench.read("DATA") == 0
    await bench.check_error()
    for i, memory in enumerate(memories):
        depth = memory["depth"]
        size = len(memory["first"]) // depth
        await bench.write_slices(i, depth, [0x5A5A5A5A] * size)  # behind the end
        await bench.check_error()
        last = memory["first"][-size:]
        await bench.write_slices(i, depth - 1, last)
        assert await bench.status() == 0
        await bench.write("DATA", 0x5A5A5A5A)  # more than the last word
        await bench.check_error()
        assert await bench.read_slices(i, depth - 1, size) == last
        assert await bench.read("DATA") == 0
        await bench.check_error()
    await bench.write("ADDRESS", bench.address(0, 0))
    await bench.master.write(bench.registers["DATA"], b"\x5a")  # one byte of four
    await bench.check_error()
    await bench.master.write(0x40, b"\x5a\x5a\x5a\x5a")  # no register
    assert await bench.master.read_dword(0x40) == 0
    await bench.write("CONTROL", bench.stimuli["run"])
    await bench.write_slices(0, 0, [0x5A5A5A5A])  # while they run
    await bench.check_error()
    await bench.stop()
    await bench.check_contents("first", list(range(len(memories))))


@cocotb.test()
async def rate(dut: Any) -> None:
    bench = Bench(dut)
    bench.dut.rst_n.value = 0
    cocotb.start_soon(Clock(dut.clk, 4, "ns").start())
    dut.s_axil_arvalid.value = 0
    dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 0
    await bench.reset()
    await bench.write_rate()


@cocotb.test()
async def preloaded(dut: Any) -> None:
    """With +preload every memory begins with its file."""
    bench = Bench(dut)
    await bench.start()
    await bench.check_streams("initial", 0.5)
