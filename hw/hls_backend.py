# SPDX-License-Identifier: Apache-2.0
"""Our kernels as HLS operators of FINN: its PrepareIP and HLSSynthIP make IPs of the twins.

A node whose ``preferred_impl_style`` is "hls" is turned into one of these by :class:`PreferHls`.
They lie in FINN's domain of HLS operators, since FINN looks for them nowhere else.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from finn.custom_op.fpgadataflow.hlsbackend import HLSBackend
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import add_op_to_domain, getCustomOp
from qonnx.transformation.base import Transformation

from hw.ops import operators
from hw.ops.base import KernelOp
from hw.twin import Twin, headers, twin_of

PREFIX = "Twin"  #: of the operators in FINN's domain
DOMAIN = "finn.custom_op.fpgadataflow.hls"
STANDARD = ("-std=c++14", "-std=c++17")  #: of FINN's script, and what the twins need


class TwinBackend(KernelOp, HLSBackend):
    """The parts that FINN's templates for C++ and Tcl ask for, from the twin of the operator.

    It is executed by the kernel's golden function; FINN's way would run a program that Vitis HLS
    has to link.
    """

    _made: Twin

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Those of the kernel and those of FINN's backend."""
        of_finn: dict[str, Any] = HLSBackend.get_nodeattr_types(self)
        return of_finn | super().get_nodeattr_types()

    def generate_params(self, model: ModelWrapper, path: str | Path, *_: Any) -> None:
        """Put the twin's header and the rows of its table into the folder ``path``."""
        values = [model.get_initializer(name) for name in self.onnx_node.input]
        constants = [np.rint(value).astype(np.int64) for value in values if value is not None]
        self._made = twin_of(self, constants)
        for header in headers([self._made]):
            shutil.copyfile(header, Path(path) / header.name)
        if table := self._made.table:
            (Path(path) / f"{table.name}.inc").write_text(table.text())

    def global_includes(self) -> None:
        """The headers of the twin."""
        lines = [f'#include "{header.name}"' for header in headers([self._made])]
        self.code_gen_dict["$GLOBALS$"] = lines

    def defines(self, var: str) -> None:
        """The table of constants."""
        table = self._made.table
        text = [table.declaration(table.name, f"{table.name}.inc")] if table else []
        self.code_gen_dict["$DEFINES$"] = text

    def blackboxfunction(self) -> None:
        """The head of the top function."""
        words = dict(zip(self._streams(), [*self._made.inputs, *self._made.outputs], strict=True))
        arguments = ", ".join(f"hls::stream<{word.cpp}> &{name}" for name, word in words.items())
        self.code_gen_dict["$BLACKBOXFUNCTION$"] = [f"void {self.onnx_node.name}({arguments})"]

    def pragmas(self) -> None:
        """AXI4-Stream for every stream, no control port, the layout of the table."""
        lines = [f"#pragma HLS interface axis port = {name}" for name in self._streams()]
        lines.append("#pragma HLS interface ap_ctrl_none port = return")
        if table := self._made.table:
            lines.append(table.pragma(table.name, self._made.outputs[0].lanes).rstrip())
        self.code_gen_dict["$PRAGMAS$"] = lines

    def docompute(self) -> None:
        """The call of the twin."""
        names, inputs = self._streams(), len(self._made.inputs)
        table = self._made.table.name if self._made.table else ""
        call = self._made.call(names[:inputs], names[inputs:], table)
        self.code_gen_dict["$DOCOMPUTE$"] = [call]

    def code_generation_ipgen(self, model: ModelWrapper, fpgapart: str, clk: float) -> None:
        """FINN's generator; its script compiles as C++17."""
        super().code_generation_ipgen(model, fpgapart, clk)
        folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
        script = folder / f"hls_syn_{self.onnx_node.name}.tcl"
        script.write_text(script.read_text().replace(*STANDARD))

    def _streams(self) -> list[str]:
        """Port names as FINN connects them."""
        inputs = [f"in{i}_V" for i in range(len(self._made.inputs))]
        return inputs + [f"out{i}_V" for i in range(len(self._made.outputs))]


def _backend_of(kernel: type[KernelOp]) -> type[KernelOp]:
    """The HLS operator of a kernel, known to FINN."""
    name = f"{PREFIX}{kernel.__name__}_hls"
    operator = type(name, (TwinBackend, kernel), {"__doc__": kernel.__doc__})
    add_op_to_domain(DOMAIN, operator)
    return operator


BACKENDS = {name: _backend_of(kernel) for name, kernel in operators().items() if kernel.cpp_kernel}


class PreferHls(Transformation):
    """HLS operators in the place of our kernels with ``preferred_impl_style`` "hls"."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Change the nodes; weights become part of their units."""
        for node in model.graph.node:
            if _prefers_hls(node):
                node.op_type, node.domain = BACKENDS[node.op_type].__name__, DOMAIN
        return model, False


def _prefers_hls(node: NodeProto) -> bool:
    if node.domain != "hw.ops" or node.op_type not in BACKENDS:
        return False
    return bool(getCustomOp(node).get_nodeattr("preferred_impl_style") == "hls")
