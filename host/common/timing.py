# SPDX-License-Identifier: Apache-2.0
"""Wall time by stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(times_ms: dict[str, float], name: str) -> Iterator[None]:
    """Add the wall time of the block to ``times_ms[name]``."""
    begin = time.perf_counter()
    yield
    times_ms[name] = times_ms.get(name, 0.0) + (time.perf_counter() - begin) * 1e3
