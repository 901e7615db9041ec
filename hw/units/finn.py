# SPDX-License-Identifier: Apache-2.0
"""What all units of FINN's have in common.

FINN generates their RTL. Its own formulas leave out the logic of most of them, so each adapter has
a formula that follows the structure of that RTL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.finn.environment import prepare_finn
from hw.ops.unit import Stream, Unit

ORIGIN = "estimated by our formula for FINN's unit"
SCRATCH = ("code_gen_dir_ipgen", "ipgen_path", "ip_path")  #: attributes with paths


class FinnUnit(Unit):
    """A unit of FINN's RTL library around its operator ``op``."""

    ours = False
    channels_of: ClassVar[Mapping[str, str]] = {}  #: fold -> attribute that it must divide
    tied: ClassVar[Mapping[str, str]] = {}  #: ports beside clock, reset and streams -> constant

    def __init__(self, op: CustomOp) -> None:
        self.op: Any = op
        self.onnx_node = op.onnx_node

    @property
    def operator(self) -> str:
        return str(self.onnx_node.op_type).removesuffix("_rtl")

    @property
    def kernel(self) -> str:
        return self.operator

    # -- streams and parallelism ---------------------------------------------------------------

    def _input(self, ind: int) -> Stream:
        return Stream(
            tuple(self.op.get_normal_input_shape(ind)),
            tuple(self.op.get_folded_input_shape(ind)),
            self.op.get_input_datatype(ind),
        )

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return (self._input(0),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return (
            Stream(
                tuple(self.op.get_normal_output_shape()),
                tuple(self.op.get_folded_output_shape()),
                self.op.get_output_datatype(),
            ),
        )

    @property
    def folds(self) -> dict[str, int]:
        return {fold: int(self.op.get_nodeattr(n)) for fold, n in self.channels_of.items()}

    def get_fold(self, attribute: str) -> int:
        return int(self.op.get_nodeattr(attribute))

    def set_fold(self, attribute: str, value: int) -> None:
        self.op.set_nodeattr(attribute, value)

    @property
    def ram_style(self) -> str:
        return str(self.op.get_nodeattr("ram_style"))

    @ram_style.setter
    def ram_style(self, style: str) -> None:
        self.op.set_nodeattr("ram_style", style)

    @property
    def cycles(self) -> int:
        return int(self.op.get_exp_cycles())

    def run_in_python(self) -> None:
        self.op.set_nodeattr("exec_mode", "cppsim")

    # -- text ----------------------------------------------------------------------------------

    def instance(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        folder: Path,
        constants: Sequence[IntArray] = (),
        reset: str = "rst_n",
    ) -> str:
        """As in the interface: ports in whole bytes, clock and reset under FINN's names."""
        connections = {"ap_clk": "clk", "ap_rst_n": reset, **self.tied}
        text = ""
        for i, (net, stream) in enumerate(zip(inputs, self.all_inputs, strict=True)):
            padding = stream.padded_width - stream.width
            data = f"{{{padding}'b0, {net}_tdata}}" if padding else f"{net}_tdata"
            connections |= _port(f"in{i}_V", net, data)
        for i, (net, stream) in enumerate(zip(outputs, self.outputs, strict=True)):
            padded = f"{net}_padded"
            text += f"  logic [{stream.padded_width - 1}:0] {padded};\n"
            text += f"  assign {net}_tdata = {padded}[{stream.width - 1}:0];\n"
            connections |= _port(f"out{i}_V", net, padded)
        ports = ",\n".join(f"    .{port}({signal})" for port, signal in connections.items())
        return f"{text}  {self.name} {self.name}_unit (\n{ports}\n  );\n"

    def generated_rtl(
        self, scratch: Path, model: ModelWrapper, part: str, clk_ns: float
    ) -> list[Path]:
        prepare_finn()
        self.op.set_nodeattr(SCRATCH[0], str(scratch))
        try:
            self.op.code_generation_ipgen(model, part, clk_ns)
        except (AssertionError, ValueError) as error:  # ValueError: counters of no bits
            reason = error if isinstance(error, AssertionError) else "it gives too few pixels"
            raise UserError(
                f"{self.described}: FINN has no RTL for it ({reason}); use another kernel or stride"
            ) from error
        files = [Path(file) for file in self.op.get_rtl_file_list(abspath=True)]
        for attribute in SCRATCH:
            self.op.set_nodeattr(attribute, "")
        return files


def _port(port: str, net: str, data: str) -> dict[str, str]:
    return {
        f"{port}_TDATA": data,
        f"{port}_TVALID": f"{net}_tvalid",
        f"{port}_TREADY": f"{net}_tready",
    }
