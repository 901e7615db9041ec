# SPDX-License-Identifier: Apache-2.0
"""Any function of an accumulator as a table of steps: activations that are no line, one bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.base import KernelOp, pack
from hw.ops.cost import output_fifo_cost, rom_luts
from hw.ops.fifo import memory_cost
from hw.ops.unit import Resources, Sizes, Table
from hw.ops.widths import signed_bits

MOST_LEVELS = 9  #: of the search: 511 steps
MOST_ACC_BITS = 32
LUT_WORDS = 256  #: most of a memory in LUTs, see kl_lookup.sv


class Lookup(KernelOp):
    """``codes[c, k]`` for accumulators (..., C) that reach ``k`` of the ascending ``starts[c]``.

    ONNX inputs: accumulators, starts and codes. These are integers of shape (C, 2**levels - 1) and
    (C, 2**levels) with ``perChannel=1``, of one row with ``perChannel=0``. A channel with fewer
    steps repeats its last.
    """

    replaces = "Lookup"  # of the integer graph, whose widths are not known yet
    rtl_module = cpp_kernel = "lookup"
    in_step = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "levels": ("i", True, 0),
            "outputDataType": ("s", True, ""),
            "perChannel": ("i", False, 1, {0, 1}),
        }

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Those of the node, and the width."""
        old = cls(node)
        names = ("levels", "outputDataType", "perChannel")
        kept = {name: old.get_nodeattr(name) for name in names}
        return super().attributes_for(model, node) | kept

    @property
    def levels(self) -> int:
        """Steps of the binary search."""
        return int(self.get_nodeattr("levels"))

    @property
    def rows(self) -> int:
        """Channels with a table of their own."""
        return self.channels if self.get_nodeattr("perChannel") else 1

    # -- arithmetic ----------------------------------------------------------------------------

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """The code of each accumulator, by the search that the hardware does."""
        acc, starts, codes = inputs
        channel = np.broadcast_to(np.arange(self.channels) % self.rows, acc.shape)
        index = np.zeros(acc.shape, np.int64)
        for left in range(self.levels - 1, -1, -1):  # bits of the index that are still to be found
            middle = ((2 * index + 1) << left) - 1
            index = 2 * index + (acc >= starts[channel, middle])
        return (codes[channel, index],)

    def check_table(self, starts: IntArray, codes: IntArray) -> None:
        """Raise UserError unless the table fits the attributes."""
        name, dtype = self.onnx_node.name, self.get_output_datatype()
        shapes = (self.rows, (1 << self.levels) - 1), (self.rows, 1 << self.levels)
        if (starts.shape, codes.shape) != shapes:
            raise UserError(
                f"starts {starts.shape} and codes {codes.shape} of {name} must have the shapes "
                f"{shapes[0]} and {shapes[1]}"
            )
        if (np.diff(starts, axis=1) < 0).any():
            raise UserError(f"starts of {name} must ascend in each channel")
        if codes.min() < dtype.min() or codes.max() > dtype.max():
            raise UserError(f"codes of {name} are not all in the range of {dtype.name}")

    # -- hardware ------------------------------------------------------------------------------

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        acc, out = self.get_input_datatype(), self.get_output_datatype()
        if acc.bitwidth() > MOST_ACC_BITS:
            raise UserError(
                f"{self.onnx_node.name} takes {acc.name}; a table takes accumulators of up to "
                f"{MOST_ACC_BITS} bits: narrow the layer before it"
            )
        if not 1 <= self.levels <= MOST_LEVELS:
            raise UserError(
                f"levels={self.levels} of {self.onnx_node.name} is not in 1..{MOST_LEVELS}"
            )
        return {
            "CHANNELS": self.channels,
            "PE": self.pe,
            "ACC_WIDTH": acc.bitwidth(),
            "ACC_SIGNED": int(acc.signed()),
            "OUT_WIDTH": out.bitwidth(),
            "LEVELS": self.levels,
            "PER_CHANNEL": int(self.get_nodeattr("perChannel")),
        }

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        """START_FILE has the starts in the order of a heap, level after level; CODE_FILE the codes.

        A word has the lanes of a fold; within a level all of a fold stand together.
        """
        starts, codes = constants
        self.check_table(starts, codes)
        acc, out = self.get_input_datatype(), self.get_output_datatype()
        starts = starts.clip(int(acc.min()), int(acc.max()))
        memories = {}
        for level in range(self.levels):
            span = 1 << (self.levels - level)
            memories[f"START_FILE[{level}]"] = self._words(
                starts[:, span // 2 - 1 :: span], int(acc.bitwidth())
            )
        return memories | {"CODE_FILE": self._words(codes, int(out.bitwidth()))}

    def _words(self, table: IntArray, bits: int) -> tuple[int, list[int]]:
        """Of a table (rows, entries): its words of PE lanes, entries of a fold one after another.

        One row for all channels is in every lane.
        """
        lanes = self.pe
        rows = np.repeat(table, lanes, axis=0) if self.rows == 1 else table
        folded = rows.reshape(-1, lanes, table.shape[1]).swapaxes(1, 2).reshape(-1, lanes)
        return lanes * bits, [pack(word, bits) for word in folded]

    def cpp_sizes(self) -> Sizes:
        names = ("CHANNELS", "PE", "ACC_WIDTH", "ACC_SIGNED", "OUT_WIDTH", "LEVELS", "PER_CHANNEL")
        return self._cpp(*names, "WORDS", WORDS=self.get_exp_cycles())

    def cpp_table(self, constants: Sequence[IntArray]) -> Table:
        """A row a channel: the starts in ascending order, then the codes."""
        rows = np.concatenate(constants, axis=1)
        return Table("steps", f"lanes::integer<{max(signed_bits(rows), 2)}, true>", rows)

    def latency(self) -> int:
        return self.levels + 3

    def resources(self) -> Resources:
        """Memories and comparison of each lane, and the output fifo.

        A lane reads each level at an address of its own, so it has memories of its own.
        """
        acc, out = self.get_input_datatype().bitwidth(), self.get_output_datatype().bitwidth()
        folds = self.rows // self.pe if self.rows > 1 else 1
        sizes = [(folds << level, acc) for level in range(self.levels)]
        luts = blocks = 0
        for words, bits in (*sizes, (folds << self.levels, out)):
            if words > LUT_WORDS:
                blocks += memory_cost("block", bits, words).bram18
            else:
                luts += rom_luts(bits, words)
        compared = sum(acc // 2 + 1 for _ in sizes)
        kept = sum(acc * (words > 1) for words, _ in sizes) + acc * self.levels + out
        fifo = output_fifo_cost(self.pe * out)
        indices = sum(range(self.levels + 1))
        return Resources(
            lut=self.pe * (luts + compared) + fifo.lut + 4,
            ff=self.pe * (kept + indices) + fifo.ff + self.levels * ((folds - 1).bit_length() + 1),
            bram18=self.pe * blocks,
        )

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("outputDataType")]
