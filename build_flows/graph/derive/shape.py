# SPDX-License-Identifier: Apache-2.0
"""What joins, moves or repeats pixels and computes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from onnx import NodeProto

from build_flows.graph.derive.walk import ZERO, Walk, attribute, named
from build_flows.graph.value import NO_PADS, Term, Value
from host.common.errors import UserError


def concat(walk: Walk, node: NodeProto) -> Value:
    """Maps or vectors joined along their channels."""
    values = [walk.value(node, i) for i in range(len(node.input))]
    first = values[0]
    axis = int(attribute(node, "axis", 1))
    sizes = {(v.shape[1:], v.vector, v.pads) for v in values}
    flat = first.vector and first.shape[1:] != (1, 1)
    if axis not in (1, -1 if first.vector else -3) or len(sizes) > 1 or flat:
        raise UserError(f"{named(node)}: axis={axis}; join maps of one size along the channels")
    return walk.beside(values)


def pad(walk: Walk, node: NodeProto) -> Value:
    """Zeros around height and width, which the next operator adds."""
    value = walk.value(node)
    mode = attribute(node, "mode", b"constant").decode()
    amounts = attribute(node, "pads", None)
    if amounts is None and len(node.input) > 1:
        amounts = walk.constant(node, 1)
    fill = attribute(node, "value", 0.0)
    if len(node.input) > 2 and node.input[2]:
        found = walk.constant(node, 2)
        fill = 1.0 if found is None or found.size != 1 else float(found.item())
    numbers = [] if amounts is None else [int(n) for n in np.asarray(amounts).reshape(-1)]
    if mode != "constant" or fill or len(numbers) != 8 or min(numbers) < 0:
        raise UserError(
            f"{named(node)}: mode={mode!r}, pads={numbers}, value={fill:g}; use constant zeros "
            "around height and width"
        )
    before, after = numbers[:4], numbers[4:]
    if any(before[:2] + after[:2]) or value.vector:
        raise UserError(f"{named(node)} pads channels; pad height and width only")
    if value.waiting(ZERO).any():
        walk.settled(node, value)
    added = (before[2], before[3], after[2], after[3])
    return replace(value, pads=tuple(a + b for a, b in zip(value.pads, added, strict=True)))


def resize(walk: Walk, node: NodeProto) -> Value:
    """Nearest upsampling: every pixel as a block of them."""
    value = walk.unpadded(node, walk.value(node))
    before, after = (walk.model.get_tensor_shape(name) for name in (node.input[0], node.output[0]))
    mode = attribute(node, "mode", b"nearest").decode()
    whole = before and after and len(before) == len(after) == 4 and min(before) > 0
    scale = [b // a for a, b in zip(before, after, strict=True)] if whole else []
    fits = whole and [a * s for a, s in zip(before, scale, strict=True)] == list(after)
    if not fits or mode != "nearest" or scale[:2] != [1, 1] or not _repeats(node, scale[2:]):
        raise UserError(
            f"{named(node)}: mode={mode!r}, {before} to {after}; use nearest upsampling of height "
            "and width by whole numbers"
        )
    if scale == [1, 1, 1, 1]:
        return value
    parts = tuple(_repeated(walk, part, scale[2:]) for part in value.parts)
    return replace(_repeated(walk, value, scale[2:]), parts=parts)


def _repeats(node: NodeProto, scale: list[int]) -> bool:
    """Whether the nearest pixel of every place is the one of its block."""
    places = attribute(node, "coordinate_transformation_mode", b"half_pixel").decode()
    nearest = attribute(node, "nearest_mode", b"round_prefer_floor").decode()
    if places == "asymmetric":
        return nearest == "floor" or (nearest == "round_prefer_floor" and max(scale) <= 2)
    return places in ("half_pixel", "pytorch_half_pixel") and nearest.startswith("round_prefer")


def _repeated(walk: Walk, value: Value, scale: list[int]) -> Value:
    channels, height, width = value.shape
    shape = (channels, height * scale[0], width * scale[1])
    terms = tuple(replace(t, tensor=_upsampled(walk, t, value.shape, scale)) for t in value.terms)
    return replace(value, terms=terms, shape=shape)


def _upsampled(walk: Walk, term: Term, shape: tuple[int, int, int], scale: list[int]) -> str:
    channels, height, width = shape
    name: str = walk.graph.add(
        "Upsample", [term.tensor], (channels, height * scale[0], width * scale[1]),
        datatype=term.datatype, domain="hw.ops", backend="fpgadataflow", NumChannels=channels,
        numInputVectors=[1, height, width], Scale=scale,
        inputDataType="INT32" if term.datatype is None else term.datatype.name,
    )  # fmt: skip
    return name


def flatten(walk: Walk, node: NodeProto) -> Value:
    """A map as a vector, or as it is: Flatten, Reshape, Squeeze, Unsqueeze."""
    value = walk.pending(node)
    value = walk.joined(node, value) if value.parts else value
    before, after = (walk.model.get_tensor_shape(name) for name in (node.input[0], node.output[0]))
    if after is not None and len(after) == 4 and list(after[1:]) == list(value.shape):
        return replace(value, vector=False)
    if after is None or len(after) != 2 or after[0] != 1 or value.pads != NO_PADS:
        raise UserError(f"{named(node)}: {before} becomes {after}; flatten to (1, elements)")
    return replace(value, vector=True)


def identity(walk: Walk, node: NodeProto) -> Value:
    """What changes nothing at run time."""
    return walk.pending(node)
