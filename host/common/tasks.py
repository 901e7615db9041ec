# SPDX-License-Identifier: Apache-2.0
"""From the integers that a network gives to what they stand for, by its task.

A row of ``outputs`` in settings.json is an output of the file: its ``name``, and the ``shape``
[channels, height, width] of the map that the accelerator gives for it. Where the file has the
elements in another order or shape, ``order`` is {"shape": that of the file without the batch,
"runs": [[count, step], ...]}: its elements in turn are those of the map, channels first, at the
sums of one multiple of each step, the last run the fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from host.common.accumulators import landmarks_of
from host.common.arrays import F64Array, IntArray
from host.common.errors import UserError

Outputs = dict[str, F64Array]
Settings = Mapping[str, Any]


def values_of(accumulators: IntArray, settings: Settings) -> Outputs:
    """Every output of the file by its name.

    accumulators: (N, outputs) of a design with the content ``settings`` of its settings.json.
    A vector comes as (N, elements), a map as (N, channels, height, width), what has an ``order`` in
    the shape of that.
    """
    output = settings["output"]
    scale, bias = (np.asarray(output[name], np.float64) for name in ("scale", "bias"))
    if accumulators.shape[1:] != scale.shape:
        raise UserError(
            f"accumulators of shape {accumulators.shape}; {settings['config']} gives "
            f"(N, {len(scale)})"
        )
    shapes, frames = [row["shape"] for row in settings["outputs"]], len(accumulators)
    values = accumulators * scale + bias
    if len({(height, width) for _, height, width in shapes}) == 1:  # in turn in each pixel
        _, height, width = shapes[0]
        values = values.reshape(frames, height * width, -1)
        sizes = [channels for channels, _, _ in shapes]
    else:  # whole maps in turn
        sizes = [prod(shape) for shape in shapes]
    parts = np.split(values, np.cumsum(sizes)[:-1], axis=-1)
    found = {}
    for row, part in zip(settings["outputs"], parts, strict=True):
        channels, height, width = row["shape"]
        values = np.moveaxis(part.reshape(frames, height, width, channels), -1, 1)
        if "order" in row:
            values = values.reshape(frames, -1)[:, places_of(row)]
            values = values.reshape(frames, *row["order"]["shape"])
        elif height == width == 1:
            values = values[:, :, 0, 0]
        found[row["name"]] = values
    return found


def places_of(row: Mapping[str, Any]) -> IntArray:
    """Where the elements of an output with an ``order`` stand in its map, (elements,)."""
    places = np.zeros(1, np.int64)
    for count, step in row["order"]["runs"]:
        places = (places[:, np.newaxis] + step * np.arange(count)).reshape(-1)
    return places


def classes_of(accumulators: IntArray, settings: Settings) -> Outputs:
    """The number of the largest element of every output: (N,) of a vector, (N, H, W) of a map,
    whose channels may come last or between."""
    found = values_of(accumulators, settings)
    axes = {row["name"]: class_axis(row) for row in settings["outputs"]}
    return {
        name: values.argmax(axis=axes[name]).astype(np.float64) for name, values in found.items()
    }


def class_axis(row: Mapping[str, Any]) -> int:
    """Axis of an output along which the channels of one pixel are.

    Of one pixel the axis with more than one element. UserError where several are.
    """
    sizes = row["order"]["shape"] if "order" in row else row["shape"]
    _, height, width = row["shape"]
    if "order" not in row or len(sizes) == 1 or max(sizes) == 1:
        return 1
    pixels = places_of(row).reshape(sizes) % (height * width)
    axes = [axis for axis, size in enumerate(sizes) if size > 1 and not np.ptp(pixels, axis).any()]
    if len(axes) != 1:
        raise UserError(
            f"the output {row['name']} of shape {list(sizes)} has the classes of a pixel not along "
            "one axis; use the task values"
        )
    return axes[0] + 1


def landmarks(accumulators: IntArray, settings: Settings) -> Outputs:
    """Points (N, points, 2) in fractions of the crop, under the name of the output."""
    output = settings["output"]
    scale, bias = (np.asarray(output[name], np.float64) for name in ("scale", "bias"))
    names = [row["name"] for row in settings["outputs"]]
    return {names[0]: landmarks_of(accumulators, scale, bias)}


LANDMARKS = "landmarks"  #: of faces; all other tasks are about whole pictures
DECODERS: dict[str, Callable[[IntArray, Settings], Outputs]] = {
    LANDMARKS: landmarks,
    "classes": classes_of,
    "map": values_of,
    "values": values_of,
}
TASKS = tuple(DECODERS)


def decode(accumulators: IntArray, settings: Settings) -> Outputs:
    """What ``accumulators`` (N, outputs) stand for after the task in ``settings``; UserError for
    a task that is not known."""
    task = settings["task"]
    if task not in DECODERS:
        raise UserError(f"task={task} of {settings['config']}; use {', '.join(TASKS)}")
    return DECODERS[task](accumulators, settings)
