# SPDX-License-Identifier: Apache-2.0
"""FINN's own SetFolding on a mapped model, for comparison.

Dense layers are FINN's unit; SetFolding folds them, the padding and their windows. It knows neither
our kernels nor their windows: these get the least lanes that keep to the cycles, which is its rule
for such units. It does not choose memories; each gets the one that auto_style would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from finn.transformation.fpgadataflow.set_folding import SetFolding
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from build_flows.choices import Choice, Space
from build_flows.folding import ReplaceDense, foldable
from build_flows.graph import apply_all
from hw.ops.fifo import LUT_PER_BRAM18, LUT_PER_URAM

PRICE = (1, 0, 0, LUT_PER_BRAM18, LUT_PER_URAM)  #: of each resource, in LUTs


def finn_choice(mapped: ModelWrapper, space: Space, cycles: int) -> dict[str, Choice]:
    """What SetFolding chooses for at most ``cycles`` a frame, out of ``space``."""
    folded = _set_folding(mapped, cycles)
    chosen = {}
    for name, choices in space.units.items():
        of_finn = [c for c in choices if dict(c.entry).get("kernel", "MVAU") == "MVAU"]
        if name in folded:
            fitting = [c for c in of_finn if folded[name].items() <= dict(c.entry).items()]
        else:
            lanes = _least_lanes(of_finn, cycles)
            fitting = [c for c in of_finn if c.lanes[0] == lanes]
        chosen[name] = _cheapest(fitting)
    for pair in ((link.source, link.sink) for link in space.links if link.rigid):
        lanes = max(_least_lanes(space.units[name], cycles) for name in pair)
        for name in pair:
            chosen[name] = _cheapest([c for c in space.units[name] if c.lanes[0] == lanes])
    return chosen


def _set_folding(mapped: ModelWrapper, cycles: int) -> dict[str, dict[str, int]]:
    """Folds that SetFolding gives to FINN's units, by the names of the mapped model."""
    dense = {node.name for node in mapped.graph.node if node.op_type == "Dense"}
    model = apply_all(deepcopy(mapped), ReplaceDense(dense))
    model, _ = SetFolding(cycles, two_pass_relaxation=False).apply(model)
    folds = {}
    for old, new in zip(mapped.graph.node, model.graph.node, strict=True):
        if new.domain.startswith("finn"):
            op = getCustomOp(new)
            folds[old.name] = {a: int(op.get_nodeattr(a)) for a in foldable(old)}
    return folds


def _least_lanes(choices: Sequence[Choice], cycles: int) -> int:
    """Lanes of the narrowest that keeps to ``cycles``, of the widest if none does."""
    enough = [c.lanes[0] for c in choices if c.cycles <= cycles]
    return min(enough) if enough else max(c.lanes[0] for c in choices)


def _cheapest(choices: list[Choice]) -> Choice:
    """The one whose memory takes the least share of the part's memories."""
    return min(choices, key=lambda c: sum(p * n for p, n in zip(PRICE, c.cost, strict=True)))
