# SPDX-License-Identifier: Apache-2.0
"""What all our kernels have in common as FINN operators.

A kernel is a class derived from :class:`KernelOp`; it names its SystemVerilog module, gives the
module's parameters and memory images, its golden function on integers, its timing and its cost.
Tensors are NHWC, channels last; a stream word carries ``PE`` neighbouring channels, lane 0 in the
least significant bits.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from qonnx.core.datatype import BaseDataType, DataType

from host.common.arrays import IntArray
from host.common.errors import UserError

RAM_STYLE = ("s", False, "auto", {"auto", "distributed", "block", "ultra"})  # of weights
EXACT_FLOAT32 = 1 << 24  # FINN's executor carries integers in float32


@dataclass(frozen=True)
class Resources:
    """Cost of one instance on UltraScale+; ``origin`` says where the numbers come from."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram18: int = 0
    uram: int = 0
    origin: str = "estimated by the kernel's formula"


class KernelOp(HWCustomOp):
    """A kernel of ours: one SystemVerilog module with AXI-Stream in and out."""

    rtl_module: ClassVar[str]  #: module name = file name in hw/rtl
    rtl_sources: ClassVar[tuple[str, ...]] = ()  #: further modules in hw/rtl it instantiates
    stream_inputs: ClassVar[int] = 1  #: leading ONNX inputs that are streams

    # -- to be given by each kernel ------------------------------------------------------------

    @abstractmethod
    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Integer result of this node for its ONNX inputs, streams and constants alike."""

    @abstractmethod
    def rtl_parameters(self) -> dict[str, int | str]:
        """Parameters of the SystemVerilog module, memory file names excepted."""

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        """Memory images: file parameter name -> (bits of a word, words as unsigned integers)."""
        return {}

    def rtl_ports(self) -> tuple[list[str], list[str]]:
        """Names of the stream ports, inputs and outputs, in the order of the ONNX tensors."""
        n_in, n_out = self.stream_inputs, len(self.onnx_node.output)
        ins = ["s_axis"] if n_in == 1 else [f"s_axis[{i}]" for i in range(n_in)]
        outs = ["m_axis"] if n_out == 1 else [f"m_axis[{i}]" for i in range(n_out)]
        return ins, outs

    def rtl_wires(self) -> dict[str, str | None]:
        """Ports beside clock, reset and streams -> expression on a port left open, None: never."""
        return {}

    @abstractmethod
    def latency(self) -> int:
        """Clock cycles from the last input word of the first result to that result at the port."""

    @abstractmethod
    def resources(self) -> Resources:
        """Cost of this instance."""

    # -- attributes ----------------------------------------------------------------------------

    def get_nodeattr_types(self) -> dict[str, Any]:
        common: dict[str, Any] = super().get_nodeattr_types()
        return common | {
            "PE": ("i", False, 1),
            "NumChannels": ("i", True, 0),
            "numInputVectors": ("ints", False, [1]),
            "inputDataType": ("s", True, ""),
        }

    @property
    def pe(self) -> int:
        """Channels in a stream word."""
        return int(self.get_nodeattr("PE"))

    @property
    def channels(self) -> int:
        """Channels of the first input."""
        return int(self.get_nodeattr("NumChannels"))

    @property
    def vectors(self) -> tuple[int, ...]:
        """Leading dimensions (batch, height, width) of the first input."""
        return tuple(int(v) for v in self.get_nodeattr("numInputVectors"))

    def check_folding(self) -> None:
        """Raise UserError unless the fold divides the channels."""
        if self.pe < 1 or self.channels % self.pe:
            raise UserError(
                f"PE={self.pe} does not divide the {self.channels} channels of "
                f"{self.onnx_node.name}; use one of {divisors(self.channels)}"
            )

    def check_weights(self, weights: IntArray, expected: tuple[int, ...]) -> None:
        """Raise UserError unless ``weights`` have the shape ``expected``."""
        if weights.shape != expected:
            raise UserError(
                f"weights of {self.onnx_node.name} have the shape {weights.shape}; "
                f"its attributes ask for {expected}"
            )

    def check_accumulators(self, sums: IntArray) -> None:
        """Raise UserError unless all ``sums`` fit the output's datatype, accDataType."""
        dtype = self.get_output_datatype()
        low, high = int(sums.min(initial=0)), int(sums.max(initial=0))
        if low < dtype.min() or high > dtype.max():
            raise UserError(
                f"{self.onnx_node.name}: accumulators of {low}..{high} do not fit "
                f"accDataType={dtype.name}; widen it"
            )

    # -- shapes and types as FINN asks for them ------------------------------------------------

    def get_input_datatype(self, ind: int = 0) -> BaseDataType:
        return DataType[self.get_nodeattr("inputDataType")]

    @abstractmethod
    def get_output_datatype(self, ind: int = 0) -> BaseDataType: ...

    def get_normal_input_shape(self, ind: int = 0) -> Sequence[int]:
        return (*self.vectors, self.channels)

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return self.get_normal_input_shape()

    def _folded(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] // self.pe, self.pe)

    def get_folded_input_shape(self, ind: int = 0) -> Sequence[int]:
        return self._folded(self.get_normal_input_shape(ind))

    def get_folded_output_shape(self, ind: int = 0) -> Sequence[int]:
        return self._folded(self.get_normal_output_shape(ind))

    def get_instream_width(self, ind: int = 0) -> int:
        if ind >= self.stream_inputs:
            return 0
        return int(self.get_folded_input_shape(ind)[-1] * self.get_input_datatype(ind).bitwidth())

    def get_outstream_width(self, ind: int = 0) -> int:
        return int(self.get_folded_output_shape(ind)[-1] * self.get_output_datatype(ind).bitwidth())

    def get_exp_cycles(self) -> int:
        """Clock cycles a frame: by default one word a cycle."""
        return int(np.prod(self.get_folded_input_shape()[:-1]))

    def infer_node_datatype(self, model: Any) -> None:
        for i, name in enumerate(self.onnx_node.output):
            model.set_tensor_datatype(name, self.get_output_datatype(i))

    # -- execution -----------------------------------------------------------------------------

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        node = self.onnx_node
        inputs = [to_integers(context[name], name) for name in node.input]
        for name, value in zip(node.output, self.golden(*inputs), strict=True):
            if np.abs(value).max(initial=0) > EXACT_FLOAT32:
                raise UserError(
                    f"{node.name}: {name} reaches {np.abs(value).max()}, beyond the 2**24 that the "
                    "graph executor carries exactly; narrow the operands of this layer"
                )
            context[name] = value.astype(np.float32)


def to_integers(values: npt.NDArray[Any], name: str) -> IntArray:
    """``values`` as int64; UserError if one of them is no integer."""
    result: IntArray = np.rint(values).astype(np.int64)
    if not np.array_equal(result, values):
        raise UserError(f"tensor {name} holds fractions; the kernel graph is integer throughout")
    return result


def divisors(number: int) -> list[int]:
    """All folds that ``number`` channels allow."""
    return [d for d in range(1, number + 1) if number % d == 0]


def check_weight_type(name: str, weight: BaseDataType, most: int) -> None:
    """Raise UserError unless the weights of the kernel ``name`` are signed, of 2..most bits."""
    if not weight.signed() or not 2 <= weight.bitwidth() <= most:
        kind = "too wide or narrow" if weight.signed() else "unsigned"
        raise UserError(f"{name}: weightDataType={weight.name} is {kind}; use INT2 to INT{most}")


def pack(values: IntArray, bits: int) -> int:
    """One memory word from lanes, lane 0 least significant, two's complement of ``bits`` bits."""
    word = 0
    for lane, value in enumerate(np.asarray(values).reshape(-1).tolist()):
        word |= (int(value) & ((1 << bits) - 1)) << (lane * bits)
    return word
