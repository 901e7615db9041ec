# SPDX-License-Identifier: Apache-2.0
"""What a design may take of a part: a share of each resource, less what the shell takes."""

from __future__ import annotations

from dataclasses import dataclass

from build_flows.parts import part_of
from host.common.errors import UserError

RESOURCES = ("lut", "ff", "dsp", "bram18", "uram")
Cost = tuple[int, ...]  #: in the order of RESOURCES
BUILT_FILL = "full"  #: of FILLS, which the shipped foldings keep to
FILLS = {"full": (0.85, 0.60, 0.95, 0.95, 1.0), "guideline": (0.70, 0.50, 0.80, 0.80, 0.80)}
"""Shares of each resource that a design may take. "guideline" has those of AMD's UltraFast design
methodology, above which report_failfast of Vivado warns (UG1292)."""
SHELL: Cost = (12_000, 8_000, 0, 20, 0)
SMALL_FIFOS: Cost = (6_000, 6_000, 0, 20, 0)  #: those that measurement may add to the expected


@dataclass(frozen=True)
class Budget:
    """Resources of a part that a design may take, and what else than its units takes of them."""

    limits: Cost
    """Most of each resource, in the order of RESOURCES."""
    reserved: Cost
    """Of that, for the shell and the small FIFOs."""


def budget_of(part: str, fill: str = BUILT_FILL) -> Budget:
    """What a design may take of ``part``; UserError for a part or fill that is not known."""
    limits = tuple(int(n * s) for n, s in zip(capacity_of(part), shares_of(fill), strict=True))
    return Budget(limits, tuple(map(sum, zip(SHELL, SMALL_FIFOS, strict=True))))


def shares_of(fill: str) -> tuple[float, ...]:
    """The row of FILLS that is called ``fill``; UserError if there is none."""
    if fill not in FILLS:
        raise UserError(f"no shares of a part are called {fill}; use {', '.join(FILLS)}")
    return FILLS[fill]


def capacity_of(part: str) -> Cost:
    """What ``part`` has; UserError if it is not known."""
    found = part_of(part)
    return tuple(getattr(found, resource) for resource in RESOURCES)
