# SPDX-License-Identifier: Apache-2.0
"""Things drawn over faces whose landmarks are known: sunglasses, masks, glasses, hands, hair.

Each function returns a copy of a picture, (H, W) grey or (H, W, 3) BGR, uint8. Landmarks are
(98, 2) in pixels; of each eye only the corners need to be known.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from host.common.arrays import F64Array, Image, Points
from host.face.landmarks import CONTOUR

Rng = np.random.Generator

SUBPIXEL = 3  #: bits behind the point of drawn coordinates
BOTH = 2  #: what ``hand`` covers
CORNERS = ((60, 64), (68, 72))  #: of the eye on the picture's left and right, left corner first


class Eyes(NamedTuple):
    """The two eyes as something on a nose sees them, in pixels."""

    centres: F64Array
    """(2, 2), the eye on the left first."""
    along: F64Array
    """(2,) unit vector from the left to the right eye."""
    down: F64Array
    """(2,) unit vector towards the mouth."""
    widths: F64Array
    """(2,) of the eyes from corner to corner."""
    apart: float
    """Distance of the centres."""


def eyes_of(points: Points) -> Eyes:
    """Where the eyes are, by their corners."""
    corners = points[np.array(CORNERS)]
    centres = corners.mean(axis=1)
    across = centres[1] - centres[0]
    apart = float(np.linalg.norm(across))
    along = across / max(apart, 1e-6)
    down = np.array([-along[1], along[0]])
    return Eyes(centres, along, down, np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1), apart)


def blend(
    image: Image, outline: Points, value: F64Array | float, cover: float, blur: float
) -> Image:
    """Lay ``value`` over the polygon (N, 2), softened by ``blur`` pixels; cover: 0 to 1."""
    mask = np.zeros(image.shape[:2], np.uint8)
    fixed = np.rint(np.asarray(outline) * 2**SUBPIXEL).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, SUBPIXEL)
    soft = cv2.GaussianBlur(mask, (0, 0), blur) if blur > 0.3 else mask
    share = (cover / 255) * soft.astype(np.float32)
    share = share[..., None] if image.ndim == 3 else share
    mixed = image * (1 - share) + np.asarray(value, np.float32) * share
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def sunglasses(image: Image, points: Points, rng: Rng) -> Image:
    """Dark lenses, hardly to be seen through, with bridge, arms and reflections."""
    eyes = eyes_of(points)
    shape, tint = lens(rng), colour(image, rng, 0, 60)
    drawn = arms(image, points, eyes, tint, rng)
    cover, fade = rng.uniform(0.86, 1.0), rng.uniform(0, 0.3)
    for outline in lenses(eyes, shape):
        drawn = blend(drawn, outline, tint, cover, 0.004 * eyes.apart)
        if fade > 0.15:  # lighter towards the cheeks
            low = outline + eyes.down * 0.12 * eyes.apart
            drawn = blend(drawn, low, colour(image, rng, 60, 120), fade, 0.08 * eyes.apart)
        if rng.random() < 0.6:
            drawn = blend(drawn, _glint(outline, eyes, rng), colour(image, rng, 120, 255),
                          rng.uniform(0.1, 0.6), rng.uniform(0.01, 0.06) * eyes.apart)  # fmt: skip
    return drawn


def glasses(image: Image, points: Points, rng: Rng) -> Image:
    """Clear glasses: rims of any width, and weak reflections."""
    eyes = eyes_of(points)
    outlines = lenses(eyes, lens(rng))
    drawn = rims(image, points, eyes, outlines, rng)
    for outline in outlines:
        if rng.random() < 0.3:
            drawn = blend(drawn, _glint(outline, eyes, rng), 255.0, rng.uniform(0.05, 0.25),
                          0.05 * eyes.apart)  # fmt: skip
    return drawn


def mask(image: Image, points: Points, rng: Rng) -> Image:
    """A surgical mask from the nose to below the chin."""
    nose = points[[51, 52, 53, 54]]
    nose = nose[np.isfinite(nose).all(1)].mean(axis=0)
    jaw = points[list(CONTOUR[4:29:2])]
    outline = np.concatenate([jaw[np.isfinite(jaw).all(1)], nose[None]])
    cloth = colour(image, rng, 130, 235)
    drawn = blend(image, outline, cloth, 1.0, 0.8)
    for share in (0.3, 0.55, 0.8):  # its folds
        line = nose + (outline - nose) * share
        fixed = [np.rint(line[:-1] * 2**SUBPIXEL).astype(np.int32)]
        tone = np.atleast_1d(np.multiply(cloth, 0.85)).tolist()
        cv2.polylines(drawn, fixed, False, tone, 1, cv2.LINE_AA, SUBPIXEL)
    return drawn


def hand(image: Image, points: Points, rng: Rng, which: int = BOTH) -> Image:
    """Fingers of the face's own skin over one eye, 0 or 1, or over BOTH."""
    eyes = eyes_of(points)
    skin = _skin(image, points)
    centre = eyes.centres.mean(axis=0) if which == BOTH else eyes.centres[which]
    angle, count = rng.uniform(-0.9, 0.9), 8 if which == BOTH else 4
    thick, drawn = rng.uniform(0.16, 0.22) * eyes.apart, np.array(image)
    across = np.cos(angle) * eyes.along + np.sin(angle) * eyes.down
    length = np.array([-across[1], across[0]])
    for finger in range(count):
        at = centre + (finger - (count - 1) / 2) * 1.7 * thick * across
        at = at + rng.uniform(-0.1, 0.1) * eyes.apart * length
        outline = ellipse(at, across * thick, length * rng.uniform(0.7, 1.1) * eyes.apart, 2.5)
        tone = skin * rng.uniform(0.85, 1.1)
        drawn = blend(drawn, outline + 0.06 * thick, tone * 0.6, 0.8, 0.1 * thick)
        inner = ellipse(at, across * thick * 0.85, length * 0.9 * eyes.apart, 2.5)
        drawn = blend(drawn, inner, tone, 1.0, 0.25 * thick)
    return drawn


def hair(image: Image, points: Points, rng: Rng) -> Image:
    """Thick strands of hair over the eyes."""
    eyes = eyes_of(points)
    drawn, tone = np.array(image), rng.uniform(5, 120)
    top = eyes.centres.mean(axis=0) - eyes.down * eyes.apart
    for _ in range(int(rng.integers(60, 140))):
        begin = top + eyes.along * rng.uniform(-1.1, 1.1) * eyes.apart
        end = begin + eyes.down * rng.uniform(1.2, 1.9) * eyes.apart
        end = end + eyes.along * rng.normal(0, 0.15) * eyes.apart
        shade = np.atleast_1d(_tone(image, tone * rng.uniform(0.6, 1.5))).tolist()
        line = [np.rint(np.stack([begin, end]) * 2**SUBPIXEL).astype(np.int32)]
        width = max(1, round(rng.uniform(0.02, 0.07) * eyes.apart))
        cv2.polylines(drawn, line, False, shade, width, cv2.LINE_AA, SUBPIXEL)
    return drawn


def lens(rng: Rng) -> tuple[float, float, float, float]:
    """Half width and half height over the eyes' distance, roundness, and how low it sits."""
    width = rng.uniform(0.36, 0.49)
    return width, width * rng.uniform(0.62, 1.0), rng.uniform(2, 4.5), rng.uniform(0.0, 0.12)


def lenses(eyes: Eyes, shape: tuple[float, float, float, float]) -> list[F64Array]:
    """Outlines (N, 2) of two lenses in front of the eyes."""
    wide, high, power, low = shape
    mean = float(eyes.widths.mean())
    outlines = []
    for side, centre, width in zip((-1, 1), eyes.centres, eyes.widths, strict=True):
        half = wide * eyes.apart * np.sqrt(np.clip(width / max(mean, 1e-6), 0.4, 1.6))
        at = centre + eyes.down * low * eyes.apart + eyes.along * side * 0.04 * eyes.apart
        outlines.append(ellipse(at, eyes.along * half, eyes.down * high * eyes.apart, power))
    return outlines


def ellipse(centre: F64Array, one: F64Array, other: F64Array, power: float) -> F64Array:
    """Outline (48, 2) of a superellipse with the half axes ``one`` and ``other``."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    wave = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    wave = np.sign(wave) * np.abs(wave) ** (2 / power)
    return np.asarray(centre + wave[:, :1] * one + wave[:, 1:] * other, np.float64)


def rims(image: Image, points: Points, eyes: Eyes, outlines: list[F64Array], rng: Rng) -> Image:
    """Rims of any width around lenses, with bridge and arms."""
    tint = colour(image, rng, 0, 140)
    drawn = arms(image, points, eyes, tint, rng)
    width = max(1, round(rng.uniform(0.01, 0.06) * eyes.apart))
    for outline in outlines:
        fixed = [np.rint(outline * 2**SUBPIXEL).astype(np.int32)]
        tone = np.atleast_1d(tint).tolist()
        cv2.polylines(drawn, fixed, True, tone, width, cv2.LINE_AA, SUBPIXEL)
    return drawn


def arms(image: Image, points: Points, eyes: Eyes, tint: F64Array, rng: Rng) -> Image:
    """Bridge and arms of glasses."""
    ears = [points[CONTOUR[0]], points[CONTOUR[-1]]]
    width = rng.uniform(0.015, 0.05) * eyes.apart
    inner = [eyes.centres[i] + eyes.along * s * 0.3 * eyes.apart for i, s in ((0, 1), (1, -1))]
    lines = [(inner[0], inner[1])]
    for ear, centre, side in zip(ears, eyes.centres, (-1, 1), strict=True):
        if np.isfinite(ear).all():
            start = centre + eyes.along * side * 0.3 * eyes.apart
            lines.append((start, ear - eyes.down * 0.1 * eyes.apart))
    drawn = np.array(image)
    for begin, end in lines:
        drawn = blend(drawn, bar(begin, end, width), tint, 1.0, 0.0)
    return drawn


def bar(begin: F64Array, end: F64Array, width: float) -> F64Array:
    """Outline (4, 2) of a thick line."""
    run = (end - begin) / max(float(np.linalg.norm(end - begin)), 1e-6)
    aside = np.array([-run[1], run[0]]) * width
    return np.stack([begin + aside, end + aside, end - aside, begin - aside])


def _glint(outline: F64Array, eyes: Eyes, rng: Rng) -> F64Array:
    """Outline of a reflection within a lens."""
    centre, half = outline.mean(axis=0), np.ptp(outline, axis=0) / 2
    at = centre + rng.uniform(-0.5, 0.5, 2) * half
    size = rng.uniform(0.1, 0.5) * half.min()
    slant = eyes.down * rng.uniform(0.5, 2) + eyes.along * rng.uniform(-1, 1)
    return np.asarray(ellipse(at, eyes.along * size * 0.6, slant * size, 2.5), np.float64)


def _skin(image: Image, points: Points) -> F64Array:
    """Colour of the cheeks: (3,) or ()."""
    eyes = eyes_of(points)
    spots = eyes.centres + eyes.down * 0.5 * eyes.apart
    low, high = np.zeros(2), np.array(image.shape[1::-1]) - 1
    at = np.clip(np.rint(spots), low, high).astype(int)
    return np.asarray(image[at[:, 1], at[:, 0]].astype(np.float64).mean(axis=0), np.float64)


def colour(image: Image, rng: Rng, low: float, high: float) -> F64Array:
    """A weakly tinted grey between two levels, as the picture has it: (3,) or ()."""
    level = rng.uniform(low, high)
    tint = level * rng.uniform(0.8, 1.2, 3) if image.ndim == 3 else np.array(level)
    return np.asarray(np.clip(tint, 0, 255), np.float64)


def _tone(image: Image, level: float) -> F64Array:
    """A grey level as the picture has it: (3,) or ()."""
    grey = np.full(3, level) if image.ndim == 3 else np.array(level)
    return np.asarray(np.clip(grey, 0, 255), np.float64)
