# SPDX-License-Identifier: Apache-2.0
"""All drawings of the pages, by the name of their file in docs/diagrams."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs_builder.diagrams import flow, hardware, network, watching
from docs_builder.diagrams.svg import Drawing

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "diagrams"
FOLDING = ROOT / "build_flows" / "configs" / "kv260_1x_folding.json"

DRAWINGS: dict[str, Callable[[], Drawing]] = {
    "network": lambda: network.draw(FOLDING),
    "frame": hardware.frame,
    "dsp": hardware.dsp,
    "pumped": hardware.pumped,
    "claim": hardware.waveform,
    "threads": watching.threads,
    "states": watching.states,
    "points": watching.points,
    "flow": flow.draw,
}


def write_all(folder: Path = FOLDER) -> list[Path]:
    """Write every drawing and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, draw in DRAWINGS.items():
        path = folder / f"{name}.svg"
        path.write_text(draw().text())
        paths.append(path)
    return paths
