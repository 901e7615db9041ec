# SPDX-License-Identifier: Apache-2.0
"""A network of somebody else becomes a configuration: model, golden vectors, folding.

The golden vectors are what the file computes in float64; a first build needs nothing by hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.external_data_helper import uses_external_data
from qonnx.core.modelwrapper import ModelWrapper

from build_flows.config import BYTE, NAME, BuildConfig
from build_flows.explore.choices import table_of
from build_flows.explore.front import Explorer, Search, dump_table
from build_flows.graph.execute import File
from build_flows.graph.streamline import OUTPUT_AFFINE, OUTPUTS, metadata, streamline
from build_flows.steps import cleaned
from host.common.arrays import F64Array, IntArray
from host.common.atomic import replacing, write_bytes, write_text
from host.common.errors import UserError, VerifyError, first_line
from host.common.npz import reading_npz
from host.common.tasks import places_of
from host.face.image import fitted, read_image

PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
RANDOM = 8  #: pictures that are drawn where none are given
WHOLE = 1e-4  #: most that an output may be off a whole number of its steps
FIRST_SEARCH = Search(time_limit=5.0)  #: for a first folding
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Vectors:
    """Bytes (N, height, width[, channels]) and what the file and its integers make of them."""

    images: IntArray
    outputs: F64Array
    """As the file gives them, channels last, all outputs of a pixel one after another."""
    accumulators: IntArray


def write_network(
    name: str, model: Path, images: Path | None, folder: Path, part: str | None = None,
    task: str = "values", input_scale: float = BYTE, input_offset: float = 0.0,
) -> Path:  # fmt: skip
    """Write model, golden vectors, an empty folding and the config into ``folder``; the config.

    UserError for a name that is no name, a file that is no network, images of another size.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"{name} is no name for a network; use letters, digits and _")
    network = loaded(model)
    vectors = vectors_of(network, _images(network, images), input_scale, input_offset)
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: folder / f"{name}{end}" for kind, end in
             (("model", ".onnx"), ("folding", "_folding.json"), ("config", ".toml"))}  # fmt: skip
    content = whole_file(model)
    write_bytes(files["model"], content)
    with replacing(folder / f"{name}_golden.npz") as partial, partial.open("wb") as file:
        np.savez_compressed(
            file, images=vectors.images.astype(np.uint8), accumulators=vectors.accumulators,
            file_outputs=vectors.outputs, model_sha256=hashlib.sha256(content).hexdigest(),
        )  # fmt: skip
    write_text(files["folding"], "{}\n")
    rows = {"model": str(files["model"].resolve()), "folding": str(files["folding"].resolve())}
    rows |= {"task": task} | ({"part": part} if part else {})
    lines = [f"{key} = {json.dumps(value)}" for key, value in rows.items()]
    numbers = (("input_scale", input_scale, BYTE), ("input_offset", input_offset, 0.0))
    lines += [f"{key} = {value!r}" for key, value, usual in numbers if value != usual]
    write_text(files["config"], "\n".join(lines) + "\n")
    return files["config"]


def write_first_folding(cfg: BuildConfig, explorer: Explorer, fps: float | None) -> int:
    """The folding of least resources at ``fps``, else the fastest that fits; cycles a frame."""
    point = explorer.smallest(explorer.cycles_for(fps)) if fps else explorer.fastest()[0]
    table = table_of(point.solution.chosen, explorer.space.layers)
    write_text(cfg.folding, dump_table(table))
    return point.solution.cycles


def vectors_of(
    model: ModelWrapper, images: IntArray, input_scale: float = BYTE, input_offset: float = 0.0
) -> Vectors:
    """Run the file on bytes (N, height, width, channels); VerifyError if an output has no steps."""
    integers = streamline(ModelWrapper(model.model, make_deepcopy=True), input_scale, input_offset)
    affine, described = metadata(integers, OUTPUT_AFFINE), metadata(integers, OUTPUTS)
    file = File(model)
    rows = []
    for image in images:
        frame = np.moveaxis(image, -1, 0).reshape(file.shape) * input_scale + input_offset
        rows.append(channels_last(list(file.run(frame).values()), described))
    outputs = np.stack(rows)
    steps = (outputs - affine["bias"]) / affine["scale"]
    whole = np.rint(steps)
    if np.abs(steps - whole).max() > WHOLE:
        row, column = np.unravel_index(np.abs(steps - whole).argmax(), steps.shape)
        where = (int(row), int(column))
        raise VerifyError("output", where, steps[where], "a whole number of steps", "the file")
    return Vectors(np.squeeze(images, -1) if images.shape[-1] == 1 else images, outputs,
                   whole.astype(np.int64))  # fmt: skip


def channels_last(outputs: Sequence[F64Array], described: Sequence[Row]) -> F64Array:
    """Outputs of a frame in the order in which they leave: pixels, outputs, channels; those of
    unlike size as whole maps. ``described``: their rows in the metadata."""
    maps = [_map_of(output, row) for output, row in zip(outputs, described, strict=True)]
    maps = [np.moveaxis(o, 1, -1).reshape(-1, o.shape[1]) for o in maps]
    if len({len(pixels) for pixels in maps}) > 1:
        return np.concatenate([pixels.reshape(-1) for pixels in maps])
    joined: F64Array = np.concatenate(maps, axis=-1).reshape(-1)
    return joined


def _map_of(output: F64Array, row: Row) -> F64Array:
    """An output of the file as the map (1, channels, height, width) that the integers give."""
    if "order" not in row:
        return output
    found = np.empty(output.size)
    found[places_of(row)] = output.reshape(-1)
    return found.reshape(1, *row["shape"])


def loaded(path: Path) -> ModelWrapper:
    """The cleaned model of a file; UserError if it is none."""
    try:
        model = ModelWrapper(str(path))
    except Exception as error:  # whatever protobuf finds wrong with a file
        raise UserError(f"{path} is no ONNX file ({first_line(error)})") from error
    return cleaned(model, path)


def whole_file(path: Path) -> bytes:
    """The bytes of an ONNX file, with its weights inside where it has them in files beside it."""
    proto = onnx.load(path, load_external_data=False)
    if not any(uses_external_data(tensor) for tensor in proto.graph.initializer):
        return path.read_bytes()
    return bytes(onnx.load(path).SerializeToString())


def _images(model: ModelWrapper, source: Path | None) -> IntArray:
    """Bytes (N, height, width, channels) of a folder of pictures, an npz or at random."""
    shape = [int(n) for n in model.get_tensor_shape(model.graph.input[0].name)]
    channels, height, width = (*shape[1:], 1, 1)[:3]
    if source is None:
        return smooth_images((height, width, channels), RANDOM, seed=1)
    if source.is_dir():
        paths = sorted(p for p in source.iterdir() if p.suffix.lower() in PICTURES)
        found = [fitted(read_image(path), (height, width, channels)) for path in paths]
        if not found:
            raise UserError(f"{source} has no pictures; use {', '.join(PICTURES)}")
        return np.stack(found)
    with reading_npz(source, "npz with the key images") as data:
        images = np.asarray(data["images"])
    wanted = (height, width, channels)
    size = images.shape[1:] if images.ndim == 4 else (*images.shape[1:], 1)
    if images.dtype != np.uint8 or size != wanted or not len(images):
        raise UserError(
            f"images in {source} are {images.dtype} of shape {images.shape}; the network takes "
            f"uint8 (N, {height}, {width}, {channels})"
        )
    return images.reshape(len(images), *wanted)


def smooth_images(shape: tuple[int, int, int], count: int, seed: int) -> IntArray:
    """Bytes (count, height, width, channels): waves and noise, the whole range."""
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    y, x = np.mgrid[:height, :width][..., None] / max(height, width)
    size = (count, 1, 1, channels)
    turns, across, phase = (rng.uniform(0, n, size) for n in (6, 6, 2 * np.pi))
    waves = 127.5 * (1 + np.sin(2 * np.pi * (turns * x + across * y) + phase))
    mixed = 0.7 * waves + 0.3 * rng.integers(0, 256, (count, height, width, channels))
    found: IntArray = np.rint(mixed).clip(0, 255).astype(np.uint8)
    return found
