# SPDX-License-Identifier: Apache-2.0
"""Thresholds and states in words, for the dashboard and the documentation.

The words of a threshold are those below it in host.monitor.thresholds: they stand in one place.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from itertools import pairwise

from host.monitor.thresholds import Thresholds

UNITS = {"_s": "s", "_deg": "degrees"}
"""By the end of a threshold's name."""

MEANINGS = {
    "normal": "The driver is awake and looks ahead.",
    "tired": "Signs of tiredness within the last minute.",
    "looking away": "The head has been turned away for too long.",
    "no face": "The driver's face is not found.",
    "no picture": "The camera gives no new picture: nobody is watched.",
    "asleep": "The eyes have been closed for too long.",
    "not calibrated": "This driver's open eyes are not known yet: sleep may be missed. Look ahead.",
    "eyes not visible": "The eyes cannot be judged: sleep cannot be seen.",
    "wrong way up": "The face lies on its side or upside down: turn the camera, or use --rotate.",
}
"""What each state means, for people."""


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A threshold in words."""

    name: str
    unit: str
    text: str


def describe() -> list[Explained]:
    """All thresholds in their order."""
    tree = ast.parse(inspect.getsource(Thresholds))
    explained = []
    for field, after in pairwise(tree.body[0].body):  # type: ignore[attr-defined]
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            name = field.target.id
            text = ast.literal_eval(after.value) if isinstance(after, ast.Expr) else ""
            unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
            explained.append(Explained(name=name, unit=unit, text=" ".join(text.split())))
    return explained
