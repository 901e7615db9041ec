# SPDX-License-Identifier: Apache-2.0
"""All faces of a training in one small file: JPEG crops with their labels.

A machine with a GPU then needs this file and one command, no folders of data sets. The file is an
npz: for each source the JPEG pictures one after the other, where each ends, and the labels; beside
them the faces that are held back, and how often each source comes. The pictures stay under the
licences of their data sets.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from host.common.arrays import Bytes, Images, IntArray
from host.common.atomic import replacing
from host.common.errors import UserError
from host.common.npz import reading_npz
from model.data.crops import Crops
from model.data.mixture import Balance, Mixture
from model.data.records import decode_grey

FORMAT = 1
LARGEST = 60_000_000  #: bytes of a file
QUALITIES = (90, 85, 80, 75, 70, 60, 50)  #: of the JPEG pictures, the first that is small enough
LABELS = ("landmarks", "mask", "pose", "attributes", "weights", "lids")
HELD = "held"


def write_pack(mixture: Mixture, held: Crops, path: Path, largest: int = LARGEST) -> int:
    """Write the faces of a training and those held back to ``path``; returns the JPEG quality.

    UserError when no quality makes the file smaller than ``largest`` bytes.
    """
    parts = {f"{number}": crops for number, crops in enumerate(mixture.parts)}
    parts[HELD] = held
    for quality in QUALITIES:
        packed = {name: encode(crops.images, quality) for name, crops in parts.items()}
        size = sum(len(data) for data, _ in packed.values())
        size += sum(getattr(c, label).nbytes for c in parts.values() for label in LABELS)
        if size < largest:
            break
    else:
        raise UserError(
            f"the faces take {size / 1e6:.1f} MB at JPEG quality {quality}, at most "
            f"{largest / 1e6:.1f} MB may be; leave out a source"
        )
    content: dict[str, Any] = {}
    for name, crops in parts.items():
        content[f"{name}_jpeg"], content[f"{name}_ends"] = packed[name]
        content |= {f"{name}_{label}": getattr(crops, label) for label in LABELS}
    about = {
        "format": FORMAT,
        "quality": quality,
        "names": {name: crops.name for name, crops in parts.items()},
        "framed": {name: crops.framed for name, crops in parts.items()},
        "repeats": list(mixture.repeats),
    }
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, about=json.dumps(about), **content)
    return quality


def read_pack(path: Path, balance: Balance) -> tuple[Mixture, Crops]:
    """Mixture and held-back faces of a file of :func:`write_pack`; UserError for another file."""
    with reading_npz(path, "file of `python -m model pack`") as content:
        about = json.loads(str(content["about"]))
        if about["format"] != FORMAT:
            raise UserError(f"{path} has format {about['format']}; this version reads {FORMAT}")
        parts = {name: _crops(content, name, about) for name in about["names"]}
        held = parts.pop(HELD)
        return Mixture(tuple(parts.values()), tuple(about["repeats"]), balance), held


def _crops(content: np.lib.npyio.NpzFile, name: str, about: dict[str, Any]) -> Crops:
    images = decode(content[f"{name}_jpeg"], content[f"{name}_ends"])
    labels = {label: content[f"{name}_{label}"] for label in LABELS}
    return Crops(about["names"][name], images, **labels, framed=about["framed"][name])


def encode(images: Images, quality: int) -> tuple[Bytes, IntArray]:
    """JPEG files of pictures (N, S, S) one after the other, and where each ends (N,)."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    files = [cv2.imencode(".jpg", np.asarray(image), settings)[1] for image in images]
    ends = np.cumsum([len(file) for file in files])
    return np.concatenate(files).ravel(), ends.astype(np.int64)


def decode(data: Bytes, ends: IntArray) -> Images:
    """Pictures (N, S, S) of what :func:`encode` gives."""
    pictures = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        picture = decode_grey(data[start:end])
        if picture is None:
            raise ValueError(f"the picture at byte {start} cannot be decoded")
        pictures.append(picture)
    return np.stack(pictures)
