# SPDX-License-Identifier: Apache-2.0
"""The network as the C++ of the HLS flow, compiled by g++ into a library of this process.

It gives the integers of the hardware, many times faster than the simulation of its RTL, without
its cycles. output = accumulator * scale + bias, as on the board.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from host.backends.base import Accelerator
from host.board.settings import read_settings
from host.common.arrays import Accumulators, Images
from host.common.atomic import replacing, write_text
from host.common.errors import ToolError, UserError

SOURCES = ("accelerator.cpp", "frames.cpp")
COMPILE = (
    "g++", "-std=c++17", "-O2", "-DLANES_NATIVE", "-Wno-unknown-pragmas", "-shared", "-fPIC",
)  # fmt: skip
TEXT = (".cpp", ".hpp", ".inc")
HEADERS = ("templates", "vivado", "ap_types")  #: of the vendor, in the package hls4ml


class CsimBackend(Accelerator):
    """Runs frames through the C++ that ``build_flows build --until hls`` leaves."""

    name = "csim"

    def __init__(self, build: Path) -> None:
        """Load the library of ``build``/hls; the first time it is compiled, which takes a minute.

        Raises:
            UserError: the C++, g++ or the vendor's headers are missing.
            ToolError: the C++ does not compile.
        """
        folder = build / "hls"
        self.settings = read_settings(folder)
        self.model = str(folder / SOURCES[0])
        self.details: Mapping[str, object] = {}
        begin = time.perf_counter()
        library = provide_library(folder, build / "cache")
        self.load_seconds = time.perf_counter() - begin
        self._frames = _function(library)

    def accumulate(self, images: Images) -> Accumulators:
        """Integers of the hardware, (N, outputs), for frames uint8 (N, *settings.shape).

        ``details`` then holds them.

        Raises:
            ToolError: words of a frame are missing or left over.
        """
        images = self.settings.frames(images)
        result = np.empty((len(images), self.settings.outputs), np.int32)
        wrong = self._frames(np.ascontiguousarray(images), result, len(images))
        if wrong:
            raise ToolError([self.model], Path(self.model), f"{wrong} words missing or left over")
        self.details = {"accumulators": result.tolist()}
        return result

    def close(self) -> None:
        """Nothing is held between runs."""


def provide_library(folder: Path, cache: Path) -> Path:
    """The library of the C++ in ``folder``, from ``cache`` or compiled into it first.

    Libraries are kept by the content of the folder and the command.
    """
    command = [*COMPILE, "-isystem", str(vendor_headers()), *SOURCES]
    digest = hashlib.sha256("\0".join(command).encode())
    for path in sorted(path for path in folder.rglob("*") if path.suffix in TEXT):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    library = cache / f"csim-{digest.hexdigest()[:16]}.so"
    if not library.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(library) as partial:
            _compile([*command, "-o", str(partial.resolve())], folder, cache / "csim.log")
    return library


def vendor_headers() -> Path:
    """Folder of ap_int.h and hls_stream.h in the package hls4ml; UserError if there is none."""
    package = importlib.util.find_spec("hls4ml")
    if package is None or not package.submodule_search_locations:
        raise UserError("the package hls4ml, which carries hls_stream.h, is missing; install it")
    return Path(package.submodule_search_locations[0]).joinpath(*HEADERS)


def _compile(command: list[str], folder: Path, log: Path) -> None:
    if shutil.which(command[0]) is None:
        raise UserError(f"{command[0]} is not on PATH; the C++ model is compiled with it")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode:
        write_text(log, done.stderr)
        errors = [line for line in done.stderr.splitlines() if "error" in line]
        reason = errors[0] if errors else f"exit code {done.returncode}"
        raise ToolError(command, log, reason)


def _function(library: Path) -> ctypes._NamedFuncPointer:
    """``accelerator_frames`` of frames.cpp: images, accumulators, number of frames."""
    function = ctypes.CDLL(str(library.resolve())).accelerator_frames
    function.argtypes = [
        np.ctypeslib.ndpointer(np.uint8, flags="C_CONTIGUOUS"),
        np.ctypeslib.ndpointer(np.int32, flags="C_CONTIGUOUS"),
        ctypes.c_int,
    ]
    return function
