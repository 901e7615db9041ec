# SPDX-License-Identifier: Apache-2.0
"""Observations as JSON, one object a line."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TextIO

from host.common.errors import UserError
from host.common.lock import locked
from host.monitor.judge import Observation
from host.monitor.thresholds import Thresholds

FORMAT = 1
"""Version of the JSON lines."""


def clock(seconds: float) -> str:
    """Time since 1970 as ISO 8601 in this machine's time zone, with milliseconds."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="milliseconds")


def as_json(seen: Observation) -> dict[str, object]:
    """One line of the JSON log; docs/monitor.md describes it."""
    numbers = {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(seen.measures).items()
    }
    landmarks, square = seen.track.landmarks, seen.track.square
    return {
        "format": FORMAT,
        "frame": seen.frame.number,
        "clock": clock(seen.clock_s),
        "state": seen.state,
        "alarm": seen.alarm,
        "fault": seen.frame.fault,
        **numbers,
        "crop": None if square is None else dataclasses.asdict(square),
        "landmarks": None if landmarks is None else landmarks.round(2).tolist(),
        "times_ms": {name: round(value, 3) for name, value in seen.times_ms.items()},
    }


class JsonSink:
    """One JSON object a line, flushed at once, to a file or to stdout."""

    lossy = False

    def __init__(self, path: Path | None, facts: Mapping[str, object] | None = None) -> None:
        """Open the file.

        Args:
            path: None is stdout.
            facts: of the run; the first line has them too.

        Raises:
            UserError: the file cannot be written, or another monitor writes it.
        """
        self.name = "JSON" if path is None else str(path)
        self._owned = path is not None
        self._facts = facts
        self._limits: Thresholds | None = None
        try:
            file = sys.stdout if path is None else _opened(path)
        except OSError as error:
            raise UserError(
                f"cannot write {path}: {error.strerror or error}; "
                "give a path in a writable folder with room"
            ) from error
        if file is None:
            raise UserError("cannot write JSON: stdout is closed; give --json a file")
        self._file = file

    def write(self, seen: Observation) -> None:
        """Write a line; the first one, and each one after a change, has the thresholds too."""
        line = as_json(seen)
        if self._facts is not None:
            line["run"], self._facts = self._facts, None
        if seen.limits is not self._limits and seen.limits is not None:
            line["thresholds"] = dataclasses.asdict(seen.limits)
            self._limits = seen.limits
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._owned:
            self._file.close()


def _opened(path: Path) -> TextIO:
    """An empty file that nobody else writes; OSError, and UserError if another monitor has it."""
    file = path.open("a")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        if not locked(file):
            file.close()
            raise UserError(f"another monitor writes {path}; give each its own file")
        file.truncate(0)
    return file
