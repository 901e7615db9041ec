# SPDX-License-Identifier: Apache-2.0
"""What may be chosen for each unit of a mapped model, and what each choice costs.

A choice is an entry of the folding file: fold, kernel and memory of the weights. It fixes the lanes
of the unit's streams, the cycles a frame takes and the resources of the unit, its weight memory and
the FIFOs in front of it. A link is a stream between two units; where their lanes differ it costs a
width converter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp

from build_flows.design.sizing import FINN_DENSE, JOINS, PADDING
from build_flows.explore.budget import RESOURCES, Cost
from build_flows.explore.cost import unit_cost
from build_flows.graph.edit import apply_all
from build_flows.graph.folding import (
    WINDOW,
    ReplaceDense,
    Table,
    channels_of,
    foldable,
    has_weights,
)
from host.board.registers import MAX_DEPTH
from hw.ops.base import Resources, divisors
from hw.ops.fifo import MIN_DEPTH, auto_style, memory_cost
from hw.ops.weight_stream import RAM_STYLES, WeightStream

SLACK_PIXELS = 4  #: what the pipelines of a branch hold besides its windows
NOTHING: Cost = (0,) * len(RESOURCES)


@dataclass(frozen=True)
class Choice:
    """One way to build a unit."""

    entry: tuple[tuple[str, int | str], ...]
    """Attributes and values as in the folding file."""
    lanes: tuple[int, int]
    """Elements in a word of its input and of its output streams."""
    cycles: int
    """Clock cycles a frame of a design with it, see :func:`least_cycles`."""
    cost: Cost


@dataclass(frozen=True)
class Link:
    """Stream from the unit ``source`` to the unit ``sink``, both given by name."""

    source: str
    sink: str
    bits: int
    """Bits of an element."""
    rigid: bool
    """Whether both ends must have the same lanes: a depthwise unit and its window."""


@dataclass(frozen=True)
class Space:
    """All choices of a model for a part."""

    units: dict[str, tuple[Choice, ...]]
    links: tuple[Link, ...]
    part: str

    def converter(self, link: Link, lanes_out: int, lanes_in: int) -> Cost:
        """Cost of what ``link`` needs between a source and a sink of so many lanes."""
        if lanes_out == lanes_in:
            return NOTHING
        return converter_cost(lanes_out * link.bits, lanes_in * link.bits, self.part)


def cost_of(resources: Resources) -> Cost:
    """The numbers of ``resources`` in the order of RESOURCES."""
    return tuple(getattr(resources, name) for name in RESOURCES)


def total(costs: list[Cost]) -> Cost:
    """Sum by resource."""
    return tuple(map(sum, zip(NOTHING, *costs, strict=True)))


def space_of(model: ModelWrapper, part: str) -> Space:
    """Choices of every unit of a mapped model; ``model`` is left as it is."""
    ours = deepcopy(model)
    dense = {node.name for node in model.graph.node if node.op_type == "Dense"}
    finn = apply_all(deepcopy(model), ReplaceDense(dense))
    replaced = {node.name: node for node in finn.graph.node if node.name in dense}
    alike: dict[object, tuple[Choice, ...]] = {}
    units = {}
    for node in ours.graph.node:
        kind = (_anonymous(node), *expected_words(ours, node, getCustomOp(node)))
        if kind not in alike:
            alike[kind] = tuple(_choices(ours, node, replaced.get(node.name), part))
        units[node.name] = alike[kind]
    return Space(units, tuple(_links(model)), part)


def _anonymous(node: NodeProto) -> bytes:
    """Operator and attributes of a node, the same for nodes that differ in name and streams."""
    copy = NodeProto(op_type=node.op_type)
    copy.attribute.extend(node.attribute)
    text: bytes = copy.SerializeToString(deterministic=True)
    return text


def _choices(
    model: ModelWrapper, node: NodeProto, finn: NodeProto | None, part: str
) -> Iterator[Choice]:
    kernels = {"Dense": node, "MVAU": finn} if finn is not None else {"": node}
    folds = {a: divisors(channels_of(getCustomOp(node), a)) for a in foldable(node)}
    for kernel, unit in kernels.items():
        op = getCustomOp(unit)
        for values in itertools.product(*folds.values()):
            fold = dict(zip(folds, values, strict=True))
            for attribute, value in fold.items():
                op.set_nodeattr(attribute, value)
            lanes = (op.get_folded_input_shape()[-1], op.get_folded_output_shape()[-1])
            fifos = [*fifo_costs(model, node, op)]
            for style, cost in _costs(op, part):
                named = {"kernel": kernel, "ramStyle": style}
                entry = fold | {k: v for k, v in named.items() if v}
                yield Choice(
                    tuple(entry.items()),
                    (int(lanes[0]), int(lanes[1])),
                    least_cycles(op),
                    total([cost, *fifos]),
                )


def least_cycles(op: CustomOp) -> int:
    """Fewest cycles between frames that a unit allows.

    Between two frames the units behind a padding wait while it writes the last row of one and the
    first of the next before the next row of pixels. So that this takes no longer than a row does
    otherwise, padding must be as many times faster, unless it has all lanes already.
    """
    cycles = int(op.get_exp_cycles())
    if op.onnx_node.op_type == PADDING and op.get_nodeattr("SIMD") < channels_of(op, "SIMD"):
        top, _, bottom, _ = op.get_nodeattr("Padding")
        return cycles * int(top + 1 + bottom)
    return cycles


def _costs(op: CustomOp, part: str) -> Iterator[tuple[str, Cost]]:
    """Memory styles of a unit, "" if it has no choice of them, and its cost with each."""
    if op.onnx_node.op_type == WINDOW:
        for style in RAM_STYLES:
            op.set_nodeattr("ram_style", style)
            yield style, cost_of(unit_cost(op, part))
        return
    unit = cost_of(unit_cost(op, part))
    if not has_weights(op.onnx_node):
        yield "", unit
    elif _memory_shape(op)[0] <= MAX_DEPTH:
        for style in RAM_STYLES:
            yield style, total([unit, _memory(op, style)])


def _memory(op: CustomOp, style: str) -> Cost:
    return weight_memory_cost(*_memory_shape(op), op.get_input_datatype(1).name, style)


def _memory_shape(op: CustomOp) -> tuple[int, int]:
    """Words of the weight memory and weights in a word."""
    lanes = op.get_instream_width(1) // op.get_input_datatype(1).bitwidth()
    return int(np.prod(op.get_normal_input_shape(1))) // lanes, lanes


@cache
def weight_memory_cost(depth: int, lanes: int, datatype: str, style: str) -> Cost:
    """Cost of a memory of ``depth`` words of ``lanes`` weights."""
    shape = np.zeros((depth, lanes), np.int64)
    memory = WeightStream.from_lanes("weights", shape, datatype, style, chain_index=0)
    return cost_of(memory.resources())


def fifo_costs(model: ModelWrapper, node: NodeProto, op: CustomOp) -> Iterator[Cost]:
    """Cost of the FIFO that each input of a unit is expected to need."""
    for index, words in enumerate(expected_words(model, node, op)):
        if words >= MIN_DEPTH:
            width = op.get_instream_width(index)
            yield cost_of(memory_cost(auto_style(width, words), width, words))


def expected_words(model: ModelWrapper, node: NodeProto, op: CustomOp) -> list[int]:
    """Words that wait at each input of a unit: of branches that rejoin, or while it takes none.

    A short branch holds what the windows of the long one hold back, each input of a concatenation
    its vector. Padding takes nothing between the last pixel of a frame and the next frame, FINN's
    dense unit nothing while it works on a vector. What they need exactly is measured later, see
    build_flows.design.sizing. ``op`` is the unit chosen for ``node``.
    """
    kind = op.onnx_node.op_type
    if kind in JOINS:
        shapes = [op.get_folded_input_shape(i) for i in range(len(node.input))]
        if kind == "StreamConcat":
            return [shape[-2] for shape in shapes]
        held = [held_pixels(model, name) for name in node.input]
        return [(max(held) - pixels + SLACK_PIXELS) * shapes[0][-2] for pixels in held]
    if kind == PADDING:
        return [padded_pixels(op) * op.get_folded_input_shape()[-2]]
    return [op.get_folded_input_shape()[-2]] if kind == FINN_DENSE else []


def padded_pixels(padding: CustomOp) -> int:
    """Most pixels that a padding unit adds one after another: around the end of a frame."""
    top, left, bottom, right = padding.get_nodeattr("Padding")
    width = padding.get_nodeattr("ImgDim")[1] + left + right
    return int((top + bottom) * width + left + right)


def held_pixels(model: ModelWrapper, tensor: str) -> int:
    """Pixels that the windows between the last fork and ``tensor`` can hold at once."""
    pixels = 0
    while (node := model.find_producer(tensor)) is not None and node.op_type != "StreamFork":
        if node.op_type == WINDOW:
            window = getCustomOp(node)
            k_h, k_w = window.get_nodeattr("ConvKernelDim")
            pixels += (k_h - 1) * window.get_nodeattr("IFMDim")[1] + k_w
        tensor = node.input[0]
    return pixels


def _links(model: ModelWrapper) -> Iterator[Link]:
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            source = model.find_producer(name)
            if source is not None:
                bits = getCustomOp(node).get_input_datatype(index).bitwidth()
                yield Link(source.name, node.name, bits, rigid=node.op_type == "Depthwise")


@cache
def converter_cost(bits_in: int, bits_out: int, part: str) -> Cost:
    """Cost of FINN's width converter."""
    node = helper.make_node(
        "StreamingDataWidthConverter_rtl", ["in"], ["out"], "converter", backend="fpgadataflow",
        domain="finn.custom_op.fpgadataflow.rtl", inShape=[1], outShape=[1], dataType="BINARY",
        inWidth=bits_in, outWidth=bits_out,
    )  # fmt: skip
    return cost_of(unit_cost(getCustomOp(node), part))


def table_of(chosen: dict[str, Choice]) -> Table:
    """The folding file of a choice for every unit."""
    return {name: dict(choice.entry) for name, choice in chosen.items() if choice.entry}
