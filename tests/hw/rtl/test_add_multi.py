# SPDX-License-Identifier: Apache-2.0
"""The adder tree alone; test_mvau.py has it inside FINN's dense unit."""

from pathlib import Path

from hw.finn.environment import finn_rtl
from hw.rtl_files import RTL_FOLDER
from tests.hw.rtl.harness import Simulator


def test_every_size_and_depth_that_finn_uses(tmp_path, object_cache):
    bench = Path(__file__).with_name("add_multi_bench.sv")
    files = [finn_rtl("mvu_pkg"), RTL_FOLDER / "add_multi.sv", bench]
    simulator = Simulator("add_multi_bench", files, tmp_path, object_cache)
    simulator.run("tests.hw.rtl.add_multi_scenario", tmp_path, seed=7)
