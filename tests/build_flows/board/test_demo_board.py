# SPDX-License-Identifier: Apache-2.0
"""The demo behind its shell: weights over the registers, a hundred frames, the frame counter."""

import json

import numpy as np
import pytest

from build_flows.board.simulator import simulate_board
from build_flows.build import Build
from build_flows.config import load_config
from build_flows.design.verify import Golden, compare
from host.backends.fpga import FpgaBackend
from host.board.overlay import read_overlay
from host.board.sim_device import SimDevice
from tests.build_flows.board.conftest import DELAYS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
FRAMES = 100


@pytest.fixture(scope="module")
def build():
    return Build(load_config("demo")).until().out


@pytest.fixture(scope="module")
def board(build):
    return simulate_board(build)


def test_a_hundred_frames_are_exact(board, build):
    golden = Golden.load(load_config("demo")).repeated(FRAMES)
    device = SimDevice(board[0], preload=True)
    with FpgaBackend(read_overlay(board[1]), device, timeout_s=0.01, load=False) as backend:
        found = backend.run(golden.images)
        counters = backend.counters()
    compare("accumulators", found.astype(np.int64), golden.accumulators, "shell and accelerator")
    report = json.loads((build / "report.json").read_text())
    assert counters["frame_cycles"] == report["cycles_per_frame"]
    assert counters["frames_out"] == FRAMES


def test_frames_are_exact_while_each_call_takes_as_long_as_on_a_board(board):
    golden = Golden.load(load_config("demo")).repeated(10)
    device = SimDevice(board[0], preload=True, delay=DELAYS["as on a board"], delay_seed=3)
    with FpgaBackend(read_overlay(board[1]), device, timeout_s=0.01, load=False) as backend:
        found = backend.run(golden.images)
        assert backend.counters()["frames_out"] == 10
    compare("accumulators", found.astype(np.int64), golden.accumulators, "with delays")


def test_weights_are_written_and_read_back_over_the_registers(board):
    golden = Golden.load(load_config("demo")).repeated(1)
    with FpgaBackend(read_overlay(board[1]), SimDevice(board[0]), timeout_s=0.01) as backend:
        found = backend.run(golden.images)
    compare("accumulators", found.astype(np.int64), golden.accumulators, "weights by the driver")
