# SPDX-License-Identifier: Apache-2.0
"""The registers of a packaged accelerator, described once.

The driver takes its constants from here. ``python -m hw.registers`` writes from here what cannot
import Python: the SystemVerilog package, the header of the simulators and the tables of the docs.
"""

from __future__ import annotations

from dataclasses import dataclass

MAGIC = 0x4C4D4B53
VERSION = 1  #: of this map
SLICE_BITS = 32  #: of a weight that goes over the port at once
WORD_BITS = 20  #: of the word in WEIGHT_ADDRESS; the memory's index is above
MAX_MEMORIES = 1 << (32 - WORD_BITS)
MAX_DEPTH = 1 << WORD_BITS


@dataclass(frozen=True)
class Register:
    """A register of 32 bits, or of 64 with the low half first."""

    name: str
    offset: int
    """In bytes from the beginning of its block."""
    text: str
    """For people."""
    fields: tuple[str, ...] = ()
    """Names of its single bits, from bit 0."""
    bits: int = 32


@dataclass(frozen=True)
class Block:
    """Registers that one module has."""

    module: str
    prefix: str
    """Before the name of each register, for the driver."""
    offset: int
    """In bytes, in the address space of the accelerator."""
    address_bits: int
    """Of the module's AXI4-Lite port."""
    registers: tuple[Register, ...]


CONTROL_REGISTERS = Block(
    "control_registers", "", 0, 12,
    (
        Register("MAGIC", 0x00, f"`0x{MAGIC:08X}`, read only"),
        Register("VERSION", 0x04, f"of this map, {VERSION}; read only"),
        Register("CONFIG_HASH", 0x08, "of the design's sources, not of its weights; read only"),
        Register("CONTROL", 0x0C, "a 1 resets [gate](frame_gate.md), accelerator and counters for "
                 "31 cycles; weights stay in their memories, but must be started again",
                 ("reset",)),
        Register("STATUS", 0x10, "busy: frames are inside", ("resetting", "busy")),
        Register("ERRORS", 0x14, "stay until a 1 is written; weights is the error bit of "
                 "weight_port, cleared there",
                 ("short frame", "long frame", "underrun", "weights")),
        Register("IRQ_ENABLE", 0x18, "frame: one went out", ("frame", "error")),
        Register("IRQ_STATUS", 0x1C, "stay until a 1 is written; the interrupt is high while an "
                 "enabled one is set", ("frame", "error")),
        Register("FRAMES_IN", 0x20, "frames that went in, good or not"),
        Register("FRAMES_OUT", 0x24, "frames whose last word was taken"),
        Register("FRAMES_DROPPED", 0x28, "short and long ones"),
        Register("FRAME_CYCLES", 0x2C, "between the last words of the last two frames"),
        Register("CYCLES", 0x40, "since reset", bits=64),
        Register("BUSY_CYCLES", 0x48, "with frames inside", bits=64),
        Register("FULL_CYCLES", 0x50,
                 "a word waited to go in: the accelerator is the limit", bits=64),
        Register("EMPTY_CYCLES", 0x58, "the accelerator could take a word and there was none: "
                 "the host is the limit", bits=64),
        Register("BLOCKED_CYCLES", 0x60, "a word waited to go out", bits=64),
    ),
)  # fmt: skip

WEIGHT_PORT = Block(
    "weight_port", "WEIGHT_", 0x100, 8,
    (
        Register("CONTROL", 0x00, "run 1: the memories stream from word 0; 0: they offer nothing "
                 "and can be written and read", ("run",)),
        Register("STATUS", 0x04, "busy: packets are on the chain; running: run has come through "
                 "the whole chain; error: stays until a 1 is written to it",
                 ("busy", "running", "error")),
        Register("ADDRESS", 0x08, f"bits 31..{WORD_BITS} memory, {WORD_BITS - 1}..0 word: the "
                 "next slice is the lowest of that word"),
        Register("DATA", 0x0C, "a write gives the next slice to the memory, a read takes it from "
                 "there; both move on by one slice"),
        Register("CHECKSUM", 0x10,
                 "of all slices that a memory took or gave; any write clears it"),
        Register("MEMORIES", 0x14, "memories on the chain, read only"),
    ),
)  # fmt: skip

BLOCKS = (CONTROL_REGISTERS, WEIGHT_PORT)
OFFSETS = {
    block.prefix + register.name: block.offset + register.offset
    for block in BLOCKS
    for register in block.registers
}
"""Name -> byte offset, for the driver."""
_FIELDS = {
    block.prefix + register.name: register.fields
    for block in BLOCKS
    for register in block.registers
}
ERRORS = _FIELDS["ERRORS"]
"""Names of the bits of ERRORS, from bit 0."""


def bit(register: str, field: str) -> int:
    """Mask of a single bit; KeyError or ValueError if there is none."""
    return 1 << _FIELDS[register].index(field)


RESET = bit("CONTROL", "reset")
RESETTING = bit("STATUS", "resetting")
WEIGHTS_RUN = bit("WEIGHT_CONTROL", "run")
WEIGHTS_BUSY = bit("WEIGHT_STATUS", "busy")
WEIGHTS_RUNNING = bit("WEIGHT_STATUS", "running")
WEIGHTS_ERROR = bit("WEIGHT_STATUS", "error")
