# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from host.common.arrays import Image
from host.common.errors import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it becomes ``path`` when the block ends well.

    When the block raises or is interrupted, the former file stays as it was, or there is none.

    Raises:
        UserError: the folder is missing, not writable or full, or the path is no regular file.
    """
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        if target.exists() and not target.is_file():
            raise UserError(f"cannot write {path}: not a regular file; give another path")
        try:
            yield partial
            _sync(partial)
            partial.replace(target)
        finally:
            _remove(partial)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror or error}; "
            "give a path in a writable folder with room"
        ) from error


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file in one step; raises as ``replacing``."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 file in one step; raises as ``replacing``."""
    write_bytes(path, text.encode())


def check_image_name(path: Path | str) -> None:
    """Raise UserError unless the ending of ``path`` is one of IMAGE_SUFFIXES."""
    ending = Path(path).suffix
    if ending.lower() not in IMAGE_SUFFIXES:
        raise UserError(
            f"cannot write {path}: no picture format for the ending '{ending}'; "
            f"use {', '.join(IMAGE_SUFFIXES)}"
        )


def write_image(path: Path | str, image: Image) -> None:
    """Write a picture, (H, W, 3) BGR or (H, W) grey uint8, in the format of the name's ending.

    Raises:
        UserError: the ending is none of IMAGE_SUFFIXES, or as ``replacing``.
    """
    check_image_name(path)
    _, data = cv2.imencode(Path(path).suffix.lower(), image)
    write_bytes(path, data.tobytes())


def _sync(path: Path) -> None:
    """Force the file to the disk, so that the rename cannot overtake its content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the folder itself is gone or closed to us: the write has said so already
