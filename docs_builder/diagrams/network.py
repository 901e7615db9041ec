# SPDX-License-Identifier: Apache-2.0
"""The network with its forks and joins and the folding of every layer, from a folding file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs_builder.diagrams.svg import Drawing

Rows = dict[str, dict[str, Any]]

WIDE, HIGH, GAP, LEFT, TOP, STEP = 203, 62, 22, 30, 76, 108
MEMORY = {"distributed": "green", "block": "blue", "ultra": "violet"}
PARTS = {"expand": "expand", "depthwise": "3x3 dw", "project": "project"}
WINDOWS = {"s3": "conv 7x7", "fc": "fully connected"}
LINES = (
    ("stem.0", "stem.1", "stages_28.0"),
    tuple(f"stages_28.{i}" for i in range(1, 5)),
    tuple(f"stages_14.{i}" for i in range(4)),
    tuple(f"stages_14.{i}" for i in range(4, 8)),
)


def block_of(layer: str) -> str:
    """``stages_14.3`` of ``stages_14.3.expand``; other layers are blocks by themselves."""
    return layer.rsplit(".", 1)[0] if layer.split(".")[-1] in PARTS else layer


def units(rows: Rows, kernel: str) -> dict[str, dict[str, Any]]:
    """Row of each layer's unit of a kernel; node names begin with the kernel's."""
    return {row["layer"]: row for name, row in rows.items() if name.rsplit("_", 1)[0] == kernel}


def draw(folding: Path) -> Drawing:
    """Draw the full-width network with the folding in ``folding``."""
    rows: Rows = json.loads(folding.read_text())
    drawing = Drawing(930, 660, "The network as hardware: blocks, forks, joins and folding")
    drawing.write((LEFT, 26), f"Every layer is a unit of its own: {folding.stem}", 16,
                  anchor="start", bold=True)  # fmt: skip
    _legend(drawing)
    compute = units(rows, "Dense") | units(rows, "MVAU") | units(rows, "Depthwise")
    joins = {block_of(layer) for layer in units(rows, "StreamAdd")}
    for line, blocks in enumerate(LINES):
        first = 1 if line == 0 else 0
        for column, block in enumerate(blocks, first):
            at = LEFT + column * (WIDE + GAP), TOP + line * STEP
            inside = {
                layer: compute[layer]
                for layer in (block, *(f"{block}.{part}" for part in PARTS))
                if layer in compute
            }
            if column:
                x = at[0] - GAP
                drawing.arrow([(x, at[1] + HIGH / 2), (x + GAP, at[1] + HIGH / 2)])
            else:
                _turn(drawing, line)
            _block(drawing, at, block, inside)
            if block in joins:
                _residual(drawing, at)
    drawing.box((LEFT, TOP), (WIDE, HIGH), ["picture", "112 x 112 grey, UINT8"], "plain")
    _tail(drawing, compute)
    return drawing


def _legend(drawing: Drawing) -> None:
    x = float(LEFT)
    words = {"distributed": "weights in LUTs", "block": "in block RAM", "ultra": "in UltraRAM"}
    for style, text in words.items():
        drawing.rect((x, 38), (14, 14), MEMORY[style], 2)
        drawing.write((x + 20, 50), text, 12, "soft", "start")
        x += 44 + 6.6 * len(text)
    drawing.circle((x + 5, 45), 4, "orange")
    drawing.write((x + 16, 50), "fork", 12, "soft", "start")
    drawing.circle((x + 66, 45), 7, "orange")
    drawing.write((x + 66, 49), "+", 12)
    drawing.write((x + 80, 50), "residual add", 12, "soft", "start")
    text = "8x2: 8 inputs (SIMD) and 2 outputs (PE) per cycle; dw: lanes"
    drawing.write((x + 176, 50), text, 12, "soft", "start")


def _block(drawing: Drawing, at: tuple[float, float], name: str, inside: Rows) -> None:
    drawing.rect(at, (WIDE, HIGH), "none")
    drawing.write((at[0] + WIDE / 2, at[1] + 17), name, 12, bold=True)
    width = (WIDE - 16) / len(inside)
    for index, (layer, row) in enumerate(inside.items()):
        x = at[0] + 8 + index * width
        drawing.rect((x + 1.5, at[1] + 24), (width - 3, 32), MEMORY[row["ramStyle"]], 3)
        kind = PARTS.get(layer.split(".")[-1], WINDOWS.get(layer, "conv 3x3"))
        drawing.write((x + width / 2, at[1] + 37), kind, 10, "soft")
        drawing.write((x + width / 2, at[1] + 51), _folding(row), 12)


def _folding(row: dict[str, Any]) -> str:
    return f"{row['SIMD']}x{row['PE']}" if "SIMD" in row else str(row["PE"])


def _residual(drawing: Drawing, at: tuple[float, float]) -> None:
    """From a fork before the block over it to the add at its end."""
    x, y = at[0] - GAP / 2, at[1]
    end = at[0] + WIDE - 12
    drawing.arrow([(x, y + HIGH / 2), (x, y - 10), (end, y - 10), (end, y + 7)], "orange")
    drawing.circle((x, y + HIGH / 2), 4, "orange")
    drawing.circle((end, y + 14), 7, "orange")
    drawing.write((end, y + 18), "+", 12)


def _turn(drawing: Drawing, line: int) -> None:
    """From the end of the line above to the begin of this one."""
    right, y = LEFT + 4 * WIDE + 3 * GAP, TOP + line * STEP + HIGH / 2
    low, rail = y - STEP + HIGH / 2 + 12, LEFT - GAP
    drawing.arrow([(right, y - STEP), (right + 12, y - STEP), (right + 12, low), (rail, low),
                   (rail, y), (LEFT, y)])  # fmt: skip


def _tail(drawing: Drawing, compute: Rows) -> None:
    """Pools of three maps, joined, into the last layer."""
    line = len(LINES)
    y, column = TOP + line * STEP, WIDE + GAP
    middle = y + HIGH / 2
    _turn(drawing, line)
    for index, name in enumerate(("s2", "s3")):
        _block(drawing, (LEFT + index * column, y), name, {name: compute[name]})
    join = LEFT + 2 * column
    drawing.arrow([(LEFT + WIDE, middle), (LEFT + column, middle)])
    drawing.box((join, y), (WIDE, HIGH), ["concatenation", "16 + 32 + 128 sums"], "orange")
    _block(drawing, (LEFT + 3 * column, y), "fc", {"fc": compute["fc"]})
    drawing.arrow([(join + WIDE, middle), (join + column, middle)])
    pools = ((LEFT - GAP / 2, "pool: 16 channels"), (LEFT + column - GAP / 2, "pool: 32"),
             (join - GAP / 2, "pool: 128"))  # fmt: skip
    drawing.line([(join - GAP, middle), (join - GAP / 2, middle)])
    for index, (x, text) in enumerate(pools):
        level, end = y + HIGH + 68 - 22 * index, join + 160 - 50 * index
        drawing.arrow([(x, middle), (x, level), (end, level), (end, y + HIGH)], "orange")
        drawing.write((x + 8, level - 5), text, 11, "soft", "start")
        if index < 2:
            drawing.circle((x, middle), 4, "orange")
    x = LEFT + 3 * column + WIDE / 2
    drawing.arrow([(x, y + HIGH), (x, y + HIGH + 30)])
    drawing.write((x, y + HIGH + 46), "196 accumulators: 98 points", 12)
