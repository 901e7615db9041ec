# SPDX-License-Identifier: Apache-2.0
"""Crops of a data set's faces on disk: decoded once, read through a memory map ever after.

A crop shows COVER times the longer side of the landmarks' box, so that augmentation, which zooms
times shifts to 2.0 times, sees the picture to its edges as the host's detector does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from host.common.arrays import BoolArray, F32Array, F64Array, Image, Images, IntArray, Points
from host.common.atomic import replacing
from host.common.errors import UserError
from host.face.crop import LANDMARK_MARGIN, Transform, crop_square, square_at
from host.face.landmarks import COUNT
from host.face.pose import head_pose
from model.data.records import ATTRIBUTES, Listing, Record, read_picture
from model.data.registry import as_98
from model.faces.render import Faces

SIDE = 240  #: pixels of a crop
COVER = 2.2  #: side of a crop over the longer side of the landmarks' box
FORMAT = 2  #: counts up when the content of the files changes
INSIDE = 0.5  #: share of a face's points that must lie in the picture


@dataclass(frozen=True)
class Crops:
    """Pictures and labels of N faces; all arrays have N as their first dimension."""

    name: str
    """Of the data set, for messages."""
    images: Images
    """(N, S, S) grey, maybe a memory map."""
    landmarks: F32Array
    """(N, 98, 2), fractions of the crop; 0.5 where unknown."""
    mask: BoolArray
    """(N, 98), whether a point is known."""
    pose: F32Array
    """(N, 3), yaw, pitch and roll in radians; nan where unknown."""
    attributes: BoolArray
    """(N, 6), see ATTRIBUTES."""
    weights: F32Array
    """(N,), weight in the loss."""
    lids: F32Array
    """(N,), weight of the eyelids' term."""
    framed: bool = False
    """Whether the whole crop is what the network sees; else its square follows from the points."""

    def __len__(self) -> int:
        return len(self.images)

    def part(self, chosen: IntArray) -> Crops:
        """Some of the faces, by index."""
        return Crops(
            self.name,
            self.images[chosen],
            self.landmarks[chosen],
            self.mask[chosen],
            self.pose[chosen],
            self.attributes[chosen],
            self.weights[chosen],
            self.lids[chosen],
            framed=self.framed,
        )


def from_procedural(faces: Faces) -> Crops:
    """Procedural faces as crops; every point is known."""
    count = len(faces.images)
    return Crops(
        "procedural",
        faces.images,
        faces.landmarks,
        np.ones((count, COUNT), bool),
        faces.pose,
        np.zeros((count, len(ATTRIBUTES)), bool),
        np.ones(count, np.float32),
        np.ones(count, np.float32),
        framed=True,
    )


def wide_square(points: Points) -> Transform:
    """The square that the crop of a face with ``points`` (P, 2) shows, nan left out."""
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    centre = (low + high) / 2
    return square_at(centre[0], centre[1], COVER * float((high - low).max()))


def cut(record: Record) -> tuple[Image, F64Array]:
    """Crop (SIDE, SIDE) and points (98, 2) as fractions of it; UserError for a bad record."""
    picture, points = read_picture(record.image), as_98(record)
    height, width = picture.shape
    known = points[np.isfinite(points).all(1)]
    inside = ((known >= 0) & (known <= (width, height))).all(1).mean()
    if inside < INSIDE:
        raise UserError(
            f"{record.image}: {1 - inside:.0%} of the points lie outside of the {width}x{height} "
            f"picture; at most {1 - INSIDE:.0%} may"
        )
    square = wide_square(points)
    return crop_square(picture, square, SIDE), square.to_crop(points)


def cached_crops(
    listing: Listing, folder: Path, report: Callable[[int], None] = lambda done: None
) -> Crops:
    """Crops of a listing's faces, from ``folder`` if they are there, else cut and kept there.

    Faces that cannot be cut are added to ``listing.problems``. UserError when none can.
    """
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / f"{listing.name.replace(' ', '_')}_{_key(listing)}"
    images, labels = base.with_suffix(".npy"), base.with_suffix(".npz")
    if not (images.is_file() and labels.is_file()):
        _write(listing, images, labels, report)
    with np.load(labels) as content:
        listing.problems.extend(json.loads(str(content["problems"])))
        names = ("landmarks", "mask", "pose", "attributes", "weights", "lids")
        arrays = [content[name] for name in names]
    return Crops(listing.name, np.load(images, mmap_mode="r"), *arrays)


def _key(listing: Listing) -> str:
    """Twelve hex digits that change with what the crops depend on."""
    digest = hashlib.sha256(json.dumps([FORMAT, SIDE, COVER, LANDMARK_MARGIN]).encode())
    for record in listing.records:
        stat = record.image.stat() if record.image.is_file() else None
        digest.update(f"{record.image.name}{stat and (stat.st_size, stat.st_mtime_ns)}".encode())
        digest.update(record.points.tobytes())
        digest.update(repr((record.attributes, record.weight, record.lids)).encode())
    return digest.hexdigest()[:12]


def _write(listing: Listing, images: Path, labels: Path, report: Callable[[int], None]) -> None:
    pictures, points, kept, problems = [], [], [], []
    for done, record in enumerate(listing.records, 1):
        try:
            picture, fractions = cut(record)
        except UserError as error:
            problems.append(str(error))
        else:
            pictures.append(picture)
            points.append(fractions)
            kept.append(record)
        report(done)
    if not kept:
        Listing(listing.name, [], problems).checked()
    marks = np.stack(points)
    mask = np.asarray(np.isfinite(marks).all(2))
    with replacing(images) as partial, partial.open("wb") as file:
        np.save(file, np.stack(pictures))
    with replacing(labels) as partial, partial.open("wb") as file:
        np.savez(
            file,
            landmarks=np.where(mask[..., None], marks, 0.5).astype(np.float32),
            mask=mask,
            pose=np.stack([head_pose(p) for p in marks]).astype(np.float32),
            attributes=np.array([r.attributes for r in kept], bool),
            weights=np.array([r.weight for r in kept], np.float32),
            lids=np.array([r.lids for r in kept], np.float32),
            problems=json.dumps(problems),
        )
