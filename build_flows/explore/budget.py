# SPDX-License-Identifier: Apache-2.0
"""What a design may take of a part: a share of each resource, less what the shell takes."""

from __future__ import annotations

from dataclasses import dataclass

from host.common.errors import UserError

RESOURCES = ("lut", "ff", "dsp", "bram18", "uram")
Cost = tuple[int, ...]  #: in the order of RESOURCES
CAPACITY = {"xck26": (117_120, 234_240, 1_248, 288, 64)}  #: of a part, in the order of RESOURCES
ALLOWED = (0.85, 0.60, 0.95, 0.95, 1.0)  #: share of each that a design may take
SHELL: Cost = (12_000, 8_000, 0, 20, 0)
SMALL_FIFOS: Cost = (6_000, 6_000, 0, 20, 0)  #: those that measurement may add to the expected


@dataclass(frozen=True)
class Budget:
    """Resources of a part that a design may take, and what else than its units takes of them."""

    limits: Cost
    """Most of each resource, in the order of RESOURCES."""
    reserved: Cost
    """Of that, for the shell and the small FIFOs."""


def budget_of(part: str) -> Budget:
    """What a design may take of ``part``; UserError for a part that is not known."""
    for name, capacity in CAPACITY.items():
        if part.startswith(name):
            limits = tuple(int(n * s) for n, s in zip(capacity, ALLOWED, strict=True))
            reserved = tuple(map(sum, zip(SHELL, SMALL_FIFOS, strict=True)))
            return Budget(limits, reserved)
    raise UserError(f"no budget for the part {part}; known are {', '.join(CAPACITY)}")
