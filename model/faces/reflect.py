# SPDX-License-Identifier: Apache-2.0
"""What glasses reflect: a scene in dark lenses, a veil over clear ones, lamps in either.

Pictures are (H, W) grey or (H, W, 3) BGR, uint8; landmarks are (98, 2) in pixels; a scene is grey.
"""

from __future__ import annotations

import cv2
import numpy as np

from host.common.arrays import BoolArray, F64Array, Image, Points
from model.faces.cover import (
    Eyes,
    Rng,
    arms,
    bar,
    blend,
    colour,
    ellipse,
    eyes_of,
    lens,
    lenses,
    rims,
)

SCENE = 96  #: side of a drawn scene
VEIL = (0.1, 1.0)  #: usual strengths of a reflection in clear glasses
LAMPS = 6  #: most lamps that one lens shows
OPENING = (0.5, 0.22)  #: half axes of what must be seen of an eye, over its width


def mirroring(image: Image, points: Points, scene: Image, rng: Rng) -> Image:
    """Sunglasses in which a scene is seen instead of the eyes."""
    eyes = eyes_of(points)
    tint = colour(image, rng, 0, 60)
    drawn = arms(image, points, eyes, tint, rng)
    shown, gain = _view(scene, rng), rng.uniform(0.3, 1.1)
    cover = rng.uniform(0.88, 1.0)
    for outline in lenses(eyes, lens(rng)):
        drawn = blend(drawn, outline, tint, cover, 0.004 * eyes.apart)
        light = np.clip(_in_lens(shown, outline, image) * gain + tint, 0, 255)
        drawn = blend(drawn, outline, light, rng.uniform(0.9, 1.0), 0.006 * eyes.apart)
    return drawn


def veiled(
    image: Image, points: Points, scene: Image, strength: float, rng: Rng
) -> tuple[Image, F64Array]:
    """Clear glasses that add a scene's light to what is behind them; strength: 0 none to 1 all.

    Returns:
        The picture, and the light in front of each eye (2,), 1 where it is white.
    """
    eyes = eyes_of(points)
    outlines = lenses(eyes, lens(rng))
    drawn, shown = image, _view(scene, rng)
    hidden = []
    for outline, opening in zip(outlines, _openings(image, eyes), strict=True):
        light = strength * _in_lens(shown, outline, image)
        drawn = blend(drawn, outline, np.clip(image + light, 0, 255), 1.0, 0.01 * eyes.apart)
        hidden.append(light[opening].mean() / 255 if opening.any() else 0.0)
    return rims(drawn, points, eyes, outlines, rng), np.array(hidden)


def lamps(image: Image, points: Points, rng: Rng) -> tuple[Image, F64Array]:
    """Clear glasses with the spots of lamps in them, such as a camera's infrared ones.

    Returns:
        The picture, and how much of each eye (2,) the spots hide, 0 to 1.
    """
    eyes = eyes_of(points)
    outlines = lenses(eyes, lens(rng))
    size = np.exp(rng.uniform(np.log(0.012), np.log(0.16)))
    count = int(rng.integers(1, LAMPS + 1))
    middle, spread = rng.uniform(-0.25, 0.25, 2), rng.uniform(1.2, 4) * size
    places = middle + _grid(count, rng) * spread
    drawn = rims(image, points, eyes, outlines, rng)
    mask = np.zeros(image.shape[:2], np.uint8)
    level, soft = rng.uniform(200, 255), rng.uniform(0.1, 0.5) * size * eyes.apart
    for outline, side in zip(outlines, (1, -1), strict=True):
        about = outline.mean(axis=0) + rng.normal(0, 0.02, 2) * eyes.apart
        for right, down in places:
            at = about + eyes.apart * (side * right * eyes.along + down * eyes.down)
            spot = ellipse(at, eyes.along * size * eyes.apart, eyes.down * size * eyes.apart, 2)
            if rng.random() < 0.3:  # light scattered around it
                drawn = blend(drawn, at + 2.5 * (spot - at), level, 0.3, size * eyes.apart)
            drawn = blend(drawn, spot, level, 1.0, soft)
            mask = blend(mask, spot, 255.0, 1.0, 0.0)
    hidden = [
        (mask[opening] > 127).mean() if opening.any() else 0.0 for opening in _openings(mask, eyes)
    ]
    return drawn, np.array(hidden)


def beside(picture: Image, face: F64Array, rng: Rng) -> Image:
    """A square of a grey picture, of five at random the one that is farthest from a face (2,)."""
    height, width = picture.shape
    best, most = picture, -1.0
    for _ in range(5):
        side = max(8, int(rng.uniform(0.15, 0.6) * min(height, width)))
        left = int(rng.integers(max(width - side, 0) + 1))
        top = int(rng.integers(max(height - side, 0) + 1))
        apart = float(np.hypot(left + side / 2 - face[0], top + side / 2 - face[1]))
        if apart > most:
            best, most = picture[top : top + side, left : left + side], apart
    return np.asarray(cv2.resize(best, (SCENE, SCENE), interpolation=cv2.INTER_AREA), np.uint8)


def drawn_scene(rng: Rng) -> Image:
    """A landscape with a road, a window, lights or clouds of any shape, (SCENE, SCENE)."""
    kind = rng.integers(4)
    canvas = _clouds(rng, rng.uniform(0, 120), rng.uniform(10, 60))
    if kind == 0:
        canvas = _landscape(canvas, rng)
    elif kind == 1:
        canvas = _window(canvas, rng)
    elif kind == 2:
        for _ in range(int(rng.integers(2, 9))):
            at, size = rng.uniform(0, SCENE, 2), rng.uniform(2, 18, 2)
            canvas = blend(canvas, ellipse(at, np.array([size[0], 0]), np.array([0, size[1]]), 2.5),
                           rng.uniform(150, 255), 1.0, rng.uniform(0.3, 3))  # fmt: skip
    else:
        canvas = _clouds(rng, rng.uniform(30, 200), rng.uniform(30, 110))
    return canvas


def _openings(image: Image, eyes: Eyes) -> list[BoolArray]:
    """Where each eye has to be seen, of the picture's height and width."""
    empty, places = np.zeros(image.shape[:2], np.uint8), []
    for centre, width in zip(eyes.centres, eyes.widths, strict=True):
        half = [axis * width for axis in OPENING]
        outline = ellipse(centre, eyes.along * half[0], eyes.down * half[1], 2)
        places.append(blend(empty, outline, 255.0, 1.0, 0.0) > 127)
    return places


def _grid(count: int, rng: Rng) -> F64Array:
    """Places (count, 2) of lamps: in a row, a column or a block, sometimes at random."""
    if rng.random() < 0.25:
        return rng.uniform(-1, 1, (count, 2))
    columns = int(rng.integers(1, count + 1))
    places = np.array([(index % columns, index // columns) for index in range(count)], np.float64)
    return np.asarray(places - places.mean(axis=0), np.float64)


def _view(scene: Image, rng: Rng) -> F64Array:
    """A scene as a curved lens shows it, mirrored and of other contrast, (SCENE, SCENE)."""
    small = cv2.resize(scene, (SCENE, SCENE), interpolation=cv2.INTER_AREA)[:, ::-1]
    levels = small.astype(np.float64)
    low, high = np.percentile(levels, (2, 98))
    stretched = np.clip((levels - low) / max(high - low, 8.0), 0, 1) ** rng.uniform(0.6, 1.8)
    return np.asarray(255 * stretched, np.float64)


def _in_lens(view: F64Array, outline: F64Array, image: Image) -> F64Array:
    """A view stretched over the box of a lens, of the picture's shape; what is outside repeats."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    scale = np.array(view.shape[::-1]) / np.maximum(high - low, 1)
    matrix = np.array([[scale[0], 0, -low[0] * scale[0]], [0, scale[1], -low[1] * scale[1]]])
    laid = cv2.warpAffine(view, matrix, image.shape[1::-1],
                          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    return np.asarray(laid[..., None] if image.ndim == 3 else laid, np.float64)


def _clouds(rng: Rng, level: float, contrast: float) -> Image:
    """Noise of several sizes."""
    sums = np.zeros((SCENE, SCENE))
    for cells in (3, 6, 12, 24):
        coarse = rng.normal(0, 1 / np.sqrt(cells), (cells, cells)).astype(np.float32)
        sums += cv2.resize(coarse, (SCENE, SCENE), interpolation=cv2.INTER_CUBIC)
    return np.clip(level + contrast * sums, 0, 255).astype(np.uint8)


def _landscape(canvas: Image, rng: Rng) -> Image:
    """A bright sky above a dark ground with a road, a bent horizon, some things on it."""
    across = np.arange(SCENE + 1, dtype=np.float64)
    height = (
        SCENE * rng.uniform(0.3, 0.7)
        + SCENE * rng.uniform(-0.15, 0.15) * (2 * across / SCENE - 1) ** 2
    )
    sky = np.concatenate([np.stack([across, height], 1), [[SCENE, 0], [0, 0]]])
    drawn = blend(canvas, sky, rng.uniform(140, 255), rng.uniform(0.7, 1), rng.uniform(0.3, 2))
    if rng.random() < 0.6:
        at, half = SCENE * rng.uniform(0.3, 0.7), rng.uniform(0.15, 0.5) * SCENE
        road = np.array([[at, height[int(at)]], [at + half, SCENE], [at - half, SCENE]])
        drawn = blend(drawn, road, rng.uniform(60, 180), 0.9, 0.5)
    for _ in range(int(rng.integers(0, 5))):
        left, wide = rng.uniform(0, SCENE), rng.uniform(3, 25)
        top = height[min(int(left), SCENE)]
        thing = np.array([[left, top + rng.uniform(0, 8)], [left, top - rng.uniform(5, 30)],
                          [left + wide, top - rng.uniform(5, 30)],
                          [left + wide, top + 5]])  # fmt: skip
        drawn = blend(drawn, thing, rng.uniform(0, 130), 0.95, 0.5)
    return drawn


def _window(canvas: Image, rng: Rng) -> Image:
    """Bright panes with dark bars between them, seen at an angle."""
    left, top = SCENE * rng.uniform(0.05, 0.4, 2)
    right, bottom = SCENE * rng.uniform(0.6, 0.95, 2)
    slant = SCENE * rng.uniform(-0.12, 0.12, 2)
    frame = np.array([[left, top], [right, top + slant[0]], [right, bottom + slant[1]],
                      [left, bottom]])  # fmt: skip
    drawn = blend(canvas, frame, rng.uniform(150, 255), 1.0, rng.uniform(0.3, 2))
    width = rng.uniform(0.8, 3)
    for first, most in ((0, 4), (1, 3)):  # bars down, then across
        one, two, three, four = (frame[(first + corner) % 4] for corner in range(4))
        count = int(rng.integers(1, most))
        for part in np.arange(1, count) / count:
            begin, end = one + part * (two - one), four + part * (three - four)
            drawn = blend(drawn, bar(begin, end, width), rng.uniform(0, 90), 1.0, 0.5)
    return drawn
