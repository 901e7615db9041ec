# SPDX-License-Identifier: Apache-2.0
"""Weight memory that streams its words in a circle, one a cycle, to the port of a compute kernel.

The words come as a matrix of lanes (words, lanes); lane 0 is least significant. On the chain of
weight_port the memory can be written and read at run time; see host/board/weights.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Self

import numpy as np
from onnx import helper
from qonnx.core.datatype import BaseDataType

from host.board.registers import MAX_DEPTH, MAX_MEMORIES, SLICE_BITS
from host.board.weights import slices_per_word
from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.generate import ram_symbol
from hw.ops.base import KernelOp, divisors, pack
from hw.ops.cost import output_fifo_cost, rom_luts
from hw.ops.fifo import ULTRA_SHAPE, lut_memory_luts, memory_cost
from hw.ops.unit import RAM_STYLES, Resources, Table
from hw.ops.weight_port import CHAIN_BITS

NO_CHAIN = -1  #: chainIndex of a constant memory
AUTO_REGISTERS = -1  #: readRegisters by the height of the UltraRAM cascade
MAX_REGISTERS = 8
PART_BITS = 192  #: of a memory in LUTs behind one enable; wider ones are cut into parts


class WeightStream(KernelOp):
    """A memory of ``numInputVectors[0]`` words of ``NumChannels`` (= PE) lanes of inputDataType.

    Its one ONNX input is the constant matrix of lanes; it has no stream input. ``Repeats`` says how
    often a frame passes through the memory: the hardware does not stop at a frame's end.
    ``chainIndex`` is the memory's place on the chain of weight_port, from 0; NO_CHAIN makes a
    constant memory. UltraRAM has no contents until it is written, so it must be on the chain.
    """

    rtl_module = "weight_stream"
    stream_inputs = 0

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "ramStyle": ("s", False, "block", set(RAM_STYLES)),
            "Repeats": ("i", False, 1),
            "chainIndex": ("i", False, NO_CHAIN),
            "readRegisters": ("i", False, AUTO_REGISTERS),
        }

    @classmethod
    def from_lanes(
        cls,
        name: str,
        lanes: IntArray,
        dtype: str,
        ram_style: str = "block",
        repeats: int = 1,
        chain_index: int = NO_CHAIN,
    ) -> Self:
        """The op for a matrix of lanes (words, lanes) of FINN data type ``dtype``."""
        node = helper.make_node(
            cls.__name__, [f"{name}_lanes"], [f"{name}_stream"], name, domain="hw.ops",
            backend="fpgadataflow", NumChannels=lanes.shape[1], PE=lanes.shape[1],
            numInputVectors=[lanes.shape[0]], inputDataType=dtype, ramStyle=ram_style,
            Repeats=repeats, chainIndex=chain_index,
        )  # fmt: skip
        return cls(node)

    @property
    def depth(self) -> int:
        """Words in the memory."""
        return self.vectors[0]

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.channels * int(self.get_input_datatype().bitwidth())

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """The lanes in a circle, ``Repeats`` times."""
        return (np.tile(inputs[0], (int(self.get_nodeattr("Repeats")), 1)),)

    @property
    def chain_index(self) -> int:
        """Place on the chain, from 0, or NO_CHAIN; UserError if the memory cannot be there."""
        name, index = self.onnx_node.name, int(self.get_nodeattr("chainIndex"))
        if not NO_CHAIN <= index < MAX_MEMORIES:
            raise UserError(
                f"chainIndex={index} of {name} is not in 0..{MAX_MEMORIES - 1}, nor {NO_CHAIN} "
                "for a constant memory"
            )
        if index == NO_CHAIN and self._ram_style() == "ultra":
            raise UserError(
                f"ramStyle=ultra of {name} needs a place on the chain that writes it; "
                "set chainIndex or use block"
            )
        return index

    @property
    def read_registers(self) -> int:
        """Registers between memory and output fifo; 0: neither of them."""
        registers = int(self.get_nodeattr("readRegisters"))
        if not AUTO_REGISTERS <= registers <= MAX_REGISTERS:
            raise UserError(
                f"readRegisters={registers} of {self.onnx_node.name} is not in "
                f"0..{MAX_REGISTERS}, nor {AUTO_REGISTERS} for automatic"
            )
        if registers != AUTO_REGISTERS:
            return registers
        cascade = ceil(self.depth / ULTRA_SHAPE[0]) if self._ram_style() == "ultra" else 1
        return min(cascade - 1, MAX_REGISTERS)

    @property
    def parts(self) -> int:
        """Parts of the word with an enable of their own, see PART_BITS; they begin empty."""
        chained = self.chain_index != NO_CHAIN
        if not chained or self._ram_style() != "distributed" or self.read_registers:
            return 1
        bits = int(self.get_input_datatype().bitwidth())
        widest = max(PART_BITS // bits, 1)  # lanes of a part
        return next(n for n in divisors(self.channels) if self.channels // n <= widest)

    def rtl_parameters(self) -> dict[str, int | str]:
        if self.channels != self.pe:
            raise UserError(
                f"PE={self.pe} of {self.onnx_node.name} is not its {self.channels} lanes; "
                "a weight memory gives whole words"
            )
        if self.depth > MAX_DEPTH:
            raise UserError(
                f"{self.onnx_node.name} has {self.depth} words; use wider ones, at most {MAX_DEPTH}"
            )
        parameters: dict[str, int | str] = {
            "WIDTH": self.width,
            "DEPTH": self.depth,
            "RAM_STYLE": ram_symbol(self._ram_style()),
            "READ_REGS": self.read_registers,
        }
        if self.chain_index != NO_CHAIN:
            parameters |= {"CHAIN": 1, "CHAIN_ID": self.chain_index, "PARTS": self.parts}
        return parameters

    def rtl_wires(self) -> dict[str, str | None]:
        if self.chain_index == NO_CHAIN:
            return {"chain_in": "'0", "chain_out": ""}
        return {"chain_in": None, "chain_out": None}

    def _ram_style(self) -> str:
        style = str(self.get_nodeattr("ramStyle"))
        if style not in RAM_STYLES:
            raise UserError(
                f"ramStyle={style} of {self.onnx_node.name} is unknown; use {', '.join(RAM_STYLES)}"
            )
        return style

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        (lanes,) = constants
        dtype = self.get_input_datatype()
        if lanes.shape != (self.depth, self.channels):
            raise UserError(
                f"{self.onnx_node.name} is {self.depth} words of {self.channels} lanes, "
                f"its weights come as {lanes.shape}"
            )
        if lanes.min() < dtype.min() or lanes.max() > dtype.max():
            raise UserError(
                f"weights {lanes.min()}..{lanes.max()} of {self.onnx_node.name} do not fit "
                f"{dtype.name}"
            )
        return {"FILE": (self.width, [pack(word, dtype.bitwidth()) for word in lanes])}

    def latency(self) -> int:
        """Clock cycles from the end of reset, or from its start on the chain, to the first word."""
        return 2 if self.read_registers == 0 else self.read_registers + 4

    def resources(self) -> Resources:
        """Cost as yosys counts it: it leaves the output register of block and UltraRAM in logic.

        Each further part has an address of its own, up to 10 LUTs and 20 flip-flops; not counted.
        """
        style, width, address = self._ram_style(), self.width, max(1, (self.depth - 1).bit_length())
        chained = int(self.get_nodeattr("chainIndex")) != NO_CHAIN or style == "ultra"
        lut, ff = address, width + address + 2
        if chained:
            slices = slices_per_word(width)
            lut += 52 + address + 42 * (ceil(slices / 3) - 1)  # 32 and the 42 choose a read slice
            ff += 2 * CHAIN_BITS + (width if slices == 1 else SLICE_BITS * slices) + address + 4
        registers = self.read_registers
        if registers:
            fifo = output_fifo_cost(width)
            lut, ff = lut + fifo.lut, ff + fifo.ff + (registers - 1) * width
        if style != "distributed":
            memory = memory_cost(style, width, self.depth)
            return Resources(lut=lut, ff=ff, bram18=memory.bram18, uram=memory.uram)
        memory_luts = lut_memory_luts if chained else rom_luts
        return Resources(lut=lut + memory_luts(width, self.depth), ff=ff + width)

    # -- shapes and types ----------------------------------------------------------------------

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return self.get_input_datatype()

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (self.depth * int(self.get_nodeattr("Repeats")), self.channels)

    def get_exp_cycles(self) -> int:
        return self.get_normal_output_shape()[0]


def mvau_weight_lanes(weights: IntArray, pe: int, simd: int) -> IntArray:
    """Lanes (words, PE*SIMD) of FINN's dense unit from its weights (MW, MH).

    One word a cycle: folds of PE outputs outermost, folds of SIMD inputs inside; in a word the SIMD
    lanes of the first output come first.
    """
    mw, mh = weights.shape
    if mw % simd or mh % pe:
        raise UserError(f"SIMD={simd}, PE={pe} do not divide a weight matrix of {mw} x {mh}")
    folds = weights.T.reshape(mh // pe, pe, mw // simd, simd)
    return folds.transpose(0, 2, 1, 3).reshape(-1, pe * simd)


def weight_table(lanes: IntArray, bits: int) -> Table:
    """The lanes of a weight stream as a table of the twin, ``bits`` a weight."""
    return Table("weights", f"lanes::native<{bits}, true>", lanes)


def mvau_weight_words(weights: IntArray, pe: int, simd: int, bits: int) -> list[int]:
    """Memory words of FINN's dense unit: :func:`mvau_weight_lanes`, packed to ``bits`` a weight."""
    return [pack(lanes, bits) for lanes in mvau_weight_lanes(weights, pe, simd)]
