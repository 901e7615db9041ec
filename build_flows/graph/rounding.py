# SPDX-License-Identifier: Apache-2.0
"""How the scales and offsets before a quantiser become integers.

Files of ours are snapped: every scale and offset is an integer of the kernel's widths to float32
precision, halves go up, and that is their reference. Of any other file the reference is what it
computes in float64; the integers are fitted so that they give the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from build_flows.graph.fit import Staircase, fit, on_grid
from host.common.arrays import IntArray
from host.common.errors import UserError

Integers = tuple[dict[str, Any], tuple[IntArray, ...]]  #: attributes and constants of a kernel


class OffGridError(Exception):
    """A layer is not snapped."""


class Rounding(Protocol):
    """Makes the integers of requantisations."""

    same: float
    """Relative difference up to which two scales are one."""

    def integers(self, name: str, stairs: Sequence[Staircase]) -> Integers:
        """Of the requantisation before the quantiser ``name``, one staircase for each tensor."""


class Snapped:
    """The integers that the export snapped to; OffGridError where it did not."""

    same = 1e-5

    def __init__(self) -> None:
        self.noise = False  #: whether any layer was off by a rounding of float32

    def integers(self, name: str, stairs: Sequence[Staircase]) -> Integers:
        if len(stairs) > 1:
            raise OffGridError
        try:
            params, near, exact = on_grid(stairs[0].multiplier, stairs[0].offset)
        except UserError as error:
            raise OffGridError from error
        if not near:
            raise OffGridError
        self.noise |= not exact
        return {"shift": params.shift}, (params.scale, params.bias)


class Fitted:
    """The narrowest integers that give what the file gives for every accumulator."""

    same = 0.0

    def __init__(self) -> None:
        self.layers: list[dict[str, Any]] = []  #: one row a requantisation

    def integers(self, name: str, stairs: Sequence[Staircase]) -> Integers:
        if len(stairs) > 1:
            raise UserError(
                f"{name} takes a sum of branches whose scales differ; pass all branches through "
                "one quantiser: the same QuantIdentity or QuantReLU module"
            )
        found = fit(stairs[0])
        if found.wrong:
            raise UserError(
                f"{name}: no integers of the kernel's widths round as the file does, {found.wrong} "
                "accumulators give another code; choose another scale of this quantiser"
            )
        row = {"layer": name, "scale_bits": found.scale_bits, "ties_even": found.ties_even}
        self.layers.append(row)
        attributes = {
            "shift": found.params.shift,
            "scaleBits": found.scale_bits,
            "tiesEven": int(found.ties_even),
        }
        return attributes, (found.params.scale, found.params.bias)
