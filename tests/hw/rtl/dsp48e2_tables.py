# SPDX-License-Identifier: Apache-2.0
"""The DSP48E2 by the tables of UG579, one clock edge at a time; what dsp48e2.sv is held against."""

from __future__ import annotations

from dataclasses import dataclass, field

RND = 0x0123_4567_89AB
ONES = (1 << 48) - 1

ATTRIBUTES: tuple[dict[str, int | str], ...] = (
    {"AMULTSEL": "AD"},
    {"AMULTSEL": "AD", "AREG": 2, "BREG": 2, "ACASCREG": 1, "BCASCREG": 2},
    {"BMULTSEL": "AD", "PREADDINSEL": "B", "AREG": 2, "ACASCREG": 2},
    {"USE_MULT": "NONE", "MREG": 0, "AREG": 2, "ACASCREG": 2},
    {"A_INPUT": "CASCADE", "B_INPUT": "CASCADE", "OPMODEREG": 0},
    {
        "AMULTSEL": "AD", "AREG": 0, "ACASCREG": 0, "BREG": 0, "BCASCREG": 0, "DREG": 0, "CREG": 0,
        "INMODEREG": 0, "ALUMODEREG": 0, "CARRYINREG": 0, "ADREG": 0,
    },
)  # fmt: skip
"""Of each slice of the bench, where they differ from the primitive's defaults."""

DEFAULTS: dict[str, int | str] = {
    "AMULTSEL": "A", "BMULTSEL": "B", "PREADDINSEL": "A", "A_INPUT": "DIRECT",
    "B_INPUT": "DIRECT", "USE_MULT": "MULTIPLY", "AREG": 1, "ACASCREG": 1, "BREG": 1,
    "BCASCREG": 1, "ADREG": 1, "DREG": 1, "CREG": 1, "MREG": 1, "PREG": 1, "OPMODEREG": 1,
    "ALUMODEREG": 1, "INMODEREG": 1, "CARRYINREG": 1,
}  # fmt: skip

# clock enable and reset of each register
ENABLES = {
    "a1": "CEA1", "a2": "CEA2", "b1": "CEB1", "b2": "CEB2", "c": "CEC", "d": "CED", "ad": "CEAD",
    "m": "CEM", "p": "CEP", "opmode": "CECTRL", "alumode": "CEALUMODE", "inmode": "CEINMODE",
    "carryin": "CECARRYIN",
}  # fmt: skip
RESETS = {
    "a1": "RSTA", "a2": "RSTA", "b1": "RSTB", "b2": "RSTB", "c": "RSTC", "d": "RSTD", "ad": "RSTD",
    "m": "RSTM", "p": "RSTP", "opmode": "RSTCTRL", "alumode": "RSTALUMODE",
    "inmode": "RSTINMODE", "carryin": "RSTALLCARRYIN",
}  # fmt: skip

# UG579, tables of the OPMODE bits: legal W, X and Y, Z selections by name
W = {"0": 0b00, "P": 0b01, "RND": 0b10, "C": 0b11}
XY = {("0", "0"): 0b0000, ("M", "M"): 0b0101, ("P", "0"): 0b0010, ("A:B", "0"): 0b0011,
      ("0", "ONES"): 0b1000, ("0", "C"): 0b1100, ("P", "C"): 0b1110, ("A:B", "C"): 0b1111,
      ("P", "ONES"): 0b1010, ("A:B", "ONES"): 0b1011}  # fmt: skip
Z = {"0": 0b000, "PCIN": 0b001, "P": 0b010, "C": 0b011, "PCIN>>17": 0b101, "P>>17": 0b110}
OPMODES = {
    w << 7 | z << 4 | xy: (wn, *xyn, zn)
    for wn, w in W.items()
    for xyn, xy in XY.items()
    for zn, z in Z.items()
}
ALUMODES = (0b0000, 0b0001, 0b0010, 0b0011)


def signed(value: int, bits: int) -> int:
    """The lowest ``bits`` bits as two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def alu(alumode: int, z: int, others: int) -> int:
    """UG579, table of the ALUMODE bits; ``others`` is W + X + Y + CIN."""
    result = {
        0b0000: z + others,
        0b0011: z - others,
        0b0001: -z + others - 1,
        0b0010: -z - others - 1,
    }
    return result[alumode] & ONES


@dataclass
class Slice:
    """State of one DSP48E2; a register that is absent is a wire."""

    attributes: dict[str, int | str]
    state: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ENABLES, 0))

    def __post_init__(self) -> None:
        self.attributes = DEFAULTS | self.attributes

    def has(self, register: str) -> bool:
        """Whether the register exists."""
        number = {"a1": "AREG", "a2": "AREG", "b1": "BREG", "b2": "BREG", "opmode": "OPMODEREG"}
        count = int(self.attributes[number.get(register, f"{register.upper()}REG")])
        return count == 2 if register in ("a1", "b1") else count >= 1

    def values(self, pins: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
        """What goes into each register and what comes out of it, for values of the pins."""
        into: dict[str, int] = {}
        out: dict[str, int] = {}

        def pass_on(register: str, value: int) -> int:
            into[register] = value
            out[register] = self.state[register] if self.has(register) else value
            return out[register]

        cascade = self.attributes
        for side, bits in (("a", 30), ("b", 18)):
            name = side.upper()
            pin = f"{name}CIN" if cascade[f"{name}_INPUT"] == "CASCADE" else name
            pass_on(f"{side}2", pass_on(f"{side}1", pins[pin] & ((1 << bits) - 1)))
        for name in ("opmode", "alumode", "inmode", "carryin", "c", "d"):
            pass_on(name, pins[name.upper()])
        out["p"] = self.state["p"]
        self._multiply(pass_on, out)
        into["p"] = self._sum(pins, out)
        return into, out

    def _multiply(self, pass_on, out: dict[str, int]) -> None:
        chosen, mode = self.attributes, out["inmode"]
        a = signed(out["a1" if mode & 1 else "a2"], 27)
        b = signed(out["b1" if mode & 16 else "b2"], 18)
        if mode & 2:
            a, b = (0, b) if chosen["PREADDINSEL"] == "A" else (a, 0)
        d = signed(out["d"], 27) if mode & 4 else 0
        added = a if chosen["PREADDINSEL"] == "A" else b
        ad = pass_on("ad", signed(d - added if mode & 8 else d + added, 27))
        left = ad if chosen["AMULTSEL"] == "AD" else a
        right = signed(ad, 18) if chosen["BMULTSEL"] == "AD" else b
        pass_on("m", left * right)

    def _sum(self, pins: dict[str, int], out: dict[str, int]) -> int:
        w, x, y, z = OPMODES[out["opmode"]]
        values = {
            "0": 0, "P": out["p"], "RND": RND, "C": out["c"], "M": out["m"], "ONES": ONES,
            "A:B": out["a2"] << 18 | out["b2"], "PCIN": pins["PCIN"],
            "PCIN>>17": signed(pins["PCIN"], 48) >> 17, "P>>17": signed(out["p"], 48) >> 17,
        }  # fmt: skip
        others = values[w] + values[x] + (0 if y == "M" else values[y]) + out["carryin"]
        return alu(out["alumode"], values[z], others)

    def outputs(self, pins: dict[str, int]) -> dict[str, int]:
        """P, ACOUT and BCOUT before the next edge."""
        _, out = self.values(pins)
        result = {"P": out["p"]}
        for name in ("A", "B"):
            late = self.attributes[f"{name}CASCREG"] == self.attributes[f"{name}REG"]
            result[f"{name}COUT"] = out[f"{name.lower()}{2 if late else 1}"]
        return result

    def edge(self, pins: dict[str, int]) -> None:
        """A rising edge of the clock: reset wins over enable."""
        into, _ = self.values(pins)
        for register, enable in ENABLES.items():
            if pins[RESETS[register]]:
                self.state[register] = 0
            elif pins[enable]:
                self.state[register] = into[register]
