# SPDX-License-Identifier: Apache-2.0
"""What a design may take of a part: a share of each resource, less what the shell takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tomllib

from host.common.errors import UserError

RESOURCES = ("lut", "ff", "dsp", "bram18", "uram")
Cost = tuple[int, ...]  #: in the order of RESOURCES
PARTS = Path(__file__).with_name("parts.toml")  #: what each part has
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


@cache
def capacities() -> dict[str, Cost]:
    """What each part of PARTS has, in the order of RESOURCES; UserError if a row lacks some."""
    found = {}
    for name, row in tomllib.loads(PARTS.read_text()).items():
        missing = [resource for resource in RESOURCES if not isinstance(row.get(resource), int)]
        if missing:
            raise UserError(
                f"{name} in {PARTS.name} lacks {', '.join(missing)}; give whole numbers"
            )
        found[name] = tuple(row[resource] for resource in RESOURCES)
    return found


def budget_of(part: str, fill: str = BUILT_FILL) -> Budget:
    """What a design may take of ``part``; UserError for a part or fill that is not known."""
    if fill not in FILLS:
        raise UserError(f"no shares of a part are called {fill}; use {', '.join(FILLS)}")
    for name, capacity in capacities().items():
        if part.startswith(name):
            limits = tuple(int(n * s) for n, s in zip(capacity, FILLS[fill], strict=True))
            reserved = tuple(map(sum, zip(SHELL, SMALL_FIFOS, strict=True)))
            return Budget(limits, reserved)
    raise UserError(
        f"no budget for the part {part}; known are {', '.join(capacities())}; add a "
        f"row to build_flows/explore/{PARTS.name} for another with DSP48E2"
    )
