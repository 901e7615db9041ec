# SPDX-License-Identifier: Apache-2.0
"""What each unit of the simulated design did in a frame: worked, waited for whom.

The simulator counts for every stream the cycles in which a word passed (moved), waited for its sink
(blocked) and in which the sink waited for one (starved), in the last frame that ended while words
of others came in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.design.stitch import Stream
from host.common.atomic import write_text
from host.common.tables import to_csv
from hw.units import units_of


class Flow(NamedTuple):
    """Cycles of a frame in which a stream did each."""

    moved: int
    blocked: int
    starved: int


@dataclass(frozen=True)
class Activity:
    """A unit in a frame; shares are of the cycles a frame takes, 0..1."""

    unit: str
    layer: str
    """Layer of the network that it computes or serves."""
    operator: str
    needed_cycles: int
    """By the unit's formula, with nothing to wait for."""
    utilisation: float
    """Needed cycles as a share."""
    starved: float
    """Share in which the unit was ready for a word that did not come."""
    waits_for: str
    """The unit that should have given it."""
    blocked: float
    """Share in which a word of the unit was not taken."""
    blocked_by: str
    """The unit that should have taken it."""


def activities(
    model: ModelWrapper, streams: list[Stream], flows: list[Flow], cycles: int
) -> list[Activity]:
    """Activity of every unit, in the order of the data; weight memories are part of their unit."""
    result, all_flows = [], list(zip(streams, flows, strict=True))
    for unit in units_of(model):
        inputs = [  # a unit that joins is not ready for one word without the others
            (cycles - f.moved - f.blocked if unit.joins else f.starved, s.source)
            for s, f in all_flows
            if s.sink == unit.name
        ]
        outputs = [(f.blocked, s.sink) for s, f in all_flows if s.source == unit.name]
        (starved, source), (blocked, sink) = max(inputs), max(outputs)
        result.append(
            Activity(
                unit.name,
                unit.layer,
                unit.operator,
                unit.cycles,
                unit.cycles / cycles,
                starved / cycles,
                source if starved else "",
                blocked / cycles,
                sink if blocked else "",
            )
        )
    return result


def write_table(rows: list[Activity], path: Path) -> None:
    """CSV, one row a unit."""
    write_text(path, to_csv([_shown(asdict(row)) for row in rows]))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {key: f"{v:.4f}" if isinstance(v, float) else v for key, v in row.items()}


def draw(rows: list[Activity], cycles: int, path: Path) -> None:
    """Utilisation of units in the order of the data, and what keeps the others from work."""
    figure = Figure(figsize=(max(8, 0.13 * len(rows)), 7), layout="constrained")
    work, wait = figure.subplots(2, sharex=True, height_ratios=(2, 1))
    at = np.arange(len(rows))
    for colour, operator in enumerate(dict.fromkeys(row.operator for row in rows)):
        mine = [i for i, row in enumerate(rows) if row.operator == operator]
        heights = [100 * rows[i].utilisation for i in mine]
        work.bar(mine, heights, 0.8, label=operator, color=f"C{colour}")
    wait.bar(at, [100 * row.starved for row in rows], 0.8, color="tab:gray", label="for input")
    wait.bar(
        at, [-100 * row.blocked for row in rows], 0.8, color="tab:red", label="for room behind it"
    )
    work.set(ylabel="cycles needed, % of a frame", ylim=(0, 130))
    work.set_title(f"Units in the order of the data; a frame takes {cycles:,} cycles (simulated)")
    wait.set(ylabel="cycles waiting, %", ylim=(-105, 105), xlim=(-1, len(rows)))
    labels = [f"{row.layer} {row.unit.replace('_rtl', '')}".strip() for row in rows]
    wait.set_xticks(at, labels, rotation=90, fontsize=6)
    for axes, place in ((work, "upper right"), (wait, "lower right")):
        axes.grid(axis="y", alpha=0.3)
        axes.legend(ncols=8, fontsize=8, loc=place)
    figure.savefig(path, dpi=110)
