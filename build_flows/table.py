# SPDX-License-Identifier: Apache-2.0
"""Networks of others, built to simulated RTL: a row each with figures, or why there is no design.

Every network has a folder with its configuration and its build; finished steps are kept, so that
the same command goes on where it was stopped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_flows.build import Build
from build_flows.config import load_config
from build_flows.flow import Listener
from build_flows.new import FIRST_SEARCH, write_first_folding, write_network
from host.common.atomic import write_text
from host.common.errors import FAILURES, UserError, first_line, line_of
from host.common.json_file import write_json
from host.common.tables import to_markdown

log = logging.getLogger(__name__)
HEADS = ("network", "cycles", "DSP", "LUT", "equal to the file")
FILE = "table"  #: of the folder, with .md and .json


@dataclass(frozen=True)
class Row:
    """A network, and what has become of it."""

    network: str
    figures: dict[str, Any]
    """Empty where there is no design."""
    refused: str = ""
    """Why the flow does not take it, in one line."""
    failed: str = ""
    """What broke in the flow or in a tool, in one line; that is our fault, not the network's."""

    @property
    def sound(self) -> bool:
        """Whether it is equal to its file, or refused."""
        return bool(self.refused) or self.figures.get("equal", 0) == self.figures.get("images")

    @property
    def cells(self) -> tuple[object, ...]:
        """The row below HEADS."""
        row = self.figures
        if not row:
            reason = f"failed: {self.failed}" if self.failed else f"refused: {self.refused}"
            return (self.network, "", "", "", reason)
        equal = "yes" if row["equal"] == row["images"] else "no"
        said = f"{equal}, {row['equal']} of {row['images']} images"
        return (self.network, row["cycles"], row["dsp"], row["lut"], said)


def rows_of(
    files: Sequence[Path], folder: Path, fps: float | None, part: str | None, listener: Listener
) -> Iterator[Row]:
    """Build every QONNX file in a folder of ``folder``; its row as soon as it is known.

    Whatever one network raises is its row, and the next one is built.
    """
    for file in files:
        try:
            yield Row(file.stem, _figures(file, folder / file.stem, fps, part, listener))
        except UserError as error:
            yield Row(file.stem, {}, refused=line_of(error))
        except FAILURES as error:
            yield Row(file.stem, {}, failed=line_of(error))
        except Exception as error:  # a mistake of ours, told by its row and the log
            log.error("%s", file, exc_info=error)
            yield Row(file.stem, {}, failed=first_line(error))


def _figures(
    file: Path, folder: Path, fps: float | None, part: str | None, listener: Listener
) -> dict[str, Any]:
    config = write_network(file.stem, file, None, folder, part)
    build = Build(load_config(str(config)), folder / "build", listener)
    write_first_folding(build.cfg, build.explorer(FIRST_SEARCH), fps)
    report = build.until().report()
    budget = report["budget"]
    return {
        "cycles": report["cycles_per_frame"],
        **{name: budget[name]["used"] - budget[name]["shell"] for name in ("dsp", "lut")},
        "equal": report["equal_to_file"],
        "images": report["images_compared"],
    }


def write_table(rows: Sequence[Row], folder: Path) -> Path:
    """``folder``/table.md and .json; the former."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / f"{FILE}.md", to_markdown(HEADS, (row.cells for row in rows)))
    kept = [
        {"network": row.network, **row.figures, "refused": row.refused, "failed": row.failed}
        for row in rows
    ]
    write_json(folder / f"{FILE}.json", kept)
    return folder / f"{FILE}.md"


def files_in(paths: Sequence[Path]) -> list[Path]:
    """ONNX files of files and folders, by name; UserError where there is none."""
    found = [sorted(p.glob("*.onnx")) if p.is_dir() else [p] for p in paths]
    files = [file for part in found for file in part]
    if not files:
        raise UserError(f"{', '.join(map(str, paths))} holds no .onnx file")
    return files
