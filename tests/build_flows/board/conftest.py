# SPDX-License-Identifier: Apache-2.0
"""The tiny design with its shell in Verilator, and its overlay folder without a bitstream."""

import pytest

from build_flows.board import shell
from build_flows.board.overlay import settings, write_overlay
from host.backends.fpga import FpgaBackend
from host.board.overlay import read_overlay
from host.board.sim_device import SimDevice
from tests.build_flows.board import tiny


@pytest.fixture(scope="session")
def tiny_design(tmp_path_factory):
    return tiny.write_design(tmp_path_factory.mktemp("tiny") / "design")


@pytest.fixture(scope="session")
def tiny_program(tiny_design):
    """The simulator of the packaged tiny design."""
    folder = tiny_design.parent
    ports = shell.package(tiny_design, folder / "rtl")
    (folder / "out").mkdir()
    return shell.provide_simulator(folder / "rtl", ports, folder / "out", folder / "cache")


@pytest.fixture(scope="session")
def tiny_folder(tiny_design):
    folder = tiny_design.parent / "overlays" / "tiny"
    write_overlay(folder, settings(tiny.SETTINGS, tiny_design, 250.0, tiny.ORIGIN), tiny_design, {})
    return folder


@pytest.fixture(scope="session")
def overlay(tiny_folder):
    return read_overlay(tiny_folder)


DELAYS = {"at once": (0, 0), "as on a board": (0, 3_000)}
"""Cycles that pass in each call of the device; 3,000 are 12 us."""


@pytest.fixture(params=DELAYS)
def delay(request):
    return DELAYS[request.param]


@pytest.fixture
def device(tiny_program, delay):
    device = SimDevice(tiny_program, delay=delay, delay_seed=5)
    yield device
    device.close()


@pytest.fixture
def backend(overlay, device):
    """The driver on the simulated tiny accelerator; a time-out is 250,000 cycles."""
    with FpgaBackend(overlay, device, timeout_s=1e-3) as backend:
        yield backend
