# SPDX-License-Identifier: Apache-2.0
"""Configuration of a build: one TOML file, named or given as a path."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import tomllib

from build_flows.checked import check_types
from build_flows.parts import part_of
from host.common.errors import UserError
from host.common.paths import ROOT, WORK, relative
from host.common.tasks import TASKS

BYTE = 1.0 / 255.0  #: what one of a byte is worth unless a config says otherwise
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")  #: of a build
CONFIGS = Path(__file__).resolve().parent / "configs"


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What is built, for which part, at which assumed clock."""

    name: str
    """Name of the build, letters, digits and _; its default output folder is ``build/<name>``."""
    model: Path
    """QONNX file; ``<stem>_golden.npz`` lies beside it. See ``load_config`` for relative paths."""
    folding: Path
    """JSON file: node name -> {attribute: value}, see docs/folding.md."""
    clk_mhz: float = 250.0
    """Clock assumed where cycles become frames a second; MHz, 10 to 500."""
    part: str = "xck26-sfvc784-2LV-c"
    """FPGA part as Vivado spells it, of parts.toml."""
    frames: int = 8
    """Frames simulated back to back, at least 3, golden images in a circle; the cycles of a frame
    are exact if the last goes in after the first has come out."""

    task: str = "landmarks"
    """What the outputs are, see host.common.tasks."""
    input_scale: float = BYTE
    """What one of a byte is worth at the input of the model."""
    input_offset: float = 0.0
    """What byte 0 is worth there."""

    def __post_init__(self) -> None:
        check_types(self, f"config {self.name}")
        if not NAME.fullmatch(self.name):
            raise UserError(
                f"{self.name!r} is no name of a build; use letters, digits and _ after a letter, "
                "for the file or as `name` in it"
            )
        part_of(self.part)
        if not 10 <= self.clk_mhz <= 500:
            raise UserError(f"clk_mhz={self.clk_mhz} in {self.name}; allowed are 10 to 500")
        if self.frames < 3:
            raise UserError(f"frames={self.frames} in {self.name}; simulate at least 3")
        if self.task not in TASKS:
            raise UserError(f"task={self.task} in {self.name}; use {', '.join(TASKS)}")
        if not self.input_scale > 0:
            raise UserError(f"input_scale={self.input_scale} in {self.name} must be above 0")
        for path in (self.model, self.golden, self.folding):
            if not path.is_file():
                raise UserError(f"{path} does not exist; config {self.name} names it")

    @property
    def golden(self) -> Path:
        """Images and exact accumulators that belong to the model."""
        return self.model.with_name(f"{self.model.stem}_golden.npz")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, paths shortened, see host.common.paths."""
        return {k: relative(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}


def load_config(name_or_file: str) -> BuildConfig:
    """Read a config by its name in build_flows/configs or by file; UserError says what is wrong.

    Relative paths in it start at the checkout; of an installed program where it is started, or
    where its packages lie.
    """
    path = Path(name_or_file)
    if path.suffix != ".toml":
        path = CONFIGS / f"{name_or_file}.toml"
    if not path.is_file():
        names = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.toml")))
        raise UserError(f"no config {name_or_file}; known are {names}, or give a .toml file")
    try:
        values = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not TOML: {error}") from error
    known = [f.name for f in fields(BuildConfig)]
    for key in values:
        if key not in known:
            raise UserError(f"unknown key {key} in {path}; known are {', '.join(known)}")
    missing = [k for k in ("model", "folding") if k not in values]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}")
    paths = {k: values[k] for k in ("model", "folding") if isinstance(values[k], str)}
    located = {k: _located(path) for k, path in paths.items()}
    return BuildConfig(**({"name": path.stem} | values | located))


def _located(path: str) -> Path:
    return next((p for p in (WORK / path, ROOT / path) if p.is_file()), WORK / path)
