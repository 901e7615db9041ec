# SPDX-License-Identifier: Apache-2.0
"""Configurations of the stages behind the training; this file starts neither torch nor Brevitas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host.common.errors import UserError

FACES = Path("train/faces")
"""Folder in which crops and procedural faces are kept, unless another is given."""


@dataclass(frozen=True, kw_only=True)
class FacesConfig:
    """Files and faces of a stage."""

    weights: Path
    """Checkpoint to start from."""
    out: Path
    """Checkpoint of the quantised network."""
    images: Path | None = None
    """Npz with images and landmarks, instead of procedural faces."""


@dataclass(frozen=True, kw_only=True)
class QuantisationConfig(FacesConfig):
    """How a trained network is quantised without further training."""

    recipe: str = "best"
    """Configuration of the training whose mix is calibrated on, where there are real faces."""
    count: int = 512
    """Images to calibrate on."""
    percentile: float = 99.99
    """Of the absolute activations; what lies above saturates."""
    equalise: bool = False
    """First bring the channels of neighbouring layers to like ranges."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"count={self.count} is too small; use 1 or more")
        if not 50 < self.percentile <= 100:
            raise UserError(
                f"percentile={self.percentile} is out of range; use more than 50, up to 100"
            )


@dataclass(frozen=True, kw_only=True)
class FineTuningConfig(FacesConfig):
    """How a quantised network is trained on as quantised."""

    recipe: str = "finish"
    """Configuration of the training whose mix, loss and augmentation are used on real faces."""
    count: int = 8_000
    """Procedural faces, or at most so many of ``images``."""
    steps: int = 1_000
    """Batches to train on."""
    minutes: float | None = None
    """Time to train, instead of ``steps``."""
    batch: int = 32
    """Images in a batch."""
    rate: float = 2e-4
    """First learning rate."""
    resume: bool = False
    """Go on from :attr:`last`."""

    def __post_init__(self) -> None:
        for name in ("count", "steps", "batch"):
            if getattr(self, name) < 1:
                raise UserError(f"{name}={getattr(self, name)} is too small; use 1 or more")
        if self.minutes is not None and not self.minutes > 0:
            raise UserError(f"minutes={self.minutes:g} is not positive; use for example 20")
        if not self.rate > 0:
            raise UserError(f"rate={self.rate:g} is not positive; use for example 0.0002")

    @property
    def last(self) -> Path:
        """What is written every minute, to go on from."""
        return self.out.with_name(self.out.name + ".last")
