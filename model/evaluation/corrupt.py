# SPDX-License-Identifier: Apache-2.0
"""Pictures made worse in known ways, to measure how a network bears it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from host.common.arrays import F64Array, Image
from host.common.errors import UserError

Rng = np.random.Generator

STRENGTHS = (1, 2, 3)


def blur(image: Image, strength: int, rng: Rng) -> Image:
    """Gaussian blur of 1, 2 or 3 pixels' standard deviation."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), float(strength)), np.uint8)


def noise(image: Image, strength: int, rng: Rng) -> Image:
    """Gaussian noise of 10, 20 or 30 grey levels' standard deviation."""
    return _bytes(image + rng.normal(0, 10 * strength, image.shape))


def dark(image: Image, strength: int, rng: Rng) -> Image:
    """A half, a quarter or an eighth of the light, with the noise of a sensor."""
    return _bytes(image / 2.0**strength + rng.normal(0, 2, image.shape))


def jpeg(image: Image, strength: int, rng: Rng) -> Image:
    """JPEG of quality 20, 10 or 5."""
    quality = {1: 20, 2: 10, 3: 5}[strength]
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def occlusion(image: Image, strength: int, rng: Rng) -> Image:
    """A grey square at a random place over 5, 12 or 22 % of the area."""
    size = image.shape[0]
    side = round(size * {1: 0.05, 2: 0.12, 3: 0.22}[strength] ** 0.5)
    left, top = rng.integers(0, size - side + 1, 2)
    covered = image.copy()
    covered[top : top + side, left : left + side] = 128
    return covered


CORRUPTIONS: dict[str, Callable[[Image, int, Rng], Image]] = {
    "blur": blur,
    "noise": noise,
    "dark": dark,
    "JPEG": jpeg,
    "occlusion": occlusion,
}
"""By name, in the order of reports."""


def corrupt(images: Image, name: str, strength: int, seed: int = 0) -> Image:
    """Copies (N, S, S) of grey pictures with corruption ``name`` at strength 1, 2 or 3."""
    if name not in CORRUPTIONS:
        raise UserError(f"corruption {name!r} is unknown; use one of {', '.join(CORRUPTIONS)}")
    if strength not in STRENGTHS:
        raise UserError(f"strength {strength} of {name} is unknown; use 1, 2 or 3")
    rng = np.random.default_rng(seed)
    return np.stack([CORRUPTIONS[name](image, strength, rng) for image in images])


def _bytes(values: F64Array) -> Image:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
