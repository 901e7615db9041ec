# SPDX-License-Identifier: Apache-2.0
"""The registers of a packaged accelerator: what hw/rtl/control_registers.sv defines.

For the overlay's settings.json, from which the driver has them, and for the tests.
"""

from __future__ import annotations

from hw.ops import weight_port

MODULE = "control_registers"
ADDRESS_BITS = 12  #: of the AXI4-Lite port
MAGIC = 0x4C4D4B53
VERSION = 1

REGISTERS = {
    "MAGIC": 0x00,
    "VERSION": 0x04,
    "CONFIG_HASH": 0x08,
    "CONTROL": 0x0C,
    "STATUS": 0x10,
    "ERRORS": 0x14,
    "IRQ_ENABLE": 0x18,
    "IRQ_STATUS": 0x1C,
    "FRAMES_IN": 0x20,
    "FRAMES_OUT": 0x24,
    "FRAMES_DROPPED": 0x28,
    "FRAME_CYCLES": 0x2C,
    "CYCLES": 0x40,
    "BUSY_CYCLES": 0x48,
    "FULL_CYCLES": 0x50,
    "EMPTY_CYCLES": 0x58,
    "BLOCKED_CYCLES": 0x60,
}
"""Byte offsets; the names in ``_CYCLES`` from CYCLES on are of 64 bits, the low half first."""
WEIGHT_PORT = 0x100  #: offset of the registers of weight_port
CONTROL_RESET = 1 << 0
STATUS_RESETTING = 1 << 0
STATUS_BUSY = 1 << 1
ERRORS = ("short frame", "long frame", "underrun", "weights")  #: bits of ERRORS from bit 0
IRQ_FRAME = 1 << 0
IRQ_ERROR = 1 << 1


def register_map() -> dict[str, int]:
    """Byte offset of every register; those of weight_port with the prefix ``WEIGHT_``."""
    port = {f"WEIGHT_{name}": WEIGHT_PORT + at for name, at in weight_port.REGISTERS.items()}
    return REGISTERS | port
