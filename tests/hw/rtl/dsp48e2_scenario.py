# SPDX-License-Identifier: Apache-2.0
"""cocotb: slices with random pins, compared with the tables after every edge."""

import random

import cocotb
from cocotb.triggers import Timer

from tests.hw.rtl.dsp48e2_tables import ALUMODES, ATTRIBUTES, ENABLES, OPMODES, RESETS, Slice

EDGES = 4_000
DATA = {"A": 30, "B": 18, "C": 48, "D": 27, "ACIN": 30, "BCIN": 18, "PCIN": 48}
MULTIPLIES = [mode for mode, names in OPMODES.items() if "M" in names]
PLAIN = [mode for mode, names in OPMODES.items() if "M" not in names]


def word(rng: random.Random, bits: int) -> int:
    """Random bits, or an end of the range of two's complement, or near zero."""
    ends = (0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1)
    return rng.choice(ends) if rng.random() < 0.25 else rng.getrandbits(bits)


def random_pins(rng: random.Random) -> dict[str, int]:
    pins = {name: word(rng, bits) for name, bits in DATA.items()}
    pins |= {name: int(rng.random() < 0.8) for name in ENABLES.values()}
    pins |= {name: int(rng.random() < 0.03) for name in RESETS.values()}
    mode = rng.randrange(32)
    return pins | {"INMODE": mode, "ALUMODE": rng.choice(ALUMODES), "CARRYIN": rng.randrange(2)}


@cocotb.test()
async def tables(dut):
    """Every legal OPMODE and ALUMODE comes up; all outputs equal the tables'."""
    rng = random.Random(cocotb.RANDOM_SEED)
    slices = [Slice(attributes) for attributes in ATTRIBUTES]
    seen = set()
    dut.CLK.value = 0
    for edge in range(EDGES):
        common = random_pins(rng)
        for index, one in enumerate(slices):
            modes = PLAIN if one.attributes["USE_MULT"] == "NONE" else PLAIN + 3 * MULTIPLIES
            pins = common | {"OPMODE": rng.choice(modes)}
            seen.add((pins["OPMODE"], pins["ALUMODE"]))
            getattr(dut, f"OPMODE_{index}").value = pins["OPMODE"]
            if index == 0:
                for name, value in common.items():
                    getattr(dut, name).value = value
            one.pins = pins
        await Timer(1, "ns")
        for index, one in enumerate(slices):
            for name, value in one.outputs(one.pins).items():
                found = int(getattr(dut, f"{name}_{index}").value)
                assert found == value, (
                    f"edge {edge}, slice {index}: {name} {found:x}, not {value:x}"
                )
            one.edge(one.pins)
        dut.CLK.value = 1
        await Timer(1, "ns")
        dut.CLK.value = 0
    assert len(seen) == len(OPMODES) * len(ALUMODES)
