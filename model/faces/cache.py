# SPDX-License-Identifier: Apache-2.0
"""Procedural faces on disk: made once, in chunks, by several processes."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from host.common.atomic import replacing
from host.common.errors import UserError
from model.faces import camera, paint, render, scene, shape
from model.faces.render import Faces, make_faces

CHUNK = 500  #: faces a file


def generator_id() -> str:
    """Twelve hex digits that change with the source of the generator."""
    digest = hashlib.sha256()
    for module in (shape, paint, camera, scene, render):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:12]


def make_chunk(folder: Path, seed: int, number: int) -> Path:
    """Write faces ``number * CHUNK`` onwards unless the file is there; returns its path."""
    path = folder / f"faces_{generator_id()}_{seed}_{number:04d}.npz"
    if not path.exists():
        cv2.setNumThreads(1)
        made = make_faces(CHUNK, seed, number * CHUNK)
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez(file, images=made.images, landmarks=made.landmarks, pose=made.pose)
    return path


def make_chunks(folder: Path, count: int, seed: int, workers: int) -> Iterator[Path]:
    """Files with the first ``count`` faces of ``seed``, in order, made by ``workers`` processes."""
    if count < 1 or workers < 1:
        raise UserError(f"count={count} and workers={workers} must be 1 or more")
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(-(-count // CHUNK))
    make = partial(make_chunk, folder, seed)
    if workers == 1:
        yield from map(make, numbers)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(make, numbers)


def read_chunks(paths: list[Path], count: int) -> Faces:
    """The first ``count`` faces of the files of :func:`make_chunks`."""
    parts: dict[str, list[np.ndarray]] = {"images": [], "landmarks": [], "pose": []}
    for path in paths:
        with np.load(path) as content:
            for name, values in parts.items():
                values.append(content[name])
    return Faces(**{name: np.concatenate(values)[:count] for name, values in parts.items()})
