# SPDX-License-Identifier: Apache-2.0
"""The signals of an AXI4-Lite port of 32 bits, once for all that declare or connect one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DATA_BITS = 32


@dataclass(frozen=True)
class Signal:
    """One signal, named without the prefix of its port."""

    name: str
    direction: Literal["input", "output"]
    """At the side that is written and read."""
    bits: int

    @property
    def range(self) -> str:
        """``[7:0] `` for Verilog, nothing for a single bit."""
        return f"[{self.bits - 1}:0] " if self.bits > 1 else ""


def signals(address_bits: int) -> tuple[Signal, ...]:
    """All signals of a port with addresses of so many bits."""
    return (
        Signal("awaddr", "input", address_bits), Signal("awvalid", "input", 1),
        Signal("awready", "output", 1), Signal("wdata", "input", DATA_BITS),
        Signal("wstrb", "input", DATA_BITS // 8), Signal("wvalid", "input", 1),
        Signal("wready", "output", 1), Signal("bresp", "output", 2),
        Signal("bvalid", "output", 1), Signal("bready", "input", 1),
        Signal("araddr", "input", address_bits), Signal("arvalid", "input", 1),
        Signal("arready", "output", 1), Signal("rdata", "output", DATA_BITS),
        Signal("rresp", "output", 2), Signal("rvalid", "output", 1),
        Signal("rready", "input", 1),
    )  # fmt: skip
