# SPDX-License-Identifier: Apache-2.0
"""Quantisers: constants become weights, data the integers of a requantisation or a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.custom_op.general.quant import max_int, min_int

from build_flows.graph.derive.walk import (
    MOST_BITS,
    ZERO,
    Walk,
    Weights,
    attribute,
    by_channel,
    named,
)
from build_flows.graph.fit import Staircase
from build_flows.graph.lookup import lookup_of
from build_flows.graph.rounding_modes import ROUNDINGS, Round, round_even, sign
from build_flows.graph.value import NO_PADS, Term, Value, narrowest, per_channel
from host.common.arrays import F64Array, IntArray
from host.common.errors import UserError
from hw.ops.lookup import MOST_LEVELS
from hw.ops.requant_add import INPUTS


@dataclass(frozen=True)
class Grid:
    """Codes ``round(value / step + zero)`` in ``low``..``high`` that a quantiser gives."""

    step: F64Array
    """(1,), or (channels,)."""
    zero: int
    low: int
    high: int
    rounding: Round = round_even

    @property
    def kind(self) -> BaseDataType:
        """Type of the codes."""
        return narrowest(self.low, self.high)

    def codes(self, steps: F64Array) -> IntArray:
        """Codes of values that are counted in steps; infinite ones give the ends."""
        rounded = self.rounding((steps + self.zero).clip(self.low, self.high))
        codes: IntArray = rounded.astype(np.int64)
        return codes

    def within(self, name: str, low: int, high: int) -> Grid:
        """The codes that are in ``low``..``high`` too; UserError if there are not two."""
        low, high = max(self.low, low), min(self.high, high)
        if high <= low:
            raise UserError(f"{name} gives one value only; look at its scale and limits")
        return replace(self, low=low, high=high)

    def centred(self) -> Grid:
        """The codes less the zero point where they are narrow enough then: a zero is 0."""
        low, high = self.low - self.zero, self.high - self.zero
        if narrowest(low, high).bitwidth() > MOST_BITS:
            return self
        return replace(self, zero=0, low=low, high=high)


def quant(walk: Walk, node: NodeProto) -> Value | None:
    """Quant of constants, or of data."""
    scale, zero, bits = (walk.constant(node, i) for i in (1, 2, 3))
    if scale is None or zero is None or bits is None:
        raise UserError(
            f"{named(node)} has a scale, a zero point or bits that are computed at run time; "
            "export with constant ones"
        )
    legal = np.isfinite(scale).all() and (scale > 0).all() and scale.size
    if bits.size != 1 or zero.size != 1 or zero != np.rint(zero) or not legal:
        raise UserError(
            f"{named(node)}: scales must be above 0, bits and a whole zero point one a tensor"
        )
    if bits == 1 and attribute(node, "signed", 1):
        raise UserError(
            f"{named(node)}: one bit with a sign, which is -1 and 0 to Brevitas, -1 and 1 to "
            "qonnx; use BipolarQuant, or 2 bits and more"
        )
    rounding = _rounding(node)
    low, high = _ends(node, float(bits.item()))
    values = walk.model.get_initializer(node.input[0])
    if values is not None:
        if zero.any():
            raise UserError(f"{named(node)}: weights with a zero point; use symmetric ones")
        integers = rounding(np.asarray(values, np.float64) / scale).clip(low, high)
        walk.weights[node.output[0]] = Weights(
            integers.astype(np.int64), scale, narrowest(low, high)
        )
        return None
    value, step = _read(walk, node, scale)
    _check_bits(node, float(bits.item()), low, high)
    return _coded(walk, node, value, Grid(step, int(zero.item()), low, high, rounding))


def bipolar(walk: Walk, node: NodeProto) -> Value | None:
    """Minus or plus one scale: weights and activations of one bit."""
    scale = walk.constant(node, 1)
    if scale is None or not (scale > 0).all():
        raise UserError(f"{named(node)} has a scale that is not constant and above 0")
    values = walk.model.get_initializer(node.input[0])
    if values is not None:
        signs = sign(np.asarray(values, np.float64) / scale)
        walk.weights[node.output[0]] = Weights(signs.astype(np.int64), scale, DataType["INT2"])
        return None
    value, step = _read(walk, node, scale)
    return _coded(walk, node, value, Grid(step, 0, -1, 1, sign))


def _read(walk: Walk, node: NodeProto, scale: F64Array) -> tuple[Value, F64Array]:
    """The data of a quantiser, and its scale as one number or one a channel."""
    value = walk.anywhere(node, scale.size == 1)
    if scale.size not in (1, value.channels):
        raise UserError(f"{named(node)}: {scale.size} scales for {value.channels} channels")
    return value, by_channel(node, scale, value, "scales")


def trunc(walk: Walk, node: NodeProto) -> Value:
    """Lower bits of a quantised tensor dropped, as Brevitas does behind an average pooling."""
    names = ["scale", "zero point", "bits", "output bits"]
    if len(node.input) == 6:  # from version 2 on
        names.insert(3, "output scale")
    found = dict(zip(names, (walk.constant(node, i) for i in range(1, 6)), strict=False))
    if any(array is None or array.size != 1 for array in found.values()):
        raise UserError(f"{named(node)} has parameters that are no constants, one a tensor")
    numbers = {name: float(array.item()) for name, array in found.items() if array is not None}
    step, zero = numbers["scale"], numbers["zero point"]
    if zero or not step > 0:
        raise UserError(
            f"{named(node)}: scale={step:g}, zero point={zero:g}; use one above 0, and 0"
        )
    _check_whole(node, numbers["bits"])
    dropped = 2.0 ** (numbers["bits"] - numbers["output bits"])
    given = numbers.get("output scale", step)
    if "output scale" in numbers:
        dropped = 2.0 ** np.rint(np.log2(given / step))
    value = walk.anywhere(node).through(lambda x: round_even(x / step) / dropped)
    low, high = _ends(node, numbers["output bits"])
    if "output scale" not in numbers:  # version 1 does not clip, and does not know the sign
        low, high = -(2 ** (MOST_BITS - 1)), 2**MOST_BITS - 1
    grid = Grid(np.ones(1), 0, low, high, _rounding(node, b"FLOOR"))
    return _coded(walk, node, value, grid).affine(np.array([given]), ZERO)


def _rounding(node: NodeProto, default: bytes = b"ROUND") -> Round:
    mode = attribute(node, "rounding_mode", default).decode().upper()
    if mode not in ROUNDINGS:
        raise UserError(f"{named(node)}: rounding_mode={mode!r}; use {', '.join(ROUNDINGS)}")
    return ROUNDINGS[mode]


def _ends(node: NodeProto, bits: float) -> tuple[int, int]:
    """Least and largest code of a quantiser."""
    _check_whole(node, bits)
    signed, narrow = bool(attribute(node, "signed", 1)), bool(attribute(node, "narrow", 0))
    low, high = (int(end(signed, narrow, bits)) for end in (min_int, max_int))
    return low, high


def _check_whole(node: NodeProto, bits: float) -> None:
    if not (1 <= bits <= 32 and bits == int(bits)):
        raise UserError(f"{named(node)}: {bits:g} bits; use a whole number, 2 to {MOST_BITS}")


def _check_bits(node: NodeProto, bits: float, low: int, high: int) -> None:
    if bits > MOST_BITS or high <= low:
        raise UserError(f"{named(node)}: {bits:g} bits of an activation; use 2 to {MOST_BITS}")


def _coded(walk: Walk, node: NodeProto, value: Value, grid: Grid) -> Value:
    """``value`` behind a quantiser: a line on the integers, or else a table of them."""
    if value.pads != NO_PADS:
        raise UserError(f"{named(node)} stands behind a padding; pad behind the quantiser")
    if value.parts:
        grids = (replace(grid, step=step) for step in value.split(grid.step))
        pairs = zip(value.parts, grids, strict=True)
        joined = walk.beside([_coded(walk, node, part, own) for part, own in pairs])
        return replace(joined, rank=value.rank, moved=value.moved)
    straight = value.curve is None and grid.rounding is round_even
    found = _line(walk, node, value, grid) if straight else None
    name, grid = found or _table(walk, node, value, grid)
    low, high = (np.full(value.channels, end) for end in (grid.low, grid.high))
    kind = DataType["UINT8"] if name == walk.source else grid.kind
    offset = -grid.zero * grid.step if grid.zero else ZERO
    term = Term(name, grid.step, low, high, kind)
    return Value((term,), offset, value.shape, rank=value.rank, moved=value.moved)


def _line(walk: Walk, node: NodeProto, value: Value, grid: Grid) -> tuple[str, Grid] | None:
    """Tensor and grid of a requantisation; None where no integers of one round as the file does.

    UserError of a sum then, which has no table.
    """
    ends = np.stack([grid.codes(np.array(end) / grid.step) for end in value.limits])
    single = len(value.terms) == 1
    if not np.ptp(ends, axis=1).any():  # a kernel clips every channel to the same codes
        grid = grid.within(named(node), *map(int, ends[:, 0]))
        for kept in [grid.centred()] if single or not grid.zero else [grid.centred(), grid]:
            name = _requantised(walk, node, value, grid, kept)
            if name is not None:
                return name, kept
    if single:
        return None
    raise UserError(
        f"{named(node)}: the sum of branches of unlike scales does not round as the file does; "
        "pass them through one quantiser, with one scale a tensor where they are clipped before"
    )


def _requantised(walk: Walk, node: NodeProto, value: Value, grid: Grid, kept: Grid) -> str | None:
    """The tensor of a requantisation to the codes of ``grid`` as ``kept`` has them, or None."""
    stairs = _stairs(node, value, grid, kept)
    shared = len(stairs[0].offset) == 1
    if value.terms[0].tensor == walk.source and len(stairs) == 1 and shared:
        bytes_ = np.arange(256)
        if np.array_equal(stairs[0].results(bytes_[:, None])[:, 0], bytes_):
            return walk.source
    integers = walk.policy.integers(named(node), stairs)
    if integers is None:
        return None
    attributes, constants = integers
    return _added(
        walk, "Requant" if len(stairs) == 1 else "RequantAdd", value, kept, constants,
        perChannel=int(not shared), **_clip(kept), **attributes,
    )  # fmt: skip


def _stairs(node: NodeProto, value: Value, grid: Grid, kept: Grid) -> list[Staircase]:
    """For each tensor of ``value`` what the file makes of its integers, as ``kept`` has it."""
    if len(value.terms) > INPUTS[1]:
        raise UserError(
            f"{named(node)} takes a sum of {len(value.terms)} branches of unlike scales, of which "
            f"there may be {INPUTS[1]}; put a quantiser behind the sum of some, or let branches "
            "that are joined share one"
        )
    terms = [(term.scale / grid.step, term.low, term.high) for term in value.terms]
    offset = value.offset / grid.step + kept.zero
    sizes = max(o.size for o in (offset, *(t[0] for t in terms)))
    channels = value.channels if sizes > 1 else 1
    return [
        Staircase(
            per_channel(factor, channels).astype(np.float64), per_channel(offset, channels),
            _shared(low, channels, np.min), _shared(high, channels, np.max), kept.low, kept.high,
            grid.zero - kept.zero,
        )
        for factor, low, high in terms
    ]  # fmt: skip


def _table(walk: Walk, node: NodeProto, value: Value, grid: Grid) -> tuple[str, Grid]:
    """Tensor and grid of a table: any function of the integers of one tensor."""
    if len(value.terms) != 1:
        raise UserError(
            f"{named(node)} rounds an activation that is no clip of a sum of branches of unlike "
            "scales; pass the branches through one quantiser"
        )
    term = value.terms[0]
    least, most = term.low, term.high
    if term.scale.size == value.offset.size == grid.step.size == 1:
        least, most = np.full_like(least, least.min()), np.full_like(most, most.max())

    def function(acc: IntArray) -> F64Array:
        found: F64Array = value.waiting(acc * term.scale + value.offset) / grid.step
        return found

    found = lookup_of(lambda acc: grid.codes(function(acc)), function, least, most).shared()
    if found.levels > MOST_LEVELS:
        raise UserError(
            f"{named(node)} behind its activation has {found.starts.shape[1]} steps; a table has "
            f"up to {(1 << MOST_LEVELS) - 1}: use fewer bits"
        )
    found = found.to(found.levels)
    reached = replace(grid, low=int(found.codes.min()), high=int(found.codes.max())).centred()
    constants = (found.starts, found.codes - (grid.zero - reached.zero))
    name = _added(
        walk, "Lookup", value, reached, constants, levels=found.levels,
        perChannel=int(len(found.codes) > 1),
    )  # fmt: skip
    return name, reached


def _added(
    walk: Walk, kernel: str, value: Value, grid: Grid, constants: Sequence[IntArray],
    **attributes: Any,
) -> str:  # fmt: skip
    """The tensor of a node that quantises ``value``."""
    inputs = [term.tensor for term in value.terms] + [*map(walk.graph.constant, constants)]
    name: str = walk.graph.add(
        kernel, inputs, value.shape, datatype=grid.kind, domain="hw.ops", backend="fpgadataflow",
        NumChannels=value.channels, numInputVectors=[1, *value.shape[1:]], inputDataType="INT32",
        outputDataType=grid.kind.name, **attributes,
    )  # fmt: skip
    return name


def _shared(
    values: IntArray, channels: int, choose: Callable[[IntArray], np.integer[Any]]
) -> IntArray:
    """Ends of every channel, or of all together."""
    found: IntArray = values if channels > 1 else np.atleast_1d(choose(values))
    return found


def _clip(grid: Grid) -> dict[str, Any]:
    """The attribute ``clip`` of a requantisation; none where its type says it."""
    ends = [grid.low, grid.high]
    return {} if ends == [int(grid.kind.min()), int(grid.kind.max())] else {"clip": ends}
