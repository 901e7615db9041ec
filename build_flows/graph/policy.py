# SPDX-License-Identifier: Apache-2.0
"""How the scales and offsets before a quantiser become integers.

Files of ours are snapped: every scale and offset is an integer of the kernel's widths to float32
precision, halves go up, and that is their reference. Of any other file the reference is what it
computes in float64; the integers are fitted so that they give the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from build_flows.graph.fit import Staircase, fit, fit_sum, on_grid
from host.common.arrays import IntArray
from host.common.errors import UserError

Integers = tuple[dict[str, Any], tuple[IntArray, ...]]  #: attributes and constants of a kernel


class OffGridError(Exception):
    """A layer is not snapped."""


class Policy(Protocol):
    """Makes the integers of requantisations."""

    same: float
    """Relative difference up to which two scales are one."""

    def integers(self, name: str, stairs: Sequence[Staircase]) -> Integers | None:
        """Of the requantisation before the quantiser ``name``, one staircase for each tensor.

        None where there are none that round as the file does.
        """


class Snapped:
    """The integers that the export snapped to; OffGridError where it did not."""

    same = 1e-5

    def integers(self, name: str, stairs: Sequence[Staircase]) -> Integers:
        if len(stairs) > 1:
            raise OffGridError
        try:
            params, near = on_grid(stairs[0].multiplier, stairs[0].offset)
        except UserError as error:
            raise OffGridError from error
        if not near:
            raise OffGridError
        return {"shift": params.shift}, (params.scale, params.bias)


class Fitted:
    """The narrowest integers that give what the file gives for every accumulator."""

    same = 0.0

    def __init__(self) -> None:
        self.layers: list[dict[str, Any]] = []  #: one row a requantisation

    def integers(self, name: str, stairs: Sequence[Staircase]) -> Integers | None:
        if len(stairs) > 1:
            return self._sum(name, stairs)
        found = fit(stairs[0])
        if found.wrong:
            return None
        self._note(name, found.scale_bits, found.ties_even)
        attributes = _attributes(found.params.shift, found.scale_bits, found.ties_even)
        return attributes, (found.params.scale, found.params.bias)

    def _sum(self, name: str, stairs: Sequence[Staircase]) -> Integers | None:
        found = fit_sum(stairs)
        if found.wrong:
            return None
        self._note(name, found.scale_bits, found.ties_even)
        attributes = _attributes(found.shift, found.scale_bits, found.ties_even)
        return attributes, (*found.scales, found.bias)

    def _note(self, name: str, scale_bits: int, ties_even: bool) -> None:
        self.layers.append({"layer": name, "scale_bits": scale_bits, "ties_even": ties_even})


def _attributes(shift: int, scale_bits: int, ties_even: bool) -> dict[str, Any]:
    return {"shift": shift, "scaleBits": scale_bits, "tiesEven": int(ties_even)}
