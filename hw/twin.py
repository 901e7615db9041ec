# SPDX-License-Identifier: Apache-2.0
"""C++ text of the HLS twins: a call of a kernel's function, its tables, its top function.

A twin is ``hw/hls/NAME.hpp``, a function template ``NAME::run``. Streams are in words of lanes, see
hw/hls/lanes.hpp. FINN's padding, window, width converter and dense unit have twins too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from qonnx.custom_op.base import CustomOp

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.ops import Dense, Depthwise
from hw.ops.base import KernelOp
from hw.ops.weight_stream import mvau_weight_lanes

HLS_FOLDER = Path(__file__).parent / "hls"
MAX_BITS = 1024  #: of an ap_uint
Sizes = dict[str, int]
WEIGHTS, PARAMETERS = "weights", "parameters"
PREFIX = "Twin"  #: of our operators in FINN's HLS domain, see hw/hls_backend.py


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
class Table:
    """Constants of a kernel: a static array in C++, its rows in a file beside it."""

    name: str
    element: str
    """C++ type of an element."""
    rows: IntArray
    """(entries, numbers of an entry)."""

    def declaration(self, name: str, file: str) -> str:
        """Definition of the array under ``name`` with its rows from ``file``."""
        extent = "" if self.name == PARAMETERS else f"[{self.rows.shape[1]}]"
        size = f"[{len(self.rows)}]{extent}"
        return f'static const {self.element} {name}{size} = {{\n#include "{file}"\n}};\n'

    def text(self) -> str:
        """Contents of the file: one entry a line."""
        return "".join("{" + ",".join(map(str, row)) + "},\n" for row in self.rows.tolist())

    def pragma(self, name: str, pe: int) -> str:
        """How the array under ``name`` is laid out so that an entry is read in a cycle."""
        if self.name == PARAMETERS:
            return f"#pragma HLS array_partition variable = {name} type = cyclic factor = {pe}\n"
        return f"#pragma HLS array_reshape variable = {name} dim = 2 type = complete\n"


@dataclass(frozen=True)
class Twin:
    """What the C++ of one operator is made of."""

    kernel: str
    """Name of the header in hw/hls and of its namespace."""
    sizes: Sizes
    """Arguments of the function template in their order."""
    inputs: tuple[Word, ...]
    outputs: tuple[Word, ...]
    table: Table | None = None
    outputs_first: bool = False
    """Whether the function takes the output before the inputs."""

    def call(
        self, inputs: Sequence[str], outputs: Sequence[str], table: str = "", named: bool = False
    ) -> str:
        """The call with the names of streams and table, sizes as numbers or by their names."""
        streams = [*outputs, *inputs] if self.outputs_first else [*inputs, *outputs]
        arguments = [*streams, table] if self.table else streams
        sizes = ", ".join(self.sizes if named else map(str, self.sizes.values()))
        return f"{self.kernel}::run<{sizes}>({', '.join(arguments)});"


def twin_of(op: CustomOp, constants: Sequence[IntArray] = ()) -> Twin:
    """The twin of an operator of ours or FINN's with the constants behind its streams.

    UserError for an operator or a setting that has no twin.
    """
    kind = op.onnx_node.op_type.removeprefix(PREFIX).removesuffix("_hls")
    if kind not in TWINS:
        known = ", ".join(TWINS)
        raise UserError(f"{op.onnx_node.name}: no HLS twin of {kind}; there are {known}")
    if isinstance(op, KernelOp):
        op.rtl_parameters()  # refuses illegal attributes
    kernel, sizes, table = TWINS[kind]
    data = _data_inputs(op, constants)
    return Twin(
        kernel,
        sizes(op),
        tuple(_word(op.get_folded_input_shape(i), op.get_input_datatype(i)) for i in range(data)),
        tuple(
            _word(op.get_folded_output_shape(i), op.get_output_datatype(i))
            for i in range(len(op.onnx_node.output))
        ),
        table(op, constants) if table else None,
        outputs_first=kind == "StreamConcat",
    )


def _data_inputs(op: CustomOp, constants: Sequence[IntArray]) -> int:
    """Inputs that are streams here; weights are a table."""
    if isinstance(op, KernelOp):
        return sum(port.startswith("s_axis") for port in op.rtl_ports()[0])
    return len(op.onnx_node.input) - len(constants)


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


def _word(folded: Sequence[int], datatype: Any) -> Word:
    word = Word(int(folded[-1]), int(datatype.bitwidth()))
    if word.lanes * word.bits > MAX_BITS:
        raise UserError(
            f"a word of {word.lanes} lanes of {word.bits} bits is too wide for ap_uint; "
            f"fold to at most {MAX_BITS} bits"
        )
    return word


# -- sizes and tables of each kernel, in the order of its template -----------------------------


def _pick(op: KernelOp, *names: str, **others: int) -> Sizes:
    values = op.rtl_parameters() | others
    return {name: int(values[name]) for name in names}


def _dense(op: Any) -> Sizes:
    sizes = ("SHARE", "PIXELS", "MW", "MH", "SIMD", "PE")
    widths = ("ACT_WIDTH", "ACT_SIGNED", "WEIGHT_WIDTH", "ACC_WIDTH")
    return _pick(op, *sizes, *widths, SHARE=2)


def _mvau(op: Any) -> Sizes:
    act = op.get_input_datatype(0)
    return {
        "SHARE": 1,
        "PIXELS": int(np.prod(op.get_nodeattr("numInputVectors"))),
        **{name: op.get_nodeattr(name) for name in ("MW", "MH", "SIMD", "PE")},
        "ACT_WIDTH": act.bitwidth(),
        "ACT_SIGNED": int(act.signed()),
        "WEIGHT_WIDTH": op.get_input_datatype(1).bitwidth(),
        "ACC_WIDTH": op.get_output_datatype().bitwidth(),
    }


def _depthwise(op: Any) -> Sizes:
    names = ("CHANNELS", "PE", "TAPS", "ACT_WIDTH", "ACT_SIGNED", "WEIGHT_WIDTH", "ACC_WIDTH")
    return _pick(op, *names, "PIXELS", PIXELS=op.weight_passes)


def _requant(op: Any) -> Sizes:
    names = ("CHANNELS", "PE", "ACC_WIDTH", "ACC_SIGNED", "OUT_WIDTH", "OUT_SIGNED", "SHIFT")
    return _pick(op, *names, "PER_CHANNEL", "WORDS", WORDS=op.get_exp_cycles())


def _add(op: Any) -> Sizes:
    return _pick(op, "PE", "WIDTH", "SIGNED", "WORDS", WORDS=op.get_exp_cycles())


def _fork(op: Any) -> Sizes:
    return {"WORDS": op.get_exp_cycles()}


def _concat(op: Any) -> Sizes:
    beats = {f"BEATS_{i}": n // op.pe for i, n in enumerate(op.channels_per_input)}
    return {"PIXELS": int(np.prod(op.vectors)), **beats}


def _pool(op: Any) -> Sizes:
    return _pick(op, "CHANNELS", "PE", "PIXELS", "IN_WIDTH", "SIGNED", "ACC_WIDTH")


def _peak(op: Any) -> Sizes:
    return _pick(op, "LANDMARKS", "LANES", "CELLS", "WIDTH")


def _padding(op: Any) -> Sizes:
    (height, width), simd = op.get_nodeattr("ImgDim"), op.get_nodeattr("SIMD")
    edges = zip(("TOP", "LEFT", "BOTTOM", "RIGHT"), op.get_nodeattr("Padding"), strict=True)
    folds = op.get_nodeattr("NumChannels") // simd
    frame = {"HEIGHT": height, "WIDTH": width, "FOLDS": folds, **dict(edges)}
    return frame | {"SIMD": simd, "ACT_WIDTH": op.get_input_datatype(0).bitwidth()}


def _window(op: Any) -> Sizes:
    for attribute, legal in (("Dilation", [1, 1]), ("parallel_window", 0)):
        if (value := op.get_nodeattr(attribute)) != legal:
            name = op.onnx_node.name
            raise UserError(f"{attribute}={value} of {name} has no HLS twin; use {legal}")
    simd = op.get_nodeattr("SIMD")
    height, width = op.get_nodeattr("IFMDim")
    k_height, k_width = op.get_nodeattr("ConvKernelDim")
    stride_y, stride_x = op.get_nodeattr("Stride")
    return {
        "HEIGHT": height,
        "WIDTH": width,
        "FOLDS": op.get_nodeattr("IFMChannels") // simd,
        "K_HEIGHT": k_height,
        "K_WIDTH": k_width,
        "STRIDE_Y": stride_y,
        "STRIDE_X": stride_x,
        "DEPTHWISE": op.get_nodeattr("depthwise"),
        "SIMD": simd,
        "ACT_WIDTH": op.get_input_datatype(0).bitwidth(),
    }


def _converter(op: Any) -> Sizes:
    bits = op.get_input_datatype().bitwidth()
    lanes = int(np.prod(op.get_nodeattr("inShape")))
    sides = {"IN": op.get_nodeattr("inWidth") // bits, "OUT": op.get_nodeattr("outWidth") // bits}
    return sides | {"WIDTH": bits, "LANES": lanes}


def _weight_table(op: Any, constants: Sequence[IntArray]) -> Table:
    (weights,) = constants
    if isinstance(op, Dense | Depthwise):
        lanes = op.weight_lanes(weights)
    else:
        lanes = mvau_weight_lanes(weights, op.get_nodeattr("PE"), op.get_nodeattr("SIMD"))
    bits = op.get_input_datatype(1).bitwidth()
    return Table(WEIGHTS, f"lanes::native<{bits}, true>", lanes)


def _parameter_table(op: Any, constants: Sequence[IntArray]) -> Table:
    sizes = op.rtl_parameters()
    element = f"requant::parameter<{sizes['SCALE_WIDTH']}, {sizes['BIAS_WIDTH']}>"
    return Table(PARAMETERS, element, np.stack(constants, axis=1))


Sizer = Callable[[Any], Sizes]
Tabler = Callable[[Any, Sequence[IntArray]], Table]
TWINS: dict[str, tuple[str, Sizer, Tabler | None]] = {  # operator -> kernel, sizes, table
    "Dense": ("dense", _dense, _weight_table),
    "MVAU_rtl": ("dense", _mvau, _weight_table),
    "Depthwise": ("depthwise", _depthwise, _weight_table),
    "Requant": ("requant", _requant, _parameter_table),
    "StreamAdd": ("stream_add", _add, None),
    "StreamFork": ("stream_fork", _fork, None),
    "StreamConcat": ("stream_concat", _concat, None),
    "GlobalAccPool": ("global_acc_pool", _pool, None),
    "GridPeak": ("grid_peak", _peak, None),
    "FMPadding_rtl": ("padding", _padding, None),
    "ConvolutionInputGenerator_rtl": ("window", _window, None),
    "StreamingDataWidthConverter_rtl": ("width_converter", _converter, None),
}
