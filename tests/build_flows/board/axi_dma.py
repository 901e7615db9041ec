# SPDX-License-Identifier: Apache-2.0
"""Registers of an AXI DMA engine in direct register mode, in front of the simulated shell.

After AMD's PG021: a channel is halted until its RS bit is set and some time has passed, a transfer
begins with the write of its length, a halted channel ignores that, the engine is idle when the
packet has passed, LENGTH then counts the bytes received, an error halts the channel until the
reset, which takes time and ends both. Runs with numpy alone, as on the board.
"""

from __future__ import annotations

import numpy as np

from host.board.device import Channel
from host.board.sim_device import SimDevice
from host.common.arrays import Bytes
from host.common.errors import DeviceError

BASES: dict[int, Channel] = {0x00: "send", 0x30: "receive"}
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET = 1 << 0, 1 << 2
HALTED, IDLE = 1 << 0, 1 << 1
INTERNAL_ERROR, SLAVE_ERROR, DECODE_ERROR = 1 << 4, 1 << 5, 1 << 6
COMPLETE_IRQ, ERROR_IRQ = 1 << 12, 1 << 14
AFTER_RESET = 0x00010002  #: of a control register
LENGTH_BITS = 26
PAGE = 4096  #: bytes
SLOW = 3  #: accesses until a reset has ended or a channel has started


class Memory:
    """Memory of the board: what the engine sees, apart from what lies in caches."""

    def __init__(self, base: int = 0x1000_0000, size: int = 1 << 20) -> None:
        self.base, self.content, self._next = base, np.zeros(size, np.uint8), 0

    def allocate(self, size: int) -> int:
        """Address of new memory, with a gap behind it."""
        address = self.base + self._next
        self._next += PAGE * (1 + -(-size // PAGE))
        return address

    def at(self, address: int, size: int) -> Bytes | None:
        """A view, None where there is no memory."""
        start = address - self.base
        return self.content[start : start + size] if 0 <= start < self._next else None


class DmaChannel:
    """One direction; ``offset`` counts from its own control register."""

    def __init__(self, name: Channel, device: SimDevice, memory: Memory) -> None:
        self.name, self.device, self.memory = name, device, memory
        self.fails_with = 0  #: error of the next transfer, for tests
        self.reset()

    def reset(self) -> None:
        """As after power-up: halted."""
        self._control, self._status, self._starting = AFTER_RESET, HALTED, 0
        self._address = self._length = 0
        self._target: tuple[int, Bytes] | None = None
        self._busy = False

    def read(self, offset: int) -> int:
        """A register, after what has happened meanwhile."""
        self._settle()
        values = {
            CONTROL: self._control, STATUS: self._status, LENGTH: self._length,
            ADDRESS: self._address & 0xFFFFFFFF, ADDRESS_HIGH: self._address >> 32,
        }  # fmt: skip
        return values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Set a register, bits that are cleared by ones in STATUS."""
        self._settle()
        if offset == CONTROL:
            self._control = value
            if value & RUN and self._status & HALTED and not self._errors:
                self._starting = SLOW
            elif not value & RUN and not self._busy:
                self._status |= HALTED
        elif offset == STATUS:
            self._status &= ~(value & (COMPLETE_IRQ | ERROR_IRQ))
        elif offset == ADDRESS:
            self._address = self._address >> 32 << 32 | value
        elif offset == ADDRESS_HIGH:
            self._address = value << 32 | self._address & 0xFFFFFFFF
        elif offset == LENGTH and not self._status & HALTED:
            self._begin(value & (1 << LENGTH_BITS) - 1)

    @property
    def _errors(self) -> int:
        return self._status & (INTERNAL_ERROR | SLAVE_ERROR | DECODE_ERROR)

    def _begin(self, length: int) -> None:
        assert not self._busy, f"LENGTH of {self.name} written in mid-transfer"
        place = self.memory.at(self._address, length)
        error = self.fails_with or (INTERNAL_ERROR if not length else 0)
        self.fails_with = 0
        if error or place is None:
            self._fail(error or DECODE_ERROR)
            return
        self._busy, self._length = True, length
        self._status &= ~IDLE
        if self.name == "send":
            self.device.send(place)
        else:
            self._target = (self._address, np.zeros(length, np.uint8))
            self.device.receive(self._target[1])

    def _settle(self) -> None:
        """What has come to its end since the last access."""
        if self._starting:
            self._starting -= 1
            if not self._starting:
                self._status &= ~HALTED
        if not self._busy:
            return
        try:
            done = self.device.idle(self.name)
        except DeviceError:  # a packet longer than its place
            self._fail(INTERNAL_ERROR)
            return
        if done:
            self._finish()

    def _finish(self) -> None:
        if self._target is not None:
            address, received = self._target
            self._length = self.device.received()
            place = self.memory.at(address, self._length)
            assert place is not None
            place[:] = received[: self._length]
        self._busy, self._target = False, None
        self._status |= IDLE | COMPLETE_IRQ
        if not self._control & RUN:
            self._status |= HALTED

    def _fail(self, error: int) -> None:
        self._busy, self._target = False, None
        self._status |= HALTED | ERROR_IRQ | error
        self._control &= ~RUN


class AxiDma:
    """Both channels; ``read`` and ``write`` are accesses by the processor, which take time."""

    def __init__(self, device: SimDevice, memory: Memory) -> None:
        self.device = device
        self.channels = {base: DmaChannel(name, device, memory) for base, name in BASES.items()}
        self._resetting = 0

    def channel(self, name: Channel) -> DmaChannel:
        """One of the two."""
        return next(channel for channel in self.channels.values() if channel.name == name)

    def read(self, offset: int) -> int:
        """A register of 32 bits at byte ``offset``."""
        self.device.time()  # lets time pass
        base = max(base for base in BASES if base <= offset)
        value = self.channels[base].read(offset - base)
        if offset - base == CONTROL and self._resetting:
            self._resetting -= 1
            return value | RESET
        return value

    def write(self, offset: int, value: int) -> None:
        """Set a register; nothing but a reset is taken while one goes on."""
        self.device.time()
        base = max(base for base in BASES if base <= offset)
        if offset - base == CONTROL and value & RESET:
            self._resetting = SLOW
            self.device.reset_dma()
            for channel in self.channels.values():
                channel.reset()
        elif not self._resetting:
            self.channels[base].write(offset - base, value)
