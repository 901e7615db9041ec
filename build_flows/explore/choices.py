# SPDX-License-Identifier: Apache-2.0
"""What may be chosen for each unit of a mapped model, and what each choice costs.

A choice is an entry of the folding file: fold, kernel and memory of the weights. It fixes the lanes
of the unit's streams, the cycles a frame takes and the resources of the unit, its weight memory and
the FIFOs in front of it. A link is a stream between two units; where their lanes differ it costs a
width converter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.explore.budget import RESOURCES, Cost
from build_flows.graph.edit import apply_all, branch_before, streams_of
from build_flows.graph.folding import LAYER, ReplaceDense, Table
from build_flows.parts import Part
from host.board.registers import MAX_DEPTH
from hw.ops.base import divisors
from hw.ops.fifo import MIN_DEPTH, auto_style, memory_cost
from hw.ops.unit import RAM_STYLES, Resources, Stream, Unit
from hw.ops.weight_stream import WeightStream
from hw.ops.width_converter import converter_resources
from hw.units import unit_of, units_of

NOTHING: Cost = (0,) * len(RESOURCES)


@dataclass(frozen=True)
class Choice:
    """One way to build a unit."""

    entry: tuple[tuple[str, int | str], ...]
    """Attributes and values as in the folding file."""
    lanes: tuple[int, int]
    """Elements in a word of its input and of its output streams."""
    cycles: int
    """Clock cycles a frame of a design with it, see :attr:`hw.ops.unit.Unit.least_cycles`."""
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
    """All choices of a model."""

    units: dict[str, tuple[Choice, ...]]
    links: tuple[Link, ...]
    layers: Mapping[str, str] = field(default_factory=dict)
    """Unit -> layer of the network, where the model says it."""
    pumped: bool = False
    """Whether units that double the clock of their DSPs are among the choices."""

    def described(self, name: str) -> str:
        """Name of a unit with its layer beside it."""
        return f"{name} ({self.layers[name]})" if name in self.layers else name

    def converter(self, link: Link, lanes_out: int, lanes_in: int) -> Cost:
        """Cost of what ``link`` needs between a source and a sink of so many lanes."""
        if lanes_out == lanes_in:
            return NOTHING
        return cost_of(converter_resources(lanes_out * link.bits, lanes_in * link.bits))


def cost_of(resources: Resources) -> Cost:
    """The numbers of ``resources`` in the order of RESOURCES."""
    return tuple(getattr(resources, name) for name in RESOURCES)


def total(costs: list[Cost]) -> Cost:
    """Sum by resource."""
    return tuple(map(sum, zip(NOTHING, *costs, strict=True)))


def space_of(model: ModelWrapper, part: Part, pumped: bool) -> Space:
    """Choices of every unit of a mapped model on ``part``; ``model`` is left as it is.

    With ``pumped`` the units that double the clock of their DSPs are among them.
    """
    ours = deepcopy(model)
    dense = {unit.name for unit in units_of(model) if unit.kernels}
    finn = apply_all(deepcopy(model), ReplaceDense(dense))
    replaced = {unit.name: unit for unit in units_of(finn) if unit.name in dense}
    alike: dict[object, tuple[Choice, ...]] = {}
    units = {}
    for unit in units_of(ours):
        held = held_by_branches(ours, unit)
        kind = (_anonymous(unit.onnx_node), *unit.waiting_words(held))
        if kind not in alike:
            finns = replaced.get(unit.name)
            alike[kind] = tuple(_choices(_variants(unit, finns, pumped), held, part))
        units[unit.name] = alike[kind]
    layers = {unit.name: unit.layer for unit in units_of(model) if unit.layer}
    return Space(units, tuple(_links(model)), layers, pumped)


def _variants(unit: Unit, finns: Unit | None, pumped: bool) -> dict[str, Unit]:
    """Kernel -> a unit of it, "" if there is but one."""
    variants = {}
    for kernel in filter(unit.can_be, unit.kernels):
        if finns is not None and kernel == finns.kernel:
            variants[kernel] = finns
            continue
        ours = unit_of(deepcopy(unit.onnx_node))
        ours.choose_kernel(kernel)
        if pumped or not ours.double_clock:
            variants[kernel] = ours
    return variants or {"": unit}


def _anonymous(node: NodeProto) -> bytes:
    """Operator and attributes of a node, the same for nodes that differ in name and streams."""
    copy = NodeProto(op_type=node.op_type)
    copy.attribute.extend(node.attribute)
    text: bytes = copy.SerializeToString(deterministic=True)
    return text


def _choices(kernels: Mapping[str, Unit], held: Sequence[int], part: Part) -> Iterator[Choice]:
    """Every fold of every kernel, "" if there is but one, with every memory."""
    for kernel, unit in kernels.items():
        for values in itertools.product(*map(divisors, unit.folds.values())):
            fold = dict(zip(unit.folds, values, strict=True))
            for attribute, value in fold.items():
                unit.set_fold(attribute, value)
            lanes = (unit.inputs[0].lanes, unit.outputs[0].lanes)
            fifos = [*fifo_costs(unit, held, part.uram > 0)]
            for style, cost in _costs(unit, part.operand_bits):
                named = {"kernel": kernel, "ramStyle": style}
                entry = fold | {k: v for k, v in named.items() if v}
                cost = total([cost, *fifos])
                yield Choice(tuple(entry.items()), lanes, unit.least_cycles, cost)


def _costs(unit: Unit, operand_bits: int) -> Iterator[tuple[str, Cost]]:
    """Memory styles of a unit, "" if it has no choice of them, and its cost with each."""
    if not unit.has_memory:
        yield "", cost_of(unit.resources_on(operand_bits))
        return
    weights, count = unit.weights, _weights_of(unit)
    if weights is not None and count // weights.lanes > MAX_DEPTH:
        return
    for style in RAM_STYLES:
        unit.ram_style = style
        beside = [_memory(weights, count, style)] if weights else []
        yield style, total([cost_of(unit.resources_on(operand_bits)), *beside])


def _weights_of(unit: Unit) -> int:
    """Number of weights of a unit."""
    return int(np.prod(unit.weights.shape)) if unit.weights else 0


def _memory(weights: Stream, count: int, style: str) -> Cost:
    depth = count // weights.lanes
    return weight_memory_cost(depth, weights.lanes, weights.datatype.name, style)


@cache
def weight_memory_cost(depth: int, lanes: int, datatype: str, style: str) -> Cost:
    """Cost of a memory of ``depth`` words of ``lanes`` weights."""
    shape = np.zeros((depth, lanes), np.int64)
    memory = WeightStream.from_lanes("weights", shape, datatype, style, chain_index=0)
    return cost_of(memory.resources())


def fifo_costs(unit: Unit, held: Sequence[int], ultra: bool = True) -> Iterator[Cost]:
    """Cost of the FIFO that each input of a unit is expected to need.

    What they need exactly is measured later, see build_flows.design.sizing. ``ultra`` says whether
    the part has UltraRAM.
    """
    for stream, words in zip(unit.inputs, unit.waiting_words(held), strict=False):
        if words >= MIN_DEPTH:
            style = auto_style(stream.width, words, ultra)
            yield cost_of(memory_cost(style, stream.width, words))


def held_by_branches(model: ModelWrapper, unit: Unit) -> list[int]:
    """Pixels that the windows of the branch before each input of a unit that joins keep back."""
    if not unit.joins:
        return []
    branches = (branch_before(model, name) for name in streams_of(model, unit.onnx_node))
    return [sum(unit_of(node).held_pixels for node in branch) for branch in branches]


def _links(model: ModelWrapper) -> Iterator[Link]:
    for unit in units_of(model):
        for index, name in enumerate(unit.onnx_node.input):
            source = model.find_producer(name)
            if source is not None:
                yield Link(source.name, unit.name, unit.inputs[index].bits, unit.rigid)


def table_of(chosen: Mapping[str, Choice], layers: Mapping[str, str]) -> Table:
    """The folding file of a choice for every unit, with the layer of each where it is known."""
    table: Table = {}
    for name, choice in chosen.items():
        if choice.entry:
            table[name] = {LAYER: layers[name]} if name in layers else {}
            table[name] |= dict(choice.entry)
    return table
