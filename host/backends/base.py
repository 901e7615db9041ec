# SPDX-License-Identifier: Apache-2.0
"""What every backend offers, and the check of its input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from host.board.settings import Settings
from host.common.arrays import Accumulators, Images, Points
from host.common.errors import UserError


class Backend(Protocol):
    """Something that runs the network."""

    @property
    def name(self) -> str:
        """The name that ``open_backend`` knows it by."""

    @property
    def model(self) -> str:
        """Path of what it runs."""

    @property
    def network(self) -> str:
        """Name of the network: its file's, without the suffix."""

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""

    @property
    def details(self) -> Mapping[str, object]:
        """What the last ``infer`` told besides the landmarks; fit for JSON."""

    def infer(self, images: Images, meanwhile: Callable[[], None] | None = None) -> Points:
        """Return landmarks (N, points, 2), x then y, as fractions 0..1 of the crop.

        Args:
            images: grey crops, (N, input_size, input_size) uint8.
            meanwhile: called when the network is about to run, which leaves Python's lock to
                others; starts what they are to do beside it.
        """

    def close(self) -> None:
        """Give back what the backend holds; it cannot infer afterwards."""


class Accelerator(ABC):
    """A backend that runs a build, whatever its task."""

    settings: Settings
    """What the build says of itself."""
    name: str
    model: str
    details: Mapping[str, object]
    """As of any backend, of the last ``accumulate``."""

    @property
    def network(self) -> str:
        """Name of the network: its file's, without the suffix."""
        return self.settings.network

    @property
    def input_size(self) -> int:
        """Side of the crops of ``infer``; UserError for a network that is not about landmarks."""
        return self.settings.input_size

    def infer(self, images: Images, meanwhile: Callable[[], None] | None = None) -> Points:
        """Return landmarks (N, points, 2), fractions 0..1 of the crop; images (N, S, S) uint8.

        As :meth:`accumulate`; ``meanwhile`` as of any backend.
        """
        check_images(images, self.input_size)
        if meanwhile is not None:
            meanwhile()
        return self.settings.landmarks(self.accumulate(images))

    @abstractmethod
    def accumulate(self, images: Images) -> Accumulators:
        """Integers (N, outputs) of frames uint8 (N, *settings.shape)."""


def check_images(images: Images, size: int) -> None:
    """Raise UserError unless ``images`` are (N, size, size) uint8 with N at least 1."""
    if images.dtype != np.uint8 or images.shape[1:] != (size, size) or not len(images):
        raise UserError(
            f"images are {images.dtype} of shape {images.shape}; "
            f"the network takes uint8 (N, {size}, {size}) with N at least 1"
        )
