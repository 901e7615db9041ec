# SPDX-License-Identifier: Apache-2.0
"""Rounding as files ask for it, in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from host.common.arrays import F64Array

TIE = 1e-9  #: of a step; what is nearer to a half or a whole than this is one, in the file and here
Round = Callable[[npt.NDArray[np.floating]], F64Array]


def round_even(values: npt.NDArray[np.floating]) -> F64Array:
    """Nearest integers, halves to even; what is a half but for errors of float64 is one."""
    return _of_halves(np.rint)(values)


def sign(values: npt.NDArray[np.floating]) -> F64Array:
    """1, and -1 below zero; what is zero but for errors of float64 is zero."""
    return np.where(np.asarray(values, np.float64) > -TIE, 1.0, -1.0)


def _snapped(values: F64Array, marks: F64Array) -> F64Array:
    """``values``, those that are a mark but for errors of float64 as the mark."""
    near = np.abs(values - marks) < TIE * np.maximum(1.0, np.abs(values))
    return np.where(near, marks, values)


def _of_wholes(function: Callable[[F64Array], F64Array]) -> Round:
    """``function`` on values whose wholes are exact."""

    def rounded(values: npt.NDArray[np.floating]) -> F64Array:
        wide: F64Array = np.asarray(values, np.float64)
        return function(_snapped(wide, np.rint(wide)))

    return rounded


def _of_halves(function: Callable[[F64Array], F64Array]) -> Round:
    """``function`` on values whose halves are exact."""

    def rounded(values: npt.NDArray[np.floating]) -> F64Array:
        wide: F64Array = np.asarray(values, np.float64)
        return function(_snapped(wide, np.floor(wide) + 0.5))

    return rounded


def _away(values: F64Array) -> F64Array:
    return np.sign(values) * np.ceil(np.abs(values))


ROUNDINGS: dict[str, Round] = {  # attribute rounding_mode of QONNX -> what it does
    "ROUND": round_even,
    "HALF_EVEN": round_even,
    "FLOOR": _of_wholes(np.floor),
    "CEIL": _of_wholes(np.ceil),
    "ROUND_TO_ZERO": _of_wholes(np.trunc),
    "DOWN": _of_wholes(np.trunc),
    "UP": _of_wholes(_away),
    "HALF_UP": _of_halves(lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5)),
    "HALF_DOWN": _of_halves(lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5)),
}
