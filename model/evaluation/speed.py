# SPDX-License-Identifier: Apache-2.0
"""Processor time of one inference, comparable between files on a machine that others use too.

One thread, which counts its own time only; the files take turns, so that what else runs slows all
of them alike.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from host.backends.cpu import check_shapes, open_session
from host.common.arrays import F64Array
from host.common.errors import UserError
from host.common.tables import to_markdown

HEADS = ("file", "fastest ms", "10th of 100", "median", "times the first")
TURN = 3  #: inferences of a file before the next one's turn


def measure(files: Sequence[Path], rounds: int) -> F64Array:
    """Milliseconds (files, 3 * rounds) of each inference of one crop of noise."""
    if rounds < 1:
        raise UserError(f"rounds={rounds} is too small; use 1 or more")
    opened = []
    for file in files:
        session = open_session(file, ["CPUExecutionProvider"], 1)
        name, size, _ = check_shapes(session, file)
        noise = np.random.default_rng(0).integers(0, 256, (1, 1, size, size))
        image = {name: noise.astype(np.float32) / np.float32(255)}
        session.run(None, image)
        opened.append((session, image))
    found = np.empty((len(files), rounds, TURN))
    for turn in range(rounds):
        for row, (session, image) in enumerate(opened):
            for again in range(TURN):
                begin = time.thread_time_ns()
                session.run(None, image)
                found[row, turn, again] = (time.thread_time_ns() - begin) / 1e6
    return found.reshape(len(files), -1)


def table(files: Sequence[Path], milliseconds: F64Array) -> str:
    """Markdown; ``times the first`` compares the columns ``10th of 100``."""
    least, tenth, median = (np.percentile(milliseconds, p, axis=1) for p in (0, 10, 50))
    rows = zip(files, least, tenth, median, tenth[0] / tenth, strict=True)
    return to_markdown(
        HEADS,
        ([f.name, f"{a:.2f}", f"{b:.2f}", f"{c:.2f}", f"{d:.2f}"] for f, a, b, c, d in rows),
    )
