# SPDX-License-Identifier: Apache-2.0
"""The driver on pynq's own DMA driver, buffers and registers; a program for pynq's environment.

``python on_pynq.py SIMULATOR OVERLAY SCENARIO``. Below pynq stands what the board has there: memory
behind caches, and at the addresses of the block design the accelerator's shell in Verilator and an
engine after PG021 (axi_dma.py). pynq's Overlay and Clocks need a bitstream and the processor's own
registers; they alone are stand-ins.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pynq
from pynq.buffer import PynqBuffer
from pynq.lib.dma import DMA
from pynq.pl_server import Device as PynqBase

from host.backends.fpga import FpgaBackend
from host.board.overlay import read_overlay
from host.board.pynq_device import PynqDevice
from host.board.sim_device import SimDevice
from host.common.errors import DeviceError
from tests.build_flows.board import arithmetic
from tests.build_flows.board.axi_dma import (
    ERROR_IRQ,
    HALTED,
    INTERNAL_ERROR,
    SLAVE_ERROR,
    AxiDma,
    Memory,
)

ACCELERATOR_AT, DMA_AT, RANGE = 0xA000_0000, 0xA001_0000, 0x1_0000
DELAY = (0, 3_000)  #: cycles that pass before each access; 3,000 are 12 us
PARAMETERS = {
    "c_include_mm2s": "1", "c_include_s2mm": "1", "c_include_sg": "0", "c_sg_length_width": "26",
    "c_m_axi_mm2s_data_width": "64", "c_m_axi_s2mm_data_width": "64", "c_include_mm2s_dre": "0",
    "c_include_s2mm_dre": "0", "c_micro_dma": "0",
}  # fmt: skip


class Board(PynqBase):  # type: ignore[misc]
    """What pynq calls a device: registers by their address, memory that buffers are made in."""

    def __init__(self, simulator: SimDevice) -> None:
        super().__init__("simulated")
        self.simulator, self.memory, self.default_memory = simulator, Memory(), self
        self.engine = AxiDma(simulator, self.memory)
        self.capabilities = {"REGISTER_RW": True}
        self.buffers: dict[int, Any] = {}

    def has_capability(self, name: str) -> bool:
        """Whether pynq may use something."""
        return bool(self.capabilities.get(name))

    def read_registers(self, address: int, length: int) -> bytes:
        """A register of 32 bits."""
        assert length == 4
        target, offset = self._at(address)
        return int(target.read(offset)).to_bytes(4, "little")

    def write_registers(self, address: int, data: bytes) -> None:
        """Registers of 32 bits in a row."""
        target, offset = self._at(address)
        for at in range(0, len(data), 4):
            target.write(offset + at, int.from_bytes(bytes(data[at : at + 4]), "little"))

    def allocate(self, shape: Any, dtype: Any, **_: Any) -> Any:
        """A buffer that lies in a cache; ``flush`` and ``invalidate`` copy it."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        address = self.memory.allocate(size)
        buffer = PynqBuffer(
            shape, dtype, buffer=bytearray(size), bo=address, device=self, device_address=address,
            coherent=False,
        )  # fmt: skip
        buffer.memory, buffer.pointer, buffer.return_to = self, address, self
        self.buffers[address] = buffer
        return buffer

    def return_pointer(self, address: int) -> None:
        """A buffer is freed."""
        self.buffers.pop(address).freed = True

    def flush(self, bo: int, offset: int, pointer: int, size: int) -> None:
        """From the cache to memory."""
        self._place(bo + offset, size)[:] = _cache(pointer, size)

    def invalidate(self, bo: int, offset: int, pointer: int, size: int) -> None:
        """From memory to the cache."""
        _cache(pointer, size)[:] = self._place(bo + offset, size)

    def _place(self, address: int, size: int) -> Any:
        place = self.memory.at(address, size)
        assert place is not None
        return place

    def _at(self, address: int) -> tuple[Any, int]:
        if address >= DMA_AT:
            return self.engine, address - DMA_AT
        return self.simulator, address - ACCELERATOR_AT


def _cache(pointer: int, size: int) -> Any:
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(pointer))


class TimedDevice(PynqDevice):
    """The driver's adapter with the time of the simulation."""

    def __init__(self, simulator: SimDevice) -> None:
        super().__init__(Path("landmarks.bit"))
        self.time, self.pause = simulator.time, simulator.pause  # type: ignore[method-assign]


class Setup:
    """The driver, opened on the board."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.simulator = SimDevice(program, delay=DELAY, delay_seed=8, stall_seed=3)
        self.simulator.open()
        self.board = Board(self.simulator)
        PynqBase.active_device = self.board
        described = {"device": self.board, "addr_range": RANGE, "interrupts": {}, "gpio": {}}
        dma = {**described, "phys_addr": DMA_AT, "parameters": PARAMETERS}
        overlay = SimpleNamespace(
            ip_dict={"landmarks_0": {}, "axi_dma_0": {}},
            axi_dma_0=DMA(dma),
            landmarks_0=pynq.DefaultIP({**described, "phys_addr": ACCELERATOR_AT}),
        )
        pynq.Overlay, pynq.Clocks = lambda path: overlay, SimpleNamespace(fclk0_mhz=100.0)
        self.backend = FpgaBackend(read_overlay(folder), TimedDevice(self.simulator), 1e-2)

    def exact(self, count: int = 3, seed: int = 9) -> None:
        """Frames give the right integers."""
        images = arithmetic.frames(count, seed)
        np.testing.assert_array_equal(self.backend.run(images), arithmetic.golden(images))

    def failing(self, text: str) -> str:
        """Frames end with this error, which is returned; the ones after it are exact."""
        found = error_of(lambda: self.backend.run(arithmetic.frames(3, 4)))
        check(found, text)
        self.exact()
        return found

    def failing_engine(self, channel: str, bits: int) -> None:
        """The same; the error tells the status of a channel, which has these bits."""
        found = self.failing(f"DMA error on the channel {channel}: status 0x[0-9a-f]+$")
        status = int(found.split()[-1], 16)
        assert status & bits == bits, found


def error_of(action: Callable[[], object]) -> str:
    """What a DeviceError of ``action`` says; empty if there is none."""
    try:
        action()
    except DeviceError as error:
        return str(error)
    return ""


def check(found: str, text: str) -> None:
    """AssertionError unless ``text`` is found."""
    assert re.search(text, found), f"{found!r}, not {text!r}"


def frames(setup: Setup) -> None:
    """Twenty frames, several under way; all buffers are given back at the end."""
    setup.exact(20)
    assert setup.board.buffers
    setup.backend.close()
    assert not setup.board.buffers


def lost_end_of_frame(setup: Setup) -> None:
    """TLAST of an input is lost: the next frame is a part of it."""
    setup.simulator.lose_tlast("send")
    setup.failing("the accelerator reports long frame|no result within")


def lost_end_of_result(setup: Setup) -> None:
    """TLAST of a result is lost: the engine waits for it, and what comes next is too much."""
    setup.simulator.lose_tlast("receive")
    setup.failing_engine("receive", ERROR | INTERNAL_ERROR)


def errors_of_the_engine(setup: Setup) -> None:
    """Memory that does not answer, in either direction."""
    for name in ("send", "receive"):
        setup.board.engine.channel(name).fails_with = SLAVE_ERROR
        setup.failing_engine(name, ERROR | SLAVE_ERROR)


def reset_in_mid_frame(setup: Setup) -> None:
    """Frames under way are lost, those after it are exact; ten times at random moments."""
    for seed in range(10):
        tickets = [setup.backend.submit(image) for image in arithmetic.frames(3, seed)]
        setup.backend.recover()
        for ticket in tickets:
            check(error_of(partial(setup.backend.collect, ticket)), f"frame {ticket} is lost")
        setup.exact(2, seed)


ERROR = HALTED | ERROR_IRQ
SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        frames, lost_end_of_frame, lost_end_of_result, errors_of_the_engine, reset_in_mid_frame,
    )
}  # fmt: skip

if __name__ == "__main__":
    setup = Setup(Path(sys.argv[1]), Path(sys.argv[2]))
    SCENARIOS[sys.argv[3]](setup)
    setup.backend.close()
    setup.simulator.close()
    print(pynq.__version__)
