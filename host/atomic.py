# SPDX-License-Identifier: Apache-2.0
"""Files that are there whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from host.errors import UserError


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file in one step; an interruption leaves the former file, or none.

    Raises:
        UserError: the folder is missing, not writable or full, or the path is no regular file.
    """
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        if target.exists() and not target.is_file():
            raise UserError(f"cannot write {path}: not a regular file; give another path")
        _write_synced(partial, data)
        os.replace(partial, target)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}; give a path in a writable folder with "
            f"{len(data)} bytes free"
        ) from error
    finally:
        _remove(partial)


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 file in one step; raises as ``write_bytes``."""
    write_bytes(path, text.encode())


def write_image(path: Path | str, image: npt.NDArray[np.uint8]) -> None:
    """Write a picture, (H, W, 3) BGR or (H, W) grey, in the format that the name's ending says.

    Raises:
        UserError: no picture format has this ending; or as ``write_bytes``.
    """
    ending = Path(path).suffix
    try:
        done, data = cv2.imencode(ending, image)
    except cv2.error:
        done = False
    if not done:
        raise UserError(
            f"cannot write {path}: no picture format for the ending {ending!r}; "
            "use .png, .jpg or .bmp"
        )
    write_bytes(path, data.tobytes())


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the folder itself is gone or closed to us: the write has said so already
