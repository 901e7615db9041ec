# SPDX-License-Identifier: Apache-2.0
"""How the contents of weight memories go over the port: slices, their order, their checksum.

A memory goes over the port in slices of 32 bits, word by word, the lowest bits of a word first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from host.board.registers import MAX_DEPTH, MAX_MEMORIES, SLICE_BITS, WORD_BITS
from host.common.arrays import U32Array
from host.common.errors import UserError


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
    """Slices in load order of a memory image of words of ``bits`` bits."""
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
