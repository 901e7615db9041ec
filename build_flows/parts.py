# SPDX-License-Identifier: Apache-2.0
"""What FPGA parts have: the table parts.toml, which users can extend."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path

import tomllib

from host.common.errors import UserError
from hw.ops.unit import OPERAND_BITS

PARTS = Path(__file__).with_name("parts.toml")
ABOUT = ("boards", "source")  #: of a row, for the reader


@dataclass(frozen=True, kw_only=True)
class Part:
    """Resources of a part."""

    lut: int
    ff: int
    dsp: int
    bram18: int
    uram: int
    operand_bits: int = OPERAND_BITS
    """Of the wider operand of a DSP's multiplier."""


@cache
def parts() -> dict[str, Part]:
    """Every row of PARTS by the beginning of the part's name; UserError if one lacks something."""
    found = {}
    needed = [f.name for f in fields(Part) if f.default is MISSING]
    for name, row in tomllib.loads(PARTS.read_text()).items():
        missing = [key for key in needed if not isinstance(row.get(key), int)]
        if missing:
            raise UserError(
                f"{name} in {PARTS.name} lacks {', '.join(missing)}; give whole numbers"
            )
        found[name] = Part(**{key: value for key, value in row.items() if key not in ABOUT})
    return found


def part_of(name: str) -> Part:
    """The part that Vivado spells ``name``; UserError for one that is not known."""
    for start, part in parts().items():
        if name.startswith(start):
            return part
    raise UserError(
        f"no budget for the part {name}; known are {', '.join(parts())}; add a row to "
        f"build_flows/{PARTS.name} for another with DSP48E2 or DSP48E1"
    )
