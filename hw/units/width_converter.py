# SPDX-License-Identifier: Apache-2.0
"""FINN's width converter: the lanes of a stream in wider or narrower words."""

from __future__ import annotations

from functools import cache
from math import gcd, log2

import numpy as np

from hw.ops.unit import Resources, Sizes
from hw.units.finn import ORIGIN, FinnUnit


class WidthConverter(FinnUnit):
    """StreamingDataWidthConverter_rtl."""

    passes_on = True
    arranges = True
    cpp_kernel = "width_converter"

    @property
    def cycles(self) -> int:
        """A word a cycle on the side that has more; FINN says 0."""
        return max(self.inputs[0].words, self.outputs[0].words)

    def resources(self) -> Resources:
        return converter_resources(self.inputs[0].width, self.outputs[0].width)

    def cpp_sizes(self) -> Sizes:
        source, sink = self.inputs[0], self.outputs[0]
        lanes = int(np.prod(source.shape))
        return {"IN": source.lanes, "OUT": sink.lanes, "WIDTH": source.bits, "LANES": lanes}


@cache
def converter_resources(bits_in: int, bits_out: int) -> Resources:
    """A buffer of elements as wide as both ports divide; each lane in can go to several places.

    To wider words a lane is copied to all places. To narrower ones the lanes rotate before the
    buffer, which costs many times the bits they carry.
    """
    element = gcd(bits_in, bits_out)
    lanes, places = bits_in // element, (bits_in + bits_out) // element
    rotation = 1.75 * bits_in * log2(lanes) if lanes > 1 else bits_in + 2 * places
    return Resources(lut=15 + round(rotation), ff=8 + places + bits_in + bits_out, origin=ORIGIN)
