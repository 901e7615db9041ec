# SPDX-License-Identifier: Apache-2.0
"""Reading npz files that people name."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from host.common.errors import UserError

DAMAGED = (OSError, EOFError, BadZipFile, zlib.error, ValueError, LookupError, TypeError)
"""What reading raises where a file is cut off or holds something else."""


@contextmanager
def reading_npz(path: Path, what: str) -> Iterator[np.lib.npyio.NpzFile]:
    """The arrays of the npz file ``path``.

    UserError saying that it is no ``what``: it cannot be read, or the block finds it is another.
    """
    try:
        with path.open("rb") as file:  # numpy leaves the file of a broken archive open
            content = np.load(file)
            if isinstance(content, np.ndarray):
                raise ValueError("it holds one array without a name")
            yield content
    except DAMAGED as error:
        raise UserError(f"{path} is no {what}: {type(error).__name__}: {error}") from error
