# SPDX-License-Identifier: Apache-2.0
"""The run-time check of streams sees an offer that goes and one that changes, and no other."""

import pytest

from hw.rtl_files import files_of
from tests.hw.rtl.harness import Simulator

BENCH = """module bench (
  input logic clk, input logic rst_n, input logic [7:0] tdata, input logic tvalid,
  input logic tready
);
  kl_stream_check #(.WIDTH(8)) u_check (.*);
endmodule
"""


@pytest.fixture(scope="module")
def simulator(tmp_path_factory, object_cache) -> Simulator:
    folder = tmp_path_factory.mktemp("check")
    (folder / "bench.sv").write_text(BENCH)
    files = [*files_of(["kl_stream_check"]), folder / "bench.sv"]
    return Simulator("bench", files, folder, object_cache)


def run(simulator, test, folder):
    simulator.run("tests.hw.rtl.stream_check_scenario", folder, 1, test)


def test_a_stream_that_waits_passes(simulator, tmp_path):
    run(simulator, "a_stream_that_waits", tmp_path)


@pytest.mark.parametrize("test", ["an_offer_that_goes", "an_offer_that_changes"])
def test_what_is_wrong_is_seen(simulator, test, tmp_path):
    with pytest.raises(AssertionError, match="u_check.a_stable: changed an offer"):
        run(simulator, test, tmp_path)
