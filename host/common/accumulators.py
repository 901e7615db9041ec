# SPDX-License-Identifier: Apache-2.0
"""From the integers that the network gives to landmarks."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from host.common.arrays import F64Array, Points


def landmarks_of(accumulators: npt.NDArray[Any], scale: F64Array, bias: F64Array) -> Points:
    """Accumulators (N, 2 x points) as landmarks (N, points, 2).

    landmark = accumulator * scale + bias, both of shape (2 x points,), as fractions of the crop.
    """
    return (accumulators * scale + bias).reshape(len(accumulators), -1, 2)
