# SPDX-License-Identifier: Apache-2.0
"""Folders and files that one process at a time writes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TextIO

from host.common.errors import UserError


@contextmanager
def owning(folder: Path, waiting: Callable[[str], None]) -> Iterator[None]:
    """Own ``folder`` while the block runs; waits for another process that owns it.

    ``waiting`` is told once, in one line, who that is and since when. The lock belongs to the open
    file beside the folder, so it ends with its process, however that ends. However the folder is
    spelt, by a link or relative, the lock is the same. UserError for the root of all folders.
    """
    place = folder.resolve()
    if not place.name:
        raise UserError(f"{folder} is no folder that one process can own; give one below it")
    path = place.with_name(f".{place.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        if not locked(file):
            waiting(f"{folder} is in use by {_owner(file)}; waiting for its end")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"process {os.getpid()} since {datetime.now():%Y-%m-%d %H:%M:%S}")
        file.flush()
        yield


def locked(file: TextIO) -> bool:
    """Lock an open file for this process as long as it is open; False if another one has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(file: TextIO) -> str:
    file.seek(0)
    return file.read() or "another process"
