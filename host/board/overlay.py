# SPDX-License-Identifier: Apache-2.0
"""The folder that the board loads, and its only reader; build_flows/board/overlay.py is the writer.

``settings.json`` says everything about the accelerator and has the SHA-256 of every other file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host.board.weights import slices_per_word
from host.common.arrays import F64Array, U32Array
from host.common.errors import UserError

KIND = "landmarks overlay"
FORMAT = 1
"""The version of settings.json that is written and understood."""
SETTINGS = "settings.json"
WEIGHTS = "weights.bin"
BITSTREAM = "landmarks.bit"
HARDWARE = "landmarks.hwh"
SOURCE_CLK_MHZ = 100.0  #: that the processors give to the fabric, for every overlay
AGAIN = "make it again with: make bitstream CONFIG="


@dataclass(frozen=True)
class Memory:
    """Contents of a weight memory on the chain."""

    name: str
    bits: int
    """Width of a word."""
    words: int
    slices: U32Array
    """32-bit slices in load order: the words from the first, of each the lowest bits first."""


@dataclass(frozen=True)
class Overlay:
    """What the driver must know."""

    folder: Path
    config: str
    magic: int
    version: int
    """Of the register map."""
    config_hash: int
    input_size: int
    """Side of the square grey input in pixels; a frame is one byte a pixel, row by row."""
    outputs: int
    """32-bit accumulators of a frame."""
    scale: F64Array
    """Landmark coordinate per unit of the accumulator, (outputs,)."""
    bias: F64Array
    """Landmark coordinate at accumulator 0, (outputs,)."""
    clk_mhz: float
    """Clock of the accelerator: the highest that the implementation met."""
    registers: dict[str, int]
    """Byte offsets."""
    errors: tuple[str, ...]
    """Names of the bits of the register ERRORS, from bit 0."""
    memories: tuple[Memory, ...]
    """In the order of the chain."""
    checksum: int
    """Of all slices, as weight_port counts it."""

    @property
    def bitstream(self) -> Path:
        """The .bit, with the .hwh beside it; UserError if the folder has none."""
        for name in (BITSTREAM, HARDWARE):
            if not (self.folder / name).is_file():
                raise UserError(f"{self.folder} has no {name}; {AGAIN}{self.config}")
        return self.folder / BITSTREAM


def read_overlay(folder: Path) -> Overlay:
    """Read and check a folder.

    Raises:
        UserError: it is missing, foreign, older or newer than this reader, damaged, or its parts
            do not fit together.
    """
    path = folder / SETTINGS
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror or error}; {AGAIN}{folder.name}"
        ) from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}; {AGAIN}{folder.name}") from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise UserError(f"{folder} is no overlay of this project; give a folder of overlays/")
    if content.get("format") != FORMAT:
        age = "older" if str(content.get("format")) < str(FORMAT) else "newer"
        raise UserError(
            f"{folder} is {age} than this host: format {content.get('format')}, "
            f"readable is {FORMAT}; {AGAIN}{content.get('config')}"
        )
    try:
        check_files(folder, content["files"])
        return _parse(folder, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} is not as expected: {error!r}; {AGAIN}{content.get('config')}"
        ) from error


def check_files(folder: Path, files: dict[str, str]) -> None:
    """Compare every file with its SHA-256; UserError names the first that differs."""
    for name, expected in files.items():
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(
                f"cannot read {folder / name}: {error.strerror or error}; copy the overlay again"
            ) from error
        if found != expected:
            raise UserError(f"{folder / name} is damaged: its SHA-256 differs; copy it again")


def _parse(folder: Path, content: dict[str, Any]) -> Overlay:
    height, width, channels = content["input"]["shape"]
    (outputs,) = content["output"]["shape"]
    kinds = content["input"]["dtype"], content["output"]["dtype"]
    if (height, channels, kinds) != (width, 1, ("UINT8", "INT32")) or outputs % 2:
        raise ValueError(f"{content['input']['shape']} {kinds}, not square grey UINT8 and INT32")
    scale, bias = (np.asarray(content["output"][name], np.float64) for name in ("scale", "bias"))
    if scale.shape != (outputs,) or bias.shape != (outputs,):
        raise ValueError(f"{scale.shape} scales and {bias.shape} biases of {outputs} outputs")
    weights = content["weights"]
    memories = _memories(weights["memories"], np.fromfile(folder / WEIGHTS, "<u4"))
    return Overlay(
        folder=folder,
        config=str(content["config"]),
        magic=int(content["magic"]),
        version=int(content["version"]),
        config_hash=int(content["config_hash"]),
        input_size=int(height),
        outputs=int(outputs),
        scale=scale,
        bias=bias,
        clk_mhz=float(content["clk_mhz"]),
        registers={str(name): int(at) for name, at in content["registers"].items()},
        errors=tuple(map(str, content["errors"])),
        memories=memories,
        checksum=int(weights["checksum"]),
    )


def _memories(rows: list[dict[str, Any]], slices: U32Array) -> tuple[Memory, ...]:
    sizes = [int(row["words"]) * slices_per_word(int(row["bits"])) for row in rows]
    if sum(sizes) != len(slices):
        raise ValueError(f"{len(slices)} slices in {WEIGHTS}, {sum(sizes)} in the memories")
    parts = np.split(slices.astype(np.uint32), np.cumsum(sizes)[:-1])
    return tuple(
        Memory(str(row["name"]), int(row["bits"]), int(row["words"]), part)
        for row, part in zip(rows, parts, strict=True)
    )
