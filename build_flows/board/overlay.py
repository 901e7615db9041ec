# SPDX-License-Identifier: Apache-2.0
"""The folder that a board loads, written for host/board/overlay.py, and its tarball."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from build_flows.board.shell import config_hash, output_bits
from build_flows.design.stitch import Design
from host.board.overlay import KIND, WEIGHTS, read_overlay
from host.board.registers import ERRORS, MAGIC, OFFSETS, VERSION
from host.board.settings import FILE, FORMAT
from host.board.weights import checksum, to_slices
from host.common.arrays import U32Array
from host.common.atomic import replacing
from host.common.json_file import write_json

REPORTS = "reports"
REQUIREMENTS = "requirements-board.txt"


@dataclass(frozen=True)
class Region:
    """Registers of an IP in the address space of the processors."""

    offset: int
    size: int


ADDRESSES = {"landmarks_0": Region(0xA001_0000, 0x1000), "axi_dma_0": Region(0xA000_0000, 0x1_0000)}
"""Block design's IPs with registers; in the region of M_AXI_HPM0_FPD."""


def settings(
    host: Mapping[str, Any], design: Path, clk_mhz: float, origin: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything about an accelerator but the hashes of the files.

    Args:
        host: settings.json of its build.
        design: its stitched folder.
        clk_mhz: clock of the implementation.
        origin: part, board, tool versions, git hash: for people.
    """
    ports = Design.read(design)
    rows = [{"name": m.name, "bits": m.bits, "words": m.words} for m in ports.memories]
    return {
        "kind": KIND,
        "format": FORMAT,
        "config": host["config"],
        "network": host["network"],
        "magic": MAGIC,
        "version": VERSION,
        "config_hash": config_hash(design),
        "clk_mhz": clk_mhz,
        "input": {
            **host["input"],
            "layout": "height, width, channel; lane 0 in the lowest bits",
            "word_bits": ports.input_bits,
            "words": ports.input_words,
        },
        "output": {
            **host["output"],
            "dtype": f"INT{ports.output_bits}",
            "layout": "pixels, outputs, channels; lane 0 in the lowest bits",
            "word_bits": output_bits(ports),
            "words": ports.output_words,
        },
        "task": host["task"],
        "outputs": host["outputs"],
        "registers": OFFSETS,
        "errors": list(ERRORS),
        "addresses": {
            name: {"offset": region.offset, "size": region.size}
            for name, region in ADDRESSES.items()
        },
        "weights": {
            "file": WEIGHTS,
            "layout": "slices of 32 bits, little-endian; words in order, the lowest bits first",
            "memories": rows,
            "checksum": checksum(weight_slices(design)),
        },
        "origin": dict(origin),
    }


def weight_slices(design: Path) -> U32Array:
    """Slices of all memories of a stitched folder in the order of the chain."""
    parts = []
    for memory in Design.read(design).memories:
        words = (design / memory.file).read_text().split()
        parts.append(to_slices(memory.bits, [int(word, 16) for word in words]))
    return np.concatenate(parts)


def write_overlay(
    folder: Path, content: Mapping[str, Any], design: Path, files: Mapping[str, Path]
) -> None:
    """Write the folder as a whole; the one that is there stays until the new one is complete.

    ``files`` are copied under their names in the folder, which may have subfolders.
    """
    partial, former = (folder.with_name(f".{folder.name}.{kind}") for kind in ("partial", "former"))
    for leftover in (partial, former):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / WEIGHTS).write_bytes(weight_slices(design).astype("<u4").tobytes())
    for name, source in files.items():
        (partial / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, partial / name)
    hashes = {
        str(path.relative_to(partial)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(partial.rglob("*"))
        if path.is_file()
    }
    write_json(partial / FILE, {**content, "files": hashes})
    if folder.exists():
        folder.rename(former)
    partial.rename(folder)
    shutil.rmtree(former, ignore_errors=True)


def write_package(folder: Path, root: Path, archive: Path) -> None:
    """Tarball of an overlay with what the board needs of ``root``: host/ and its requirements.

    UserError if the overlay has no bitstream or a damaged file.
    """
    overlay = read_overlay(folder)
    top = f"landmarks-{overlay.bitstream.parent.name}"
    with replacing(archive) as partial, tarfile.open(partial, "w:gz") as tar:
        tar.add(folder, f"{top}/overlays/{folder.name}")
        tar.add(root / "host" / REQUIREMENTS, f"{top}/{REQUIREMENTS}")
        if (page := root / "docs" / "board.md").is_file():  # of a checkout
            tar.add(page, f"{top}/board.md")
        tar.add(root / "host", f"{top}/host", filter=_without_caches)


def _without_caches(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if "__pycache__" in entry.name else entry
