# SPDX-License-Identifier: Apache-2.0
"""Cells and depth of a netlist for UltraScale+ as yosys writes it in JSON.

Counting rules, which follow what Vivado reports as CLB LUTs:

- A LUT6 has two outputs: LUTs of up to five inputs that read the same signals share one in pairs;
  so do shift registers of up to 16 words with the same address and enable.
- RAM32M16 and RAM64M8 take the eight LUTs of a slice, whatever part of their width is used.
- An inverter is absorbed by its neighbours; MUXF7, MUXF8 and carry cells are no LUTs.

Depth is the most LUTs and carry chains on a way between two registers, memories, DSPs or ports;
reading a LUT memory counts as a LUT, a multiplexer behind LUTs not at all. A wide enable or fan-out
of a control signal is a long net: the widest of a unit are named. So is a memory whose word comes
out late, without the register that Vivado would move into it: those are counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from host.common.errors import UserError

MEMORY_LUTS = {
    "RAM32M16": 8, "RAM64M8": 8, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2,
    "RAM128X1D": 4, "RAM256X1D": 8, "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4,
    "RAM512X1S": 8, "RAM32X16DR8": 8, "RAM64X8SW": 8, "SRLC32E": 1,
}  # fmt: skip
REGISTERS = ("FDRE", "FDSE", "FDCE", "FDPE")
DSPS = ("DSP48E1", "DSP48E2")
BRAM18 = {"RAMB18E1": 1, "RAMB18E2": 1, "RAMB36E1": 2, "RAMB36E2": 2}
URAMS = ("URAM288", "URAM288_BASE")
FREE = ("INV", "GND", "VCC", "BUFG")  #: no cost of their own
KEEPING = {*MEMORY_LUTS, *REGISTERS, *DSPS, *BRAM18, *URAMS}
WIDE = ("MUXF7", "MUXF8", "MUXF9")
CONTROLS = ("CE", "R", "S", "CLR", "PRE", "WE", "EN")  #: starts of the names of control pins
WORDS = ("DO",)  #: starts of the names of what a memory has read
SHARED_INPUTS = 5  #: of two LUTs in one
ADDRESSES = ("A", "ADDR", "DPRA")  #: starts of the names of asynchronous read ports


@dataclass(frozen=True)
class Count:
    """What a netlist takes of a device, and its depth."""

    lut: int
    ff: int
    dsp: int
    bram18: int
    uram: int
    levels: int
    """Most LUTs and carry chains on a way from register to register."""
    path: str
    """Signals at the start and the end of that way."""
    slow_dsp: int
    """DSPs that leave the product or output register unused."""
    widest_enable: int
    """Flip-flops and shift registers behind one clock enable."""
    enable: str
    """Its signal."""
    fanout: int
    """Most pins that one control signal reaches: of those that enable, set, reset or write."""
    reaches: str
    """That signal."""
    open_memories: int
    """Block and UltraRAMs whose word goes elsewhere than into registers: no output register."""


@dataclass(frozen=True)
class _Cell:
    name: str
    kind: str
    parameters: dict[str, str]
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]

    @classmethod
    def read(cls, name: str, entry: dict[str, Any]) -> _Cell:
        ports: dict[str, dict[str, list[int]]] = {"input": {}, "output": {}, "inout": {}}
        for port, bits in entry["connections"].items():
            signals = [bit for bit in bits if isinstance(bit, int)]  # constants are strings
            ports[entry["port_directions"][port]][port] = signals
        return cls(name, entry["type"], entry["parameters"], ports["input"], ports["output"])

    def reads(self) -> frozenset[int]:
        """All signals at the inputs."""
        return frozenset(bit for bits in self.inputs.values() for bit in bits)


def count(module: dict[str, Any]) -> Count:
    """Count the cells of one flat module of a yosys JSON netlist and find its longest way.

    UserError names a kind of cell that has no rule here, and a combinational loop.
    """
    cells = [_Cell.read(name, entry) for name, entry in module["cells"].items()
             if not entry["type"].startswith("$")]  # fmt: skip
    kinds = Counter(cell.kind for cell in cells)
    _check_kinds(kinds)
    memory = sum(luts * kinds[kind] for kind, luts in MEMORY_LUTS.items())
    names = _names(module)
    levels, path = _longest_way(cells, names)
    widest, enable = _widest(_enables(cells), names)
    fanout, reaches = _widest(_pins(cells), names)
    return Count(
        lut=_logic_luts(cells) + _short_shift_luts(cells) + memory,
        ff=sum(kinds[kind] for kind in REGISTERS),
        dsp=sum(kinds[kind] for kind in DSPS),
        bram18=sum(blocks * kinds[kind] for kind, blocks in BRAM18.items()),
        uram=sum(kinds[kind] for kind in URAMS),
        levels=levels,
        path=path,
        slow_dsp=sum(cell.kind in DSPS and not _pipelined(cell) for cell in cells),
        widest_enable=widest,
        enable=enable,
        fanout=fanout,
        reaches=reaches,
        open_memories=_open_memories(cells, module),
    )


def _check_kinds(kinds: Counter[str]) -> None:
    known = {*MEMORY_LUTS, *REGISTERS, *DSPS, *BRAM18, *URAMS, *FREE, *WIDE, "SRL16E"}
    unknown = [k for k in kinds if k not in known and not k.startswith(("LUT", "CARRY"))]
    if unknown:
        raise UserError(
            f"the netlist has cells of the kinds {', '.join(sorted(unknown))}, for which there is "
            "no counting rule; add one to hw/synthesis/netlist.py"
        )


def _logic_luts(cells: list[_Cell]) -> int:
    pairs: Counter[frozenset[int]] = Counter()
    whole = 0
    for cell in cells:
        if cell.kind == "LUT6_2":
            whole += 1
        elif cell.kind.startswith("LUT"):
            reads = cell.reads()
            if len(reads) > SHARED_INPUTS:
                whole += 1
            else:
                pairs[reads] += 1
    return whole + sum(-(-number // 2) for number in pairs.values())


def _short_shift_luts(cells: list[_Cell]) -> int:
    """Shift registers of up to 16 words, two in a LUT where address and enable are the same."""
    pairs: Counter[frozenset[int]] = Counter()
    for cell in cells:
        if cell.kind == "SRL16E":
            pairs[cell.reads() - frozenset(cell.inputs["D"])] += 1
    return sum(-(-number // 2) for number in pairs.values())


def _pipelined(cell: _Cell) -> bool:
    """Whether product and sum are registered; yosys leaves shared input registers in logic."""
    return all(int(cell.parameters.get(name, "0"), 2) for name in ("MREG", "PREG"))


def _enables(cells: list[_Cell]) -> Iterator[int]:
    """The clock enable of every register that has one."""
    for cell in cells:
        if cell.kind in REGISTERS or cell.kind.startswith("SRL"):
            yield from cell.inputs.get("CE", [])


def _pins(cells: list[_Cell]) -> Iterator[int]:
    """The signal at every input pin, of those signals that also control something."""
    keeping = (cell for cell in cells if cell.kind in KEEPING or cell.kind.startswith("SRL"))
    control = {bit for cell in keeping for port, bits in cell.inputs.items()
               if port.startswith(CONTROLS) for bit in bits}  # fmt: skip
    for cell in cells:
        for bits in cell.inputs.values():
            yield from (bit for bit in bits if bit in control)


def _open_memories(cells: list[_Cell], module: dict[str, Any]) -> int:
    """Memories of which a bit that is read reaches a port or a pin that is no register's data."""
    elsewhere = {bit for port in module.get("ports", {}).values() for bit in port["bits"]}
    for cell in cells:
        for port, bits in cell.inputs.items():
            if not (cell.kind in REGISTERS and port == "D"):
                elsewhere.update(bits)
    memories = (cell for cell in cells if cell.kind in BRAM18 or cell.kind in URAMS)
    return sum(
        any(bit in elsewhere for port, bits in memory.outputs.items()
            if port.startswith(WORDS) for bit in bits)
        for memory in memories
    )  # fmt: skip


def _widest(signals: Iterator[int], names: dict[int, str]) -> tuple[int, str]:
    """How often the most frequent signal comes, and its name; 0 and "" without any."""
    for bit, number in Counter(signals).most_common(1):
        return number, names.get(bit, str(bit))
    return 0, ""


def _names(module: dict[str, Any]) -> dict[int, str]:
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        for index, bit in enumerate(net["bits"]):
            if isinstance(bit, int) and (bit not in names or not net.get("hide_name")):
                names[bit] = f"{name}[{index}]" if len(net["bits"]) > 1 else name
    return names


def _arcs(cell: _Cell) -> Iterator[tuple[int, int, int]]:
    """Combinational ways through a cell: signal in, signal out, levels."""
    targets = {bit for bits in cell.outputs.values() for bit in bits}
    for port, sources in cell.inputs.items():
        if (cost := _level(cell.kind, port)) is not None:
            yield from ((source, target, cost) for source in sources for target in targets)


def _level(kind: str, port: str) -> int | None:
    """Levels from an input to the outputs; None where a register lies between."""
    if kind.startswith("LUT"):
        return 1
    if kind in (*WIDE, *FREE):
        return 0
    if kind.startswith("CARRY"):
        return 0 if port == "CI" else 1  # CI goes on with a chain
    if kind in MEMORY_LUTS or kind == "SRL16E":
        return 1 if port.startswith(ADDRESSES) else None
    return None


def _longest_way(cells: list[_Cell], names: dict[int, str]) -> tuple[int, str]:
    before: dict[int, dict[int, int]] = defaultdict(dict)
    for cell in cells:
        for source, target, cost in _arcs(cell):
            before[target][source] = max(cost, before[target].get(source, 0))
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        loop = " -> ".join(names.get(bit, str(bit)) for bit in error.args[1])
        raise UserError(f"the netlist has a combinational loop: {loop}") from error
    depth: dict[int, tuple[int, int]] = {}  # signal -> levels up to it, where that way starts
    for bit in order:
        ways = [(depth[s][0] + cost, depth[s][1]) for s, cost in before[bit].items()]
        depth[bit] = max(ways, default=(0, bit))
    if not depth:
        return 0, ""
    end = max(depth, key=lambda bit: depth[bit][0])
    levels, start = depth[end]
    return levels, f"{names.get(start, start)} -> {names.get(end, end)}"
