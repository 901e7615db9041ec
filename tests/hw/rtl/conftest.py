# SPDX-License-Identifier: Apache-2.0
"""Fixtures: ``case`` runs over the CASES of a test module, ``bench`` simulates all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hw.rtl.harness import Bench


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", metafunc.module.CASES, ids=str)


@pytest.fixture(scope="session")
def object_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of compiled runtime objects, shared by all simulators of the session."""
    return tmp_path_factory.mktemp("objects")


@pytest.fixture(scope="module")
def bench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, object_cache: Path
) -> Bench:
    options = getattr(request.module, "VERILATOR_OPTIONS", ())
    return Bench(request.module.CASES, tmp_path_factory.mktemp("bench"), object_cache, options)
