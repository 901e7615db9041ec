# SPDX-License-Identifier: Apache-2.0
"""The port through which all weight memories are written: registers, load order, checksum.

What hw/rtl/weight_port.sv defines, for the build flow, the driver and the tests. A memory goes over
the port in slices of 32 bits, word by word, the lowest bits of a word first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from host.common.errors import UserError
from hw.ops.base import Resources

MODULE = "weight_port"
SOURCES = ("stream_fork", MODULE)  #: modules of hw/rtl, in order
ADDRESS_BITS = 8  #: of the AXI4-Lite port
CHAIN_BITS = 37  #: of a net from one memory to the next

REGISTERS = {
    "CONTROL": 0x00,
    "STATUS": 0x04,
    "ADDRESS": 0x08,
    "DATA": 0x0C,
    "CHECKSUM": 0x10,
    "MEMORIES": 0x14,
}
"""Byte offsets."""
CONTROL_RUN = 1 << 0
STATUS_BUSY = 1 << 0
STATUS_RUNNING = 1 << 1
STATUS_ERROR = 1 << 2  #: cleared by writing it

SLICE_BITS = 32
WORD_BITS = 20  #: of the word in ADDRESS; the memory's index is above
MAX_MEMORIES = 1 << (32 - WORD_BITS)
MAX_DEPTH = 1 << WORD_BITS

U32Array = npt.NDArray[np.uint32]


def address(memory: int, word: int = 0) -> int:
    """Value of ADDRESS for the first slice of ``word`` of a memory; UserError out of range."""
    if not 0 <= memory < MAX_MEMORIES:
        raise UserError(f"memory {memory} is not on a chain; use 0..{MAX_MEMORIES - 1}")
    if not 0 <= word < MAX_DEPTH:
        raise UserError(f"word {word} of memory {memory} is not in 0..{MAX_DEPTH - 1}")
    return memory << WORD_BITS | word


def slices_per_word(bits: int) -> int:
    """Slices of a word of ``bits`` bits."""
    return -(-bits // SLICE_BITS)


def to_slices(bits: int, words: Sequence[int]) -> U32Array:
    """Slices in load order of a memory image as ``KernelOp.rtl_memories`` gives it."""
    size = 4 * slices_per_word(bits)
    raw = b"".join(word.to_bytes(size, "little") for word in words)
    return np.frombuffer(raw, "<u4").astype(np.uint32)


def from_slices(bits: int, slices: U32Array) -> list[int]:
    """Words of ``bits`` bits from their slices; the inverse of :func:`to_slices`."""
    size = 4 * slices_per_word(bits)
    raw = slices.astype("<u4").tobytes()
    if len(raw) % size:
        raise UserError(
            f"{len(slices)} slices are no whole words of {bits} bits; "
            f"give a multiple of {size // 4} slices"
        )
    return [int.from_bytes(raw[i : i + size], "little") for i in range(0, len(raw), size)]


def checksum(slices: Iterable[int], start: int = 0) -> int:
    """CHECKSUM after ``slices``, from ``start``: rotated left by one and added, 32 bits."""
    total = start
    for value in slices:
        total = ((total << 1 | total >> 31) + int(value)) & 0xFFFFFFFF
    return total


def resources() -> Resources:
    """Cost of the port."""
    return Resources(lut=240, ff=294)
