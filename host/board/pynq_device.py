# SPDX-License-Identifier: Apache-2.0
"""The accelerator on the board: a thin adapter over pynq, from 3.0.1 on."""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from host.board.device import Channel
from host.board.overlay import SOURCE_CLK_MHZ
from host.common.arrays import Bytes, U32Array
from host.common.errors import DeviceError, UserError

log = logging.getLogger(__name__)

ACCELERATOR = "landmarks_0"
DMA = "axi_dma_0"
"""Names of the two in the block design."""
DMA_RESET = 1 << 2  #: bit of the control register at 0 of the DMA engine; resets both channels
DMA_CONTROL = {"send": 0x00, "receive": 0x30}
DMA_STATUS = {"send": 0x04, "receive": 0x34}
DMA_RUN = 1 << 0  #: bit of the control register of a channel
DMA_HALTED = 1 << 0  #: bit of its status register
CHANNELS = {"send": "sendchannel", "receive": "recvchannel"}  #: their names in pynq
OLDEST = (3, 0, 1)  #: version of pynq
NUMPY_2 = (3, 1, 0)  #: version of pynq whose buffers numpy 2 takes
RESET_LIMIT_S = 0.1
PAUSE_S = 20e-6

KEPT: list[object] = []
"""Buffers that an engine which cannot be stopped may still write into."""
CLOCK_TOLERANCE = 0.01


def require_pynq() -> Any:
    """Import pynq; UserError where it is missing, too old, or too old for this numpy."""
    try:
        import pynq
    except ImportError as error:
        raise UserError(
            f"the backend fpga runs on a KV260 with pynq, which cannot be imported here ({error}); "
            "use --backend cpu or sim, or see docs/board.md"
        ) from error
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", pynq.__version__)
    numbers = tuple(map(int, found.groups())) if found else (0,)
    if numbers < OLDEST:
        raise UserError(
            f"pynq {pynq.__version__} is not known to this driver; it needs "
            f"{'.'.join(map(str, OLDEST))} or later, see docs/board.md"
        )
    if numbers < NUMPY_2 and not np.__version__.startswith("1."):
        raise UserError(
            f"pynq {pynq.__version__} has no buffers with numpy {np.__version__}; install numpy "
            "1.26: python -m pip install -r requirements-board.txt, see docs/board.md"
        )
    return pynq


class PynqDevice:
    """The overlay of a .bit file with its .hwh; see host.board.device.Device."""

    name = "kv260"

    def __init__(self, bitstream: Path) -> None:
        """Describe the device by its bitstream."""
        self.where = f"KV260 with {bitstream}"
        self._bitstream = bitstream
        self._buffers: list[Any] = []
        self._moves = False  # whether a transfer may be under way

    def open(self) -> None:
        """Load the bitstream, with the clock from which it makes its own.

        Raises:
            UserError: pynq is missing, too old, or too old for this numpy.
            DeviceError: the bitstream cannot be loaded, or is another design.
        """
        pynq = require_pynq()
        try:
            overlay = pynq.Overlay(str(self._bitstream))
            if not near(pynq.Clocks, SOURCE_CLK_MHZ):
                set_clock(pynq.Clocks, SOURCE_CLK_MHZ)
                # The MMCM has seen another clock, and only the configuration resets it.
                pynq.Bitstream.download(overlay, overlay.parser)
        except (RuntimeError, OSError, ValueError, KeyError, AttributeError) as error:
            raise DeviceError(
                f"pynq {pynq.__version__} cannot load {self._bitstream}: {error}; run as root, "
                "see docs/board.md"
            ) from error
        missing = [name for name in (ACCELERATOR, DMA) if name not in overlay.ip_dict]
        if missing:
            raise DeviceError(
                f"{self._bitstream} has no {' and no '.join(missing)}; it has "
                f"{', '.join(sorted(overlay.ip_dict)) or 'no IP at all'}"
            )
        self._allocate = pynq.allocate
        self._registers = getattr(overlay, ACCELERATOR).mmio
        self._dma = getattr(overlay, DMA)
        self._channels = {name: self._channel(at) for name, at in CHANNELS.items()}

    def read(self, offset: int) -> int:
        """Value of the 32-bit register at byte ``offset``."""
        return int(self._registers.read(offset))

    def write(self, offset: int, value: int) -> None:
        """Set the register at ``offset``."""
        self._registers.write(offset, int(value))

    def read_many(self, offset: int, count: int) -> U32Array:
        """Read the same register ``count`` times."""
        read = self._registers.read
        return np.array([read(offset) for _ in range(count)], np.uint32)

    def write_many(self, offset: int, values: U32Array) -> None:
        """Write ``values`` one by one to the same register."""
        write = self._registers.write
        for value in values.tolist():
            write(offset, value)

    def buffer(self, size: int) -> Bytes:
        """Physically contiguous memory of ``size`` bytes. DeviceError if there is none."""
        try:
            buffer = self._allocate((size,), np.uint8)
        except (RuntimeError, MemoryError, AttributeError) as error:
            raise DeviceError(
                f"no contiguous memory of {size} bytes: {error}; end other programs, or restart "
                "the board"
            ) from error
        self._buffers.append(buffer)
        return buffer  # type: ignore[no-any-return]

    def send(self, buffer: Bytes) -> None:
        """Begin to send a buffer as one packet."""
        self._begin("send", buffer)

    def receive(self, buffer: Bytes) -> None:
        """Begin to receive one packet into a buffer."""
        self._begin("receive", buffer)

    def idle(self, channel: Channel) -> bool:
        """Whether the last transfer has ended; DeviceError if it has failed."""
        engine = self._channels[channel]
        if engine.error or not engine.running:
            status = self._dma.mmio.read(DMA_STATUS[channel])
            raise DeviceError(f"DMA error on the channel {channel}: status {status:#x}")
        if not engine.idle:
            return False
        engine.wait()  # at its end already: makes the buffer readable and counts its bytes
        return True

    def received(self) -> int:
        """Bytes of the last packet."""
        return int(self._channels["receive"].transferred)

    def reset_dma(self) -> None:
        """Reset the DMA engine and start both channels."""
        mmio = self._dma.mmio
        mmio.write(0, DMA_RESET)
        self._until(0, DMA_RESET, "the DMA engine is not out of its reset")
        for name, engine in self._channels.items():
            mmio.write(DMA_CONTROL[name], DMA_RUN)
            self._until(DMA_STATUS[name], DMA_HALTED, f"the channel {name} does not start")
            engine.start()  # waits without limit for what has come already
        self._moves = False

    def time(self) -> float:
        """Seconds."""
        return time.monotonic()

    def pause(self) -> None:
        """Sleep for some microseconds."""
        time.sleep(PAUSE_S)

    def close(self) -> None:
        """Free the buffers, unless the engine may still write; the bitstream stays in the part."""
        if self._moves:
            log.warning("the DMA engine could not be stopped: its memory is kept until the end")
            KEPT.extend(self._buffers)
            self._buffers.clear()
        while self._buffers:
            self._buffers.pop().freebuffer()

    def _channel(self, attribute: str) -> Any:
        try:
            return getattr(self._dma, attribute)
        except AttributeError as error:
            raise DeviceError(
                f"the {DMA} of {self._bitstream} has no {attribute}: its .hwh is of another "
                "design; copy the overlay again"
            ) from error

    def _until(self, offset: int, bit: int, what: str) -> None:
        """Wait until a bit of a register of the DMA engine is 0."""
        end = time.monotonic() + RESET_LIMIT_S
        while self._dma.mmio.read(offset) & bit:
            if time.monotonic() > end:
                raise DeviceError(f"{what} after {RESET_LIMIT_S:g} s; restart the board")

    def _begin(self, channel: Channel, buffer: Bytes) -> None:
        self._moves = True
        try:
            self._channels[channel].transfer(buffer)
        except RuntimeError as error:
            raise DeviceError(f"the channel {channel} takes no transfer: {error}") from error


def near(clocks: Any, clk_mhz: float) -> bool:
    """Whether the clock that the fabric gets is at most one per cent off; ``clocks`` is pynq's."""
    return abs(float(clocks.fclk0_mhz) - clk_mhz) <= CLOCK_TOLERANCE * clk_mhz


def set_clock(clocks: Any, clk_mhz: float) -> None:
    """Set the clock that the fabric gets and read it back; ``clocks`` is pynq's Clocks.

    Raises DeviceError if it is more than one per cent off. The driver measures what comes of it.
    """
    clocks.fclk0_mhz = clk_mhz
    if not near(clocks, clk_mhz):
        raise DeviceError(
            f"the clock of the fabric is {float(clocks.fclk0_mhz):g} MHz after it was set to "
            f"{clk_mhz:g} MHz; restart the board"
        )
