# SPDX-License-Identifier: Apache-2.0
"""What the driver needs of a device: registers, buffers, a channel to send and one to receive."""

from __future__ import annotations

from typing import Literal, Protocol

from host.common.arrays import Bytes, U32Array

Channel = Literal["send", "receive"]


class Device(Protocol):
    """An accelerator with its shell, and an AXI DMA engine with one transfer a channel at a time.

    Every method may raise DeviceError.
    """

    @property
    def name(self) -> str:
        """Two drivers may not use devices of the same name at once."""

    @property
    def where(self) -> str:
        """For people: what the device is."""

    def open(self) -> None:
        """Bring it to life; nothing else may be called before. UserError if that cannot be."""

    def read(self, offset: int) -> int:
        """Value of the 32-bit register at byte ``offset``."""

    def write(self, offset: int, value: int) -> None:
        """Set the register at ``offset``."""

    def read_many(self, offset: int, count: int) -> U32Array:
        """Read the same register ``count`` times."""

    def write_many(self, offset: int, values: U32Array) -> None:
        """Write ``values`` one by one to the same register."""

    def buffer(self, size: int) -> Bytes:
        """Memory that the DMA engine reaches, (size,) uint8; freed by ``close``."""

    def send(self, buffer: Bytes) -> None:
        """Begin to send a buffer as one packet; it must not change until the channel is idle."""

    def receive(self, buffer: Bytes) -> None:
        """Begin to receive one packet into a buffer."""

    def idle(self, channel: Channel) -> bool:
        """Whether the last transfer has ended; DeviceError if it has failed."""

    def received(self) -> int:
        """Bytes of the last packet; valid once the channel receive is idle."""

    def reset_dma(self) -> None:
        """End both transfers, whatever their state."""

    def time(self) -> float:
        """Seconds on the clock of the device, from any origin."""

    def pause(self) -> None:
        """Let a little of that time pass."""

    def close(self) -> None:
        """Give everything back; can be called twice, and without ``open``."""
