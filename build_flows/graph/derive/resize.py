# SPDX-License-Identifier: Apache-2.0
"""Nearest upsampling: maps with more pixels."""

from __future__ import annotations

from onnx import NodeProto

from build_flows.graph.derive.walk import Walk, attribute, named
from build_flows.graph.value import Value
from host.common.errors import UserError


def resize(walk: Walk, node: NodeProto) -> Value:
    """Nearest upsampling: every pixel as a block of them."""
    value = walk.unpadded(node, walk.value(node))
    before, after = (walk.model.get_tensor_shape(name) for name in (node.input[0], node.output[0]))
    mode = attribute(node, "mode", b"nearest").decode()
    whole = before and after and len(before) == len(after) == value.rank and min(before) > 0
    times = [b // a for a, b in zip(before, after, strict=True)] if whole else []
    fits = whole and [a * s for a, s in zip(before, times, strict=True)] == list(after)
    scale = value.sides(times[2:], 1)
    axes = list(attribute(node, "axes", [])) or list(range(value.rank))
    policy = attribute(node, "keep_aspect_ratio_policy", b"stretch").decode()
    if axes != list(range(value.rank)) or policy != "stretch":
        raise UserError(
            f"{named(node)} has axes={axes} and keep_aspect_ratio_policy={policy!r}; resize all "
            "axes, by scales or sizes alone"
        )
    if not fits or mode != "nearest" or times[:2] != [1, 1] or not _repeats(node, scale):
        raise UserError(
            f"{named(node)}: mode={mode!r}, {before} to {after}, places {_places(node)!r}, nearest "
            f"{_nearest(node)!r}; use nearest upsampling of height and width by whole numbers, "
            "places 'asymmetric' with 'floor' or 'half_pixel' with 'round_prefer_floor'"
        )
    return walk.repeated(value, scale)


def _repeats(node: NodeProto, scale: list[int]) -> bool:
    """Whether the nearest pixel of every place is the one of its block."""
    places, nearest = _places(node), _nearest(node)
    if places == "asymmetric":
        return nearest == "floor" or (nearest == "round_prefer_floor" and max(scale) <= 2)
    return places in ("half_pixel", "pytorch_half_pixel") and nearest.startswith("round_prefer")


def _places(node: NodeProto) -> str:
    return str(attribute(node, "coordinate_transformation_mode", b"half_pixel").decode())


def _nearest(node: NodeProto) -> str:
    return str(attribute(node, "nearest_mode", b"round_prefer_floor").decode())
