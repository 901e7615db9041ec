# SPDX-License-Identifier: Apache-2.0
"""Inside the simulator: registers read and written while the events of a frame_gate are played.

``stimuli.json`` has the offsets, the names of the events and the constants. All signals change just
after a rising edge.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiLiteRam

RESET_LIMIT = 64  #: cycles within which a reset ends
PLAYED = 3_000  #: cycles of random events
TOTALS = ("BUSY_CYCLES", "FULL_CYCLES", "EMPTY_CYCLES", "BLOCKED_CYCLES")
FRAMES = {"FRAMES_IN": "frame_in", "FRAMES_OUT": "frame_out", "FRAMES_DROPPED": "frame_drop"}
ERRORS = ("short_frame", "long_frame", "underrun")  #: by bit of ERRORS


class Bench:
    def __init__(self, dut: Any) -> None:
        self.dut, self.stimuli = dut, json.loads(Path("stimuli.json").read_text())
        self.at: dict[str, int] = self.stimuli["registers"]
        self.rng = random.Random(self.stimuli["seed"])

    async def start(self) -> None:
        """Clock, reset, a master with pauses on its channels, a memory at the weight port."""
        self.play()
        self.dut.rst_n.value = 0
        cocotb.start_soon(Clock(self.dut.clk, 4, "ns").start())
        reset = {"reset": self.dut.rst_n, "reset_active_level": False}
        bus = AxiLiteBus.from_prefix(self.dut, "s_axil")
        self.master = AxiLiteMaster(bus, self.dut.clk, **reset)
        bus = AxiLiteBus.from_prefix(self.dut, "m_axil")
        self.memory = AxiLiteRam(bus, self.dut.clk, size=256, **reset)
        for side in (self.master, self.memory):
            write, read = side.write_if, side.read_if
            for channel in (write.aw_channel, write.w_channel, write.b_channel,
                            read.ar_channel, read.r_channel):  # fmt: skip
                channel.set_pause_generator(self.pauses())
        await self.cycles(3)
        self.dut.rst_n.value = 1
        await self.awake()

    def pauses(self) -> Any:
        while True:
            yield self.rng.random() < 0.3

    async def cycles(self, count: int) -> None:
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    async def awake(self) -> int:
        """Wait for the end of the accelerator's reset; the cycles it took."""
        for cycle in range(RESET_LIMIT):
            await RisingEdge(self.dut.clk)
            await ReadOnly()
            if int(self.dut.core_rst_n.value):
                await RisingEdge(self.dut.clk)
                return cycle
        raise AssertionError("reset never ends")

    def play(self, *events: str) -> None:
        """These events, and no other, from the next cycle on."""
        for name in self.stimuli["events"]:
            getattr(self.dut, name).value = int(name in events)

    async def pulse(self, *events: str) -> None:
        self.play(*events)
        await self.cycles(1)
        self.play()
        await self.cycles(2)

    async def read(self, register: str) -> int:
        return int(await self.master.read_dword(self.at[register]))

    async def write(self, register: str, value: int) -> None:
        await self.master.write_dword(self.at[register], value)

    async def totals(self) -> dict[str, int]:
        """All counters of 64 bits, of the moment at which CYCLES is read."""
        found = {}
        for name in ("CYCLES", *TOTALS):
            low = await self.read(name)
            found[name] = low | int(await self.master.read_dword(self.at[name] + 4)) << 32
        return found

    async def irq(self) -> int:
        await self.cycles(2)
        return int(self.dut.irq.value)


@cocotb.test()
async def identity(dut: Any) -> None:
    """Constants; what is read only stays; partial writes and other offsets do nothing."""
    bench = Bench(dut)
    await bench.start()
    constants = {"MAGIC": "magic", "VERSION": "version", "CONFIG_HASH": "hash"}
    for register, key in constants.items():
        assert await bench.read(register) == bench.stimuli[key]
        await bench.write(register, 0xFFFFFFFF)
        assert await bench.read(register) == bench.stimuli[key]
    await bench.master.write(bench.at["IRQ_ENABLE"], b"\x03")  # one byte of four
    assert await bench.read("IRQ_ENABLE") == 0
    await bench.write("IRQ_ENABLE", 0xFFFFFFFF)
    assert await bench.read("IRQ_ENABLE") == 3
    known = set(bench.at.values()) | {bench.at[name] + 4 for name in ("CYCLES", *TOTALS)}
    for offset in set(range(0, 0x1000, 4)) - known - set(range(0x100, 0x200, 4)):
        if offset < 0x120 or bench.rng.random() < 0.02:
            await bench.master.write_dword(offset, 0xFFFFFFFF)
            assert await bench.master.read_dword(offset) == 0, f"offset {offset:#x}"
    assert await bench.read("IRQ_ENABLE") == 3
    assert await bench.read("ERRORS") == 0


@cocotb.test()
async def counters(dut: Any) -> None:
    """Every counter against the events of thousands of random cycles."""
    bench = Bench(dut)
    await bench.start()
    names = [name for name in bench.stimuli["events"] if name != "weights_error"]
    counted = dict.fromkeys(names, 0)
    before, ends = await bench.totals(), []
    for cycle in range(PLAYED):
        events = [name for name in names if bench.rng.random() < 0.1]
        bench.play(*events)
        for name in events:
            counted[name] += 1
        if "frame_out" in events:
            ends.append(cycle)
        await bench.cycles(1)
    bench.play()
    after = await bench.totals()
    assert after["CYCLES"] - before["CYCLES"] > PLAYED
    for register in TOTALS:
        assert after[register] == counted[register.removesuffix("_CYCLES").lower()], register
    for register, event in FRAMES.items():
        assert await bench.read(register) == counted[event] > 0, register
    assert await bench.read("FRAME_CYCLES") == ends[-1] - ends[-2]
    assert await bench.read("ERRORS") == 7


@cocotb.test()
async def one_moment(dut: Any) -> None:
    """Counters that run belong to the moment at which CYCLES was read."""
    bench = Bench(dut)
    await bench.start()
    bench.play("busy", "full", "empty", "blocked")
    found = [await bench.totals() for _ in range(20)]
    for totals in found:
        assert len({totals[name] for name in TOTALS}) == 1
    assert len({totals["CYCLES"] - totals["FULL_CYCLES"] for totals in found}) == 1
    assert found[0]["CYCLES"] < found[-1]["CYCLES"]


@cocotb.test()
async def errors_and_interrupt(dut: Any) -> None:
    """Flags stay until a 1 is written to them; the line follows those that are enabled."""
    bench = Bench(dut)
    await bench.start()
    for bit, event in enumerate(ERRORS):
        await bench.pulse(event)
        assert await bench.read("ERRORS") == 1 << bit
        await bench.write("ERRORS", 7 & ~(1 << bit))
        assert await bench.read("ERRORS") == 1 << bit
        await bench.write("ERRORS", 1 << bit)
        assert await bench.read("ERRORS") == 0
    assert await bench.read("IRQ_STATUS") == 2
    assert not await bench.irq()
    await bench.write("IRQ_ENABLE", 1)
    assert not await bench.irq()
    await bench.pulse("frame_out")
    assert await bench.read("IRQ_STATUS") == 3
    assert await bench.irq()
    await bench.write("IRQ_STATUS", 1)
    assert await bench.read("IRQ_STATUS") == 2
    assert not await bench.irq()
    await bench.write("IRQ_ENABLE", 2)
    assert await bench.irq()
    await bench.write("IRQ_STATUS", 2)
    assert not await bench.irq()
    bench.play("weights_error")
    assert await bench.read("ERRORS") == 8
    assert await bench.irq()
    await bench.write("ERRORS", 8)
    assert await bench.read("ERRORS") == 8  # cleared at the weight port
    bench.play()
    await bench.write("IRQ_STATUS", 2)
    assert await bench.read("ERRORS") == 0
    assert not await bench.irq()


@cocotb.test()
async def soft_reset(dut: Any) -> None:
    """Counters and errors begin again, what was enabled stays; the weight port waits for it."""
    bench = Bench(dut)
    await bench.start()
    await bench.write("IRQ_ENABLE", 3)
    bench.play(*(name for name in bench.stimuli["events"] if name != "weights_error"))
    await bench.cycles(20)
    await bench.write("CONTROL", 2)  # not the bit
    assert int(dut.core_rst_n.value)
    assert await bench.read("FRAMES_OUT") > 20
    await bench.write("CONTROL", 1)
    bench.play()
    assert await bench.read("STATUS") == 1
    assert not int(dut.core_rst_n.value)
    assert await bench.master.read_dword(bench.stimuli["weight_port"]) == 0
    assert int(dut.core_rst_n.value)
    assert await bench.read("STATUS") == 0
    for register in ("ERRORS", "IRQ_STATUS", "FRAME_CYCLES", *FRAMES, *TOTALS):
        assert await bench.read(register) == 0, register
    assert await bench.read("IRQ_ENABLE") == 3
    bench.play("busy")
    assert await bench.read("STATUS") == 2


@cocotb.test()
async def the_weight_port(dut: Any) -> None:
    """Reads and writes in its window reach it whole, at its offsets."""
    bench = Bench(dut)
    await bench.start()
    window, expected = bench.stimuli["weight_port"], {}
    for _ in range(60):
        offset = 4 * bench.rng.randrange(64)
        expected[offset] = bench.rng.getrandbits(32)
        await bench.master.write_dword(window + offset, expected[offset])
    for offset, value in expected.items():
        assert int.from_bytes(bench.memory.read(offset, 4), "little") == value
        assert await bench.master.read_dword(window + offset) == value
    await bench.master.write(window + 1, b"\x5a")  # the port is told which bytes
    assert bench.memory.read(1, 1) == b"\x5a"
