# SPDX-License-Identifier: Apache-2.0
"""The folder that the board loads, and its only reader; build_flows/board/overlay.py is the writer.

``settings.json`` says everything about the accelerator and has the SHA-256 of every other file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from host.board.settings import FILE, FORMAT, Settings, load, parse
from host.board.weights import slices_per_word
from host.common.arrays import U32Array
from host.common.errors import UserError

KIND = "landmarks overlay"
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
class Overlay(Settings):
    """What the driver must know."""

    folder: Path
    magic: int
    version: int
    """Of the register map."""
    config_hash: int
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
    content = load(folder, f"{AGAIN}{folder.name}", f"{AGAIN}{folder.name}")
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
            f"{folder / FILE} is not as expected: {error!r}; {AGAIN}{content.get('config')}"
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
    common = parse(content)
    if content["output"]["dtype"] != "INT32":
        raise ValueError(f"outputs of {content['output']['dtype']}, not INT32")
    weights = content["weights"]
    return Overlay(
        **common,
        folder=folder,
        magic=int(content["magic"]),
        version=int(content["version"]),
        config_hash=int(content["config_hash"]),
        registers={str(name): int(at) for name, at in content["registers"].items()},
        errors=tuple(map(str, content["errors"])),
        memories=_memories(weights["memories"], np.fromfile(folder / WEIGHTS, "<u4")),
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
