# SPDX-License-Identifier: Apache-2.0
"""FINN's own SetFolding on a mapped model, for comparison.

Dense layers are FINN's unit; SetFolding folds them, the padding and their windows. It knows neither
our kernels nor their windows: these get the least lanes that keep to the cycles, which is its rule
for such units. It does not choose memories: they are left to the same search as ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

from finn.transformation.fpgadataflow.set_folding import SetFolding
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.explore.choices import Choice, Space
from build_flows.graph.edit import apply_all
from build_flows.graph.folding import ReplaceDense
from hw.units import units_of

WEIGHT_BITS = 72  #: most of an output's weights in a word; FINN's default of 36 misses high rates


def finn_space(mapped: ModelWrapper, space: Space, cycles: int) -> Space:
    """The part of ``space`` with the folds that SetFolding takes for at most ``cycles`` a frame.

    What is left to choose are the memories.
    """
    folded = _set_folding(mapped, cycles)
    units = {}
    for name, choices in space.units.items():
        if name in folded:
            fold = folded[name] | ({"kernel": "MVAU"} if "PE" in folded[name] else {})
            units[name] = tuple(c for c in choices if fold.items() <= dict(c.entry).items())
        else:
            units[name] = _of_lanes(choices, _least_lanes(choices, cycles))
    for pair in ((link.source, link.sink) for link in space.links if link.rigid):
        lanes = max(_least_lanes(space.units[name], cycles) for name in pair)
        for name in pair:
            units[name] = _of_lanes(space.units[name], lanes)
    return replace(space, units=units)


def _set_folding(mapped: ModelWrapper, cycles: int) -> dict[str, dict[str, int]]:
    """Folds that SetFolding gives to FINN's units, by the names of the mapped model."""
    dense = {unit.name for unit in units_of(mapped) if unit.kernels}
    model = apply_all(deepcopy(mapped), ReplaceDense(dense))
    model, _ = SetFolding(cycles, WEIGHT_BITS, two_pass_relaxation=False).apply(model)
    folds = {}
    for old, new in zip(units_of(mapped), units_of(model), strict=True):
        if not new.ours:
            folds[old.name] = {attribute: new.get_fold(attribute) for attribute in old.folds}
    return folds


def _least_lanes(choices: Sequence[Choice], cycles: int) -> int:
    """Lanes of the narrowest that keeps to ``cycles``, of the widest if none does."""
    enough = [c.lanes[0] for c in choices if c.cycles <= cycles]
    return min(enough) if enough else max(c.lanes[0] for c in choices)


def _of_lanes(choices: Sequence[Choice], lanes: int) -> tuple[Choice, ...]:
    return tuple(c for c in choices if c.lanes[0] == lanes)
