# SPDX-License-Identifier: Apache-2.0
"""Is it still the same person? Told by proportions of the face, not by a recognition of people."""

from __future__ import annotations

import math

import numpy as np

from host.common.arrays import F64Array, Points

SPREAD: F64Array = np.array([0.039, 0.023, 0.023, 0.023, 0.012, 0.047, 0.053, 0.059, 0.083, 0.116])
"""Scatter of the logarithms of ``proportions`` within one person's frames, (10,). Measured with
pfld_eyes_fp32.onnx on nearly frontal frames of 268 people (``python -m model evaluate-driver``)."""

FADE_S = 3.0
"""Time constant of what was seen lately."""

KNOWN_S = 60.0
"""How long what is known of a person weighs at most."""


def proportions(landmarks: Points) -> F64Array:
    """Logarithms (10,) of lengths over the distance of the outer eye corners; (98, 2) pixels.

    Widths of the nose, of the face at three heights, from outer brow to outer brow and between the
    brows; heights of nose, chin, and of the brows' middle and ends over the eyes.
    """
    p = np.asarray(landmarks, np.float64)
    right, down = (p[72] - p[60]).tolist()
    unit = max(math.hypot(right, down), 1e-9)
    turned = np.array([[right, down], [-down, right]]) / unit**2
    x, y = (turned @ (p - (p[60] + p[72]) / 2).T).tolist()
    lengths = [x[59] - x[55], x[28] - x[4], x[32] - x[0], x[22] - x[10], x[46] - x[33],
               x[42] - x[37], y[57], y[16] - y[57], (y[35] + y[44]) / 2,
               (y[33] + y[46]) / 2]  # fmt: skip
    return np.array([math.log(abs(length) + 1e-3) for length in lengths])


class Person:
    """Compares the face seen lately with the one that is known."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Learn whoever is seen next."""
        self.known: F64Array | None = None
        self._known_s = 0.0
        self.doubt()

    def doubt(self) -> None:
        """The face was gone: compare anew before it counts as the same."""
        self._lately: F64Array | None = None
        self._lately_s = 0.0

    def use(self, known: F64Array) -> None:
        """Expect this face."""
        self.renew()
        self.known, self._known_s = known, KNOWN_S

    @property
    def compared_s(self) -> float:
        """How long the present face has been looked at."""
        return self._lately_s

    def see(self, landmarks: Points, span_s: float) -> None:
        """A nearly frontal face was seen for ``span_s``."""
        now = proportions(landmarks)
        self._lately_s += span_s
        share = min(1.0, span_s / min(max(self._lately_s, 1e-9), FADE_S))
        before = now if self._lately is None else self._lately
        self._lately = before + share * (now - before)

    def learn(self, span_s: float) -> None:
        """The present face is the known one."""
        if self._lately is None:
            return
        self._known_s = min(self._known_s + span_s, KNOWN_S)
        share = min(1.0, span_s / max(self._known_s, 1e-9))
        before = self._lately if self.known is None else self.known
        self.known = before + share * (self._lately - before)

    def distance(self) -> float | None:
        """Between the face seen lately and the known one, in scatters; None without both."""
        if self.known is None or self._lately is None:
            return None
        off = (self._lately - self.known) / SPREAD
        return math.sqrt(float(off @ off) / len(SPREAD))
