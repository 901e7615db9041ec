# SPDX-License-Identifier: Apache-2.0
"""What goes wrong or changes during a run: told at once, kept for the dashboard and the end."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from datetime import datetime

KEPT = 100
"""Lines that are kept."""

AGAIN_S = 10.0
"""The same failure is told again when it was not told for so long, or had ended meanwhile."""


class Notices:
    """Lines for stderr and the dashboard; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=KEPT)
        self._failures: list[str] = []
        self._told_s: dict[str, float] = {}

    def tell(self, text: str, mended: str | None = None) -> None:
        """Something has changed that the user should know, and is no failure.

        mended: how the failures begin that have ended with it; the next one is told at once.
        """
        with self._lock:
            if mended is not None:
                kept = self._told_s.items()
                self._told_s = {one: at for one, at in kept if not one.startswith(mended)}
            self._say(f"note: {text}")

    def fail(self, text: str) -> None:
        """Something has failed, and the run will end with exit code 1.

        One that lasts is told every AGAIN_S.
        """
        now = time.monotonic()
        with self._lock:
            if text not in self._failures:
                if len(self._failures) >= KEPT:
                    return
                self._failures.append(text)
            if now - self._told_s.get(text, -AGAIN_S) >= AGAIN_S:
                self._told_s[text] = now
                self._say(f"warning: {text}")

    def _say(self, line: str) -> None:
        self._lines.append(f"{datetime.now():%H:%M:%S} {line}")
        if sys.stderr is None:
            return
        try:
            print(" ".join(line.split()), file=sys.stderr, flush=True)
        except (OSError, ValueError):
            return  # nobody reads stderr: the page and the exit code still tell

    @property
    def failures(self) -> list[str]:
        """What has failed so far, each line once."""
        with self._lock:
            return list(self._failures)

    @property
    def lines(self) -> list[str]:
        """The last lines with their time of day."""
        with self._lock:
            return list(self._lines)
