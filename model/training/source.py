# SPDX-License-Identifier: Apache-2.0
"""Where the faces of a stage come from: folders of data sets, or one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from host.common.errors import UserError
from model.data.crops import Crops
from model.data.mixture import Mixture, collect
from model.data.pack import read_pack
from model.training.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the faces of a training are."""

    cache: Path
    """Folder for crops and procedural faces."""
    roots: Mapping[str, Path] = field(default_factory=dict)
    """Folder of each source of real faces."""
    packed: Path | None = None
    """One file of model.data.pack in the place of all of them."""

    def __post_init__(self) -> None:
        if self.packed is not None and self.roots:
            raise UserError("--data-pack holds all faces; give it without --data")

    @property
    def real(self) -> bool:
        """Whether there are faces besides procedural ones."""
        return bool(self.roots) or self.packed is not None

    def collect(self, config: TrainConfig, progress: Progress) -> tuple[Mixture, Crops]:
        """Faces to train on and faces to measure on."""
        if self.packed is not None:
            return read_pack(self.packed, config.balance)
        return collect(config, self.roots, self.cache, progress, progress.console.print)

    def load(self, config: TrainConfig) -> tuple[Mixture, Crops]:
        """As :meth:`collect`, with a progress bar and remarks on stderr."""
        with Progress(console=Console(stderr=True), transient=True) as progress:
            return self.collect(config, progress)
