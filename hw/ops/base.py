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
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw import generate
from hw.ops.unit import ANY_STYLE, Sizes, Stream, Unit
from hw.rtl_order import module_name

RAM_STYLE = ("s", False, "auto", set(ANY_STYLE))  # of weights
OUTPUT_BITS = 32  #: results leave the accelerator in words the host reads without unpacking
EXACT_FLOAT32 = 1 << 24  # FINN's executor carries integers in float32


class KernelOp(Unit, CustomOp):
    """A kernel of ours: one SystemVerilog module with AXI-Stream in and out.

    The methods that begin with ``get_`` are those by which FINN's transformations know an operator.
    """

    rtl_module: ClassVar[str]  #: name of the kernel; ``hw.rtl_order.module_name`` has its module
    stream_inputs: ClassVar[int] = 1  #: leading ONNX inputs that are streams
    replaces: ClassVar[str] = ""  #: operator of the integer graph whose place it takes
    takes_weights: ClassVar[bool] = False  #: whether the last of them are weights, on a memory

    # -- to be given by each kernel ------------------------------------------------------------

    @abstractmethod
    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        """Integer result of this node for its ONNX inputs, streams and constants alike."""

    @abstractmethod
    def rtl_parameters(self) -> dict[str, int | str]:
        """Parameters of the SystemVerilog module, memory file names excepted."""

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        """Memory images: file parameter name -> (bits of a word, words as unsigned integers).

        ``NAME[n]`` is one of several whose names begin with what the parameter NAME gives.
        """
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

    # -- in the place of a node ----------------------------------------------------------------

    @classmethod
    def inputs_for(cls, node: NodeProto) -> list[str]:
        """Inputs of the operator in the place of ``node``."""
        return list(node.input)

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """Attributes of the operator in the place of ``node``; UserError where it cannot be."""
        *vectors, channels = model.get_tensor_shape(node.input[0])
        return {
            "NumChannels": channels,
            "numInputVectors": vectors,
            "inputDataType": model.get_tensor_datatype(node.input[0]).name,
        }

    # -- attributes ----------------------------------------------------------------------------

    def get_nodeattr_types(self) -> dict[str, Any]:
        return {
            "backend": ("s", True, "fpgadataflow"),
            "preferred_impl_style": ("s", False, "", {"", "hls", "rtl"}),
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

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        return self.make_const_shape_op(self.get_normal_output_shape())

    def verify_node(self) -> list[str]:
        return []  # rtl_parameters says what is illegal

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        for i, name in enumerate(self.onnx_node.output):
            model.set_tensor_datatype(name, self.get_output_datatype(i))

    # -- as a unit -----------------------------------------------------------------------------

    @property
    def operator(self) -> str:
        return str(self.onnx_node.op_type)

    @property
    def kernel(self) -> str:
        return self.rtl_module

    def _input(self, ind: int) -> Stream:
        shape, folded = self.get_normal_input_shape(ind), self.get_folded_input_shape(ind)
        return Stream(_ints(shape), _ints(folded), self.get_input_datatype(ind))

    @property
    def inputs(self) -> tuple[Stream, ...]:
        return tuple(self._input(i) for i in range(self.stream_inputs - self.takes_weights))

    @property
    def outputs(self) -> tuple[Stream, ...]:
        return tuple(
            Stream(
                _ints(self.get_normal_output_shape(i)),
                _ints(self.get_folded_output_shape(i)),
                self.get_output_datatype(i),
            )
            for i in range(len(self.onnx_node.output))
        )

    @property
    def weights(self) -> Stream | None:
        return self._input(self.stream_inputs - 1) if self.takes_weights else None

    def weight_words(self, weights: IntArray) -> list[int]:
        """Words of one run through the memory of the weights."""
        bits = self.get_input_datatype(self.stream_inputs - 1).bitwidth()
        return [pack(lanes, bits) for lanes in self.weight_lanes(weights)]

    @property
    def folds(self) -> dict[str, int]:
        return {"PE": self.channels}

    def get_fold(self, attribute: str) -> int:
        return int(self.get_nodeattr(attribute))

    def set_fold(self, attribute: str, value: int) -> None:
        self.set_nodeattr(attribute, value)

    @property
    def ram_style(self) -> str:
        return str(self.get_nodeattr("ramStyle"))

    @ram_style.setter
    def ram_style(self, style: str) -> None:
        self.set_nodeattr("ramStyle", style)

    def run_in_python(self) -> None:
        pass  # execute_node never needs one

    @property
    def cycles(self) -> int:
        return self.get_exp_cycles()

    def _cpp(self, *names: str, **others: int) -> Sizes:
        """Parameters of the RTL under their names, and ``others``, as sizes of the twin."""
        values = self.rtl_parameters() | others
        return {name: int(values[name]) for name in names}

    def instance(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        folder: Path,
        constants: Sequence[IntArray] = (),
        reset: str = "rst_n",
    ) -> str:
        names_in, names_out = self.rtl_ports()
        nets = dict(zip([*names_in, *names_out], [*inputs, *outputs], strict=True))
        return generate.instance(self, self.name, nets, folder, constants, {"rst_n": reset})

    @property
    def rtl_modules(self) -> tuple[str, ...]:
        return (module_name(self.rtl_module),)

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


def _ints(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


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
