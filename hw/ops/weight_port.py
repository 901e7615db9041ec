# SPDX-License-Identifier: Apache-2.0
"""The port through which all weight memories are written, as the build flow needs it.

Its registers are in host/board/registers.py, the way of the weights in host/board/weights.py.
"""

from __future__ import annotations

from hw.ops.unit import Resources

KERNEL = "weight_port"
CHAIN_BITS = 37  #: of a net from one memory to the next


def resources() -> Resources:
    """Cost of the port."""
    return Resources(lut=240, ff=294)
