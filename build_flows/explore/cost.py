# SPDX-License-Identifier: Apache-2.0
"""Cost of every kind of node on UltraScale+, from its attributes alone: no tool is called.

Our kernels bring their own formulas. Those of FINN's units are here, because FINN's own leave out
the logic of most of them; they follow the structure of the generated RTL.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, gcd, log2
from typing import Any

import numpy as np
from qonnx.custom_op.base import CustomOp

from hw.ops.base import KernelOp, Resources
from hw.ops.fifo import auto_style, lut_memory_luts, memory_cost

FINN_ORIGIN = "estimated by FINN's formula"
OUR_ORIGIN = "estimated by our formula for FINN's unit"
MVU_DSP_BITS = 27  #: of the multiplier's wide operand, which FINN's dense unit shares


def unit_cost(op: CustomOp, part: str) -> Resources:
    """Cost of the unit of ``op`` on ``part`` without its weight memory."""
    if isinstance(op, KernelOp):
        return op.resources()
    formula = FORMULAS.get(op.onnx_node.op_type)
    return formula(op) if formula is not None else _finn_cost(op, part)


def kernel_name(op: CustomOp) -> str:
    """Module of a kernel of ours, operator of one of FINN's."""
    return op.rtl_module if isinstance(op, KernelOp) else op.onnx_node.op_type.removesuffix("_rtl")


def window_style(op: Any) -> str:
    """Memory of a sliding window, "distributed", "block" or "ultra"; "auto" is resolved."""
    style = str(op.get_nodeattr("ram_style"))
    if style != "auto":
        return style
    found = auto_style(op.get_instream_width(), op.get_buffer_depth())
    return "distributed" if found == "srl" else found


def _padding(op: Any) -> Resources:
    """A register and its overflow, counters of the two edges."""
    width = op.get_instream_width()
    return Resources(lut=20 + width, ff=17 + 2 * width, origin=OUR_ORIGIN)


def _window(op: Any) -> Resources:
    """The buffer; addresses in it and counters of the frame's words, which are compared."""
    width, depth, style = op.get_instream_width(), op.get_buffer_depth(), window_style(op)
    place, word = (int(n - 1).bit_length() for n in (depth, op.get_number_input_values()))
    lut, ff = 12 + 8 * (place + word), 35 + 2 * place + 3 * word
    if style == "distributed":
        return Resources(lut=lut + lut_memory_luts(width, depth), ff=ff + width, origin=OUR_ORIGIN)
    memory = memory_cost(style, width, depth)
    return Resources(lut=lut, ff=ff, bram18=memory.bram18, uram=memory.uram, origin=OUR_ORIGIN)


def _converter(op: Any) -> Resources:
    """A buffer of elements as wide as both ports divide; each lane in can go to several places.

    To wider words a lane is copied to all places. To narrower ones the lanes rotate before the
    buffer, which costs many times the bits they carry.
    """
    bits_in, bits_out = op.get_instream_width(), op.get_outstream_width()
    element = gcd(bits_in, bits_out)
    lanes, places = bits_in // element, (bits_in + bits_out) // element
    rotation = 1.75 * bits_in * log2(lanes) if lanes > 1 else bits_in + 2 * places
    return Resources(
        lut=15 + round(rotation), ff=8 + places + bits_in + bits_out, origin=OUR_ORIGIN
    )


def _dense(op: Any) -> Resources:
    """FINN's dense unit: two outputs a DSP, adder trees, the replay of a pixel, output queue."""
    simd, pe = int(op.get_nodeattr("SIMD")), int(op.get_nodeattr("PE"))
    acc = op.get_output_datatype().bitwidth()
    act, weight = op.get_input_datatype(0).bitwidth(), op.get_input_datatype(1).bitwidth()
    lanes = 1 + (MVU_DSP_BITS - weight - 1) // (weight + act - 1)
    folds_in, folds_out = op.get_nodeattr("MW") // simd, op.get_nodeattr("MH") // pe
    replay = lut_memory_luts(simd * act, folds_in) + 40 if folds_out > 1 else 0
    tree = pe * (simd - 1) * (acc + 2)
    return Resources(
        lut=40 + replay + tree + 2 * pe * acc + pe * simd * 2,
        ff=30 + simd * act + tree + 2 * pe * acc + pe * simd * 2,
        dsp=ceil(pe / lanes) * simd,
        origin=OUR_ORIGIN,
    )


def _finn_cost(op: CustomOp, part: str) -> Resources:
    cost = {k: int(np.ceil(v)) for k, v in op.node_res_estimation(part).items() if np.isfinite(v)}
    return Resources(
        lut=cost["LUT"], dsp=cost["DSP"], bram18=cost["BRAM_18K"], uram=cost["URAM"],
        origin=FINN_ORIGIN,
    )  # fmt: skip


FORMULAS: dict[str, Callable[[Any], Resources]] = {
    "ConvolutionInputGenerator_rtl": _window,
    "FMPadding_rtl": _padding,
    "MVAU_rtl": _dense,
    "StreamingDataWidthConverter_rtl": _converter,
}
