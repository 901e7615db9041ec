# SPDX-License-Identifier: Apache-2.0
"""Several vectors a pixel joined along the channels, or whole frames one after another."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType
from qonnx.core.modelwrapper import ModelWrapper

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.generate import Symbol
from hw.ops.base import KernelOp, divisors
from hw.ops.unit import Resources, Sizes

CHANNEL_BITS = 32  #: width of one entry of the SystemVerilog parameter CHANNELS


class StreamConcat(KernelOp):
    """Channels of every input one after another; all inputs share type, PE and leading shape.

    With ``frames`` an input is a map of any size, all elements of which are channels of one pixel.
    """

    replaces = "Concat"
    rtl_module = cpp_kernel = "stream_concat"
    joins = True
    in_turns = True
    cpp_outputs_first = True

    def get_nodeattr_types(self) -> dict[str, Any]:
        return super().get_nodeattr_types() | {
            "NumChannels": ("i", False, 0),  # given by ChannelsPerInput
            "ChannelsPerInput": ("ints", True, []),
            "frames": ("i", False, 0, {0, 1}),
        }

    @classmethod
    def attributes_for(cls, model: ModelWrapper, node: NodeProto) -> dict[str, Any]:
        """The channels of each input, or the elements of maps of unlike size."""
        shapes = [model.get_tensor_shape(name) for name in node.input]
        found = super().attributes_for(model, node) | {"NumChannels": 0}
        if len({tuple(vectors) for *vectors, _ in shapes}) == 1:
            return found | {"ChannelsPerInput": [channels for *_, channels in shapes]}
        elements = [int(np.prod(shape)) for shape in shapes]
        return found | {"frames": 1, "numInputVectors": [1, 1, 1], "ChannelsPerInput": elements}

    @property
    def channels_per_input(self) -> tuple[int, ...]:
        """Channels of each input, in the order of the ONNX inputs."""
        return tuple(int(c) for c in self.get_nodeattr("ChannelsPerInput"))

    @property
    def channels(self) -> int:
        """Channels of the output."""
        return sum(self.channels_per_input)

    @property
    def stream_inputs(self) -> int:  # type: ignore[override]
        """Every input is a stream."""
        return len(self.onnx_node.input)

    @property
    def joins_frames(self) -> bool:
        return bool(self.get_nodeattr("frames"))

    def check_folding(self) -> None:
        """Raise UserError unless every input is listed with channels that PE divides."""
        name, channels = self.onnx_node.name, self.channels_per_input
        if len(channels) != len(self.onnx_node.input) or not channels:
            raise UserError(
                f"ChannelsPerInput={list(channels)} of {name} lists {len(channels)} inputs, the "
                f"node has {len(self.onnx_node.input)}; give one number for each"
            )
        limit = (1 << CHANNEL_BITS) - 1
        if min(channels) < 1 or max(channels) > limit:
            raise UserError(f"ChannelsPerInput={list(channels)} of {name}; each must be 1..{limit}")
        common = int(np.gcd.reduce(channels))
        if self.pe < 1 or common % self.pe:
            raise UserError(
                f"PE={self.pe} does not divide every one of the channels {list(channels)} of "
                f"{name}; use one of {divisors(common)}"
            )

    @property
    def folds(self) -> dict[str, int]:
        return {"PE": int(np.gcd.reduce(self.channels_per_input))}

    def golden(self, *inputs: IntArray) -> tuple[IntArray, ...]:
        maps = inputs
        if self.joins_frames:
            maps = tuple(x.reshape(*self.vectors, -1) for x in inputs)
        return (np.concatenate(maps, axis=-1),)

    def rtl_parameters(self) -> dict[str, int | str]:
        self.check_folding()
        channels = ", ".join(f"{CHANNEL_BITS}'d{c}" for c in reversed(self.channels_per_input))
        return {
            "PE": self.pe,
            "WIDTH": self.get_input_datatype().bitwidth(),
            "INPUTS": self.stream_inputs,
            "CHANNELS": Symbol(f"{{{channels}}}"),
        }

    def cpp_sizes(self) -> Sizes:
        self.check_folding()
        beats = {f"BEATS_{i}": n // self.pe for i, n in enumerate(self.channels_per_input)}
        return {"PIXELS": int(np.prod(self.vectors)), **beats}

    def waiting_words(self, held: Sequence[int]) -> list[int]:
        """Each input waits for those before it: its vector."""
        return [stream.pixel_words for stream in self.inputs]

    def get_output_datatype(self, ind: int = 0) -> BaseDataType:
        return self.get_input_datatype()

    def get_normal_input_shape(self, ind: int = 0) -> Sequence[int]:
        return (*self.vectors, self.channels_per_input[ind])

    def get_normal_output_shape(self, ind: int = 0) -> Sequence[int]:
        return (*self.vectors, self.channels)

    def get_exp_cycles(self) -> int:
        return int(np.prod(self.get_folded_output_shape()[:-1]))

    def latency(self) -> int:
        return 1

    def resources(self) -> Resources:
        bits = self.get_outstream_width()
        counters = (
            max(self.channels_per_input) // self.pe
        ).bit_length() + self.stream_inputs.bit_length()
        select = bits * ceil(self.stream_inputs / 3)  # a 6-input LUT holds most of a 4:1 choice
        return Resources(lut=select + bits + 2 * counters, ff=2 * bits + 2 + counters)
