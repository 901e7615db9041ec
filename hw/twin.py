# SPDX-License-Identifier: Apache-2.0
"""C++ text of the HLS twins: a call of a kernel's function, its tables, its top function.

A twin is ``hw/hls/NAME.hpp``, a function template ``NAME::run``. Streams are in words of lanes, see
hw/hls/lanes.hpp. Sizes and tables come from the unit, see hw/ops/unit.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnx import NodeProto
from qonnx.custom_op.base import CustomOp

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops.unit import Sizes, Stream, Table
from hw.units import unit_of

HLS_FOLDER = Path(__file__).parent / "hls"
MAX_BITS = 1024  #: of an ap_uint


@dataclass(frozen=True)
class Word:
    """Word of a stream."""

    lanes: int
    bits: int
    """Of a lane."""

    @property
    def cpp(self) -> str:
        """Its C++ type."""
        return f"lanes::word<{self.lanes}, {self.bits}>"


@dataclass(frozen=True)
class Twin:
    """What the C++ of one unit is made of."""

    kernel: str
    """Name of the header in hw/hls and of its namespace."""
    sizes: Sizes
    """Arguments of the function template in their order."""
    inputs: tuple[Word, ...]
    outputs: tuple[Word, ...]
    table: Table | None = None
    outputs_first: bool = False
    """Whether the function takes the inputs last, behind output and table."""

    def call(
        self, inputs: Sequence[str], outputs: Sequence[str], table: str = "", named: bool = False
    ) -> str:
        """The call with the names of streams and table, sizes as numbers or by their names."""
        tables = [table] if self.table else []
        arguments = [*inputs, *outputs, *tables]
        if self.outputs_first:
            arguments = [*outputs, *tables, *inputs]
        sizes = ", ".join(self.sizes if named else map(str, self.sizes.values()))
        return f"{self.kernel}::run<{sizes}>({', '.join(arguments)});"


def twin_of(subject: NodeProto | CustomOp, constants: Sequence[IntArray] = ()) -> Twin:
    """The twin of a node or operator with the constants behind its streams.

    UserError for a kernel or a setting that has no twin.
    """
    unit = unit_of(subject)
    if not unit.cpp_kernel:
        raise UserError(f"{unit.name}: the kernel {unit.kernel} has no HLS twin")
    return Twin(
        unit.cpp_kernel,
        unit.cpp_sizes(),
        tuple(_word(stream) for stream in unit.inputs),
        tuple(_word(stream) for stream in unit.outputs),
        unit.cpp_table(constants),
        unit.cpp_outputs_first,
    )


def headers(twins: Iterable[Twin]) -> list[Path]:
    """The files of hw/hls that the twins need, each once."""
    names = dict.fromkeys(["lanes", *(twin.kernel for twin in twins)])
    return [HLS_FOLDER / f"{name}.hpp" for name in names]


def top(twin: Twin) -> str:
    """Text of KERNEL_top.cpp: one kernel with AXI4-Stream ports.

    The sizes are named constants; a table's rows come from ``weights.inc`` or ``parameters.inc``.
    """
    names_in, names_out = _ports("s_axis", twin.inputs), _ports("m_axis", twin.outputs)
    ports = dict(zip([*names_in, *names_out], [*twin.inputs, *twin.outputs], strict=True))
    arguments = ",\n    ".join(f"hls::stream<{word.cpp}> &{port}" for port, word in ports.items())
    pragmas = "".join(f"#pragma HLS interface axis port = {port}\n" for port in ports)
    sizes = "".join(f"constexpr int {key} = {value};\n" for key, value in twin.sizes.items())
    table = pragma = name = ""
    if twin.table:
        name = twin.table.name
        table = twin.table.declaration(name, f"{name}.inc")
        pragma = twin.table.pragma(name, twin.outputs[0].lanes)
    return (
        "// SPDX-License-Identifier: Apache-2.0\n"
        f"// Top function of {twin.kernel}, written by hw/twin.py.\n"
        f'#include "lanes.hpp"\n#include "{twin.kernel}.hpp"\n\n{sizes}\n{table}\n'
        f"void {twin.kernel}_top(\n    {arguments}) {{\n{pragmas}"
        f"#pragma HLS interface ap_ctrl_none port = return\n{pragma}"
        f"  {twin.call(names_in, names_out, name, named=True)}\n}}\n"
    )


def _ports(prefix: str, words: Sequence[Word]) -> list[str]:
    if len(words) == 1:
        return [prefix]
    return [f"{prefix}_{i}" for i in range(len(words))]


def _word(stream: Stream) -> Word:
    if stream.width > MAX_BITS:
        raise UserError(
            f"a word of {stream.lanes} lanes of {stream.bits} bits is too wide for ap_uint; "
            f"fold to at most {MAX_BITS} bits"
        )
    return Word(stream.lanes, stream.bits)
