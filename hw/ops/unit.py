# SPDX-License-Identifier: Apache-2.0
"""What every stage of the flow asks of a unit, be its kernel ours or FINN's.

A unit is an instance of a kernel in a design, one node of its graph. Our operators are units
themselves, see hw/ops/base.py; FINN's have an adapter each in hw/units. ``hw.units.unit_of`` gives
the unit of a node.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from hw.ops.layers import layer_of

OPERAND_BITS = 27  #: of the wider operand of a multiplier in the DSPs of UltraScale+
Sizes = dict[str, int]
RAM_STYLES = ("distributed", "block", "ultra")
ANY_STYLE = ("auto", "block", "distributed", "ultra")  #: of a memory in a folding file


@dataclass(frozen=True)
class Resources:
    """Cost of one instance on UltraScale+; ``origin`` says where the numbers come from."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram18: int = 0
    uram: int = 0
    origin: str = "estimated by the kernel's formula"


@dataclass(frozen=True)
class Stream:
    """A stream of a unit: a tensor a frame, in words of neighbouring lanes."""

    shape: tuple[int, ...]
    """Of the tensor."""
    folded: tuple[int, ...]
    """Of the tensor in words: their number along each axis, then the lanes of a word."""
    datatype: BaseDataType
    """Of a lane."""

    @property
    def lanes(self) -> int:
        """Elements in a word."""
        return self.folded[-1]

    @property
    def bits(self) -> int:
        """Bits of a lane."""
        return int(self.datatype.bitwidth())

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.lanes * self.bits

    @property
    def padded_width(self) -> int:
        """Bits of a word in whole bytes."""
        return self.width + -self.width % 8

    @property
    def words(self) -> int:
        """Words of a frame."""
        return int(np.prod(self.folded[:-1]))

    @property
    def pixel_words(self) -> int:
        """Words of a pixel."""
        return self.folded[-2]


@dataclass(frozen=True)
class Table:
    """Constants of a kernel in C++: a static array, its rows in a file beside it."""

    name: str
    element: str
    """C++ type of an element."""
    rows: IntArray
    """(entries, numbers of an entry)."""
    flat: bool = False
    """Whether an entry is one element, a structure of the numbers, instead of an array of them."""

    def declaration(self, name: str, file: str) -> str:
        """Definition of the array under ``name`` with its rows from ``file``."""
        extent = "" if self.flat else f"[{self.rows.shape[1]}]"
        size = f"[{len(self.rows)}]{extent}"
        return f'static const {self.element} {name}{size} = {{\n#include "{file}"\n}};\n'

    def text(self) -> str:
        """Contents of the file: one entry a line."""
        return "".join("{" + ",".join(map(str, row)) + "},\n" for row in self.rows.tolist())

    def pragma(self, name: str, pe: int) -> str:
        """How the array under ``name`` is laid out so that an entry is read in a cycle."""
        if self.flat:
            return (
                f"#pragma HLS aggregate variable = {name}\n"
                f"#pragma HLS array_partition variable = {name} type = cyclic factor = {pe}\n"
            )
        return f"#pragma HLS array_reshape variable = {name} dim = 2 type = complete\n"


class Unit(ABC):
    """One unit of a design."""

    onnx_node: NodeProto
    ours: ClassVar[bool] = True  #: whether its RTL is in hw/rtl, else FINN generates it
    passes_on: ClassVar[bool] = False  #: whether it gives its words as they came
    arranges: ClassVar[bool] = False  #: whether it only brings words in the form for the next unit
    joins: ClassVar[bool] = False  #: whether it takes from all its inputs for one output
    in_turns: ClassVar[bool] = False  #: whether an input waits for the words of another one's pixel
    pauses: ClassVar[bool] = False  #: whether there are times in which it takes no word
    in_step: ClassVar[bool] = False  #: whether every word that it takes leaves at once
    cpp_kernel: ClassVar[str] = ""  #: header in hw/hls and namespace of its twin, "" for none
    cpp_outputs_first: ClassVar[bool] = False  #: whether the twin takes the inputs last

    @property
    def bursts(self) -> bool:
        """Whether it gives the words of several pixels at once."""
        return False

    @property
    def narrows(self) -> bool:
        """Whether a word that it takes leaves as several."""
        return False

    @property
    def joins_frames(self) -> bool:
        """Whether some inputs wait for whole frames of others."""
        return False

    @property
    def name(self) -> str:
        """Of the instance."""
        return str(self.onnx_node.name)

    @property
    def kernels(self) -> tuple[str, ...]:
        """Kernels that can do its work, where there is a choice."""
        return ()

    @property
    def rigid(self) -> bool:
        """Whether it needs the very words of the window before it."""
        return False

    @property
    def layer(self) -> str:
        """Layer of the network that it computes or serves, "" if the model does not say."""
        return layer_of(self.onnx_node)

    @property
    def described(self) -> str:
        """Name with the layer beside it, for messages."""
        return f"{self.name} ({self.layer})" if self.layer else self.name

    @property
    @abstractmethod
    def operator(self) -> str:
        """Its operator in the graph, without what says in which language it is written."""

    @property
    @abstractmethod
    def kernel(self) -> str:
        """Its kernel in reports: the module of one of ours, the operator of one of FINN's."""

    # -- streams -------------------------------------------------------------------------------

    @property
    @abstractmethod
    def inputs(self) -> tuple[Stream, ...]:
        """Streams of data in, in the order of the node's inputs."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[Stream, ...]:
        """Streams out, in the order of the node's outputs."""

    @property
    def weights(self) -> Stream | None:
        """Stream of weights from a memory beside the unit; ``shape`` is that of the matrix."""
        return None

    @property
    def all_inputs(self) -> tuple[Stream, ...]:
        """Streams in, that of the weights last."""
        return (*self.inputs, self.weights) if self.weights else self.inputs

    def weight_lanes(self, weights: IntArray) -> IntArray:
        """Weights as the lanes (words, lanes) of one run through their memory."""
        raise NotImplementedError

    # -- parallelism ---------------------------------------------------------------------------

    @property
    @abstractmethod
    def folds(self) -> Mapping[str, int]:
        """Attributes of the fold -> the channels that each must divide."""

    @abstractmethod
    def get_fold(self, attribute: str) -> int:
        """Value of an attribute of the fold."""

    @abstractmethod
    def set_fold(self, attribute: str, value: int) -> None:
        """Change an attribute of the fold; not checked."""

    @property
    def has_memory(self) -> bool:
        """Whether the style of a memory can be chosen for it: of its weights or its buffer."""
        return self.weights is not None

    @property
    def ram_style(self) -> str:
        """Style of that memory."""
        raise NotImplementedError

    @ram_style.setter
    def ram_style(self, style: str) -> None:
        raise NotImplementedError

    def choose_kernel(self, kernel: str) -> None:  # noqa: B027 - most have no choice
        """Become ``kernel``, one of :attr:`kernels`, where that is the same operator."""

    def can_be(self, kernel: str) -> bool:
        """Whether ``kernel``, one of :attr:`kernels`, can do its work with its types."""
        return True

    @property
    def double_clock(self) -> bool:
        """Whether it needs ``clk2x``, at twice the clock and in phase with it."""
        return False

    @property
    def options(self) -> dict[str, tuple[str, ...]]:
        """What a folding file may choose by name -> the names."""
        kernels = {"kernel": self.kernels} if self.kernels else {}
        return kernels | ({"ramStyle": ANY_STYLE} if self.has_memory else {})

    @abstractmethod
    def run_in_python(self) -> None:
        """See to it that the graph's executor needs no tool for the node."""

    # -- time, room and cost -------------------------------------------------------------------

    @property
    @abstractmethod
    def cycles(self) -> int:
        """Clock cycles that it needs for a frame when it waits for nobody."""

    @property
    def least_cycles(self) -> int:
        """Fewest cycles between frames of a design with it."""
        return self.cycles

    @property
    def multiplications(self) -> int:
        """Products of activations and weights in a frame."""
        return 0

    @property
    def held_pixels(self) -> int:
        """Pixels that it keeps back before it gives the first."""
        return 0

    @property
    def fifo_depth(self) -> int:
        """Words that it holds if that is all it does, else 0."""
        return 0

    def waiting_words(self, held: Sequence[int]) -> list[int]:
        """Words that are expected to wait at each input; none where it takes them as they come.

        ``held`` are the pixels that the windows of the branch before each input keep back.
        """
        return []

    @abstractmethod
    def resources(self) -> Resources:
        """Cost without the memory of its weights."""

    def products_beyond(self, operand_bits: int) -> int:
        """Products whose wider operand has more bits than that, of those that a DSP is counted for.

        Where the DSPs take no more, such a product is cut in two.
        """
        return 0

    def resources_on(self, operand_bits: int) -> Resources:
        """Cost on a part whose DSPs multiply operands of so many bits."""
        found = self.resources()
        return replace(found, dsp=found.dsp + self.products_beyond(operand_bits))

    # -- text ----------------------------------------------------------------------------------

    def cpp_sizes(self) -> Sizes:
        """Arguments of the twin's function template in their order; UserError for illegal ones."""
        raise NotImplementedError

    def cpp_table(self, constants: Sequence[IntArray]) -> Table | None:
        """Table of the twin from the node's constant inputs."""
        return None

    @abstractmethod
    def instance(
        self,
        inputs: Sequence[str],
        outputs: Sequence[str],
        folder: Path,
        constants: Sequence[IntArray] = (),
        reset: str = "rst_n",
    ) -> str:
        """SystemVerilog of the instance; its memory files go into ``folder``.

        ``inputs`` and ``outputs`` are the nets of the streams, that of the weights after the data;
        ``constants`` the node's constant inputs but the weights.
        """

    @property
    def rtl_modules(self) -> tuple[str, ...]:
        """Modules of hw/rtl in it; ``hw.rtl_files.files_of`` knows what they instantiate."""
        return ()

    def generated_rtl(
        self, scratch: Path, model: ModelWrapper, part: str, clk_ns: float
    ) -> list[Path]:
        """Sources that are generated for it, in ``scratch`` or in the library they come from."""
        return []
