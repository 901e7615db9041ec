# SPDX-License-Identifier: Apache-2.0
"""output_fifo alone: words, order, account of places, rate, and that its checks see a misuse."""

import json

import pytest

from hw.generate import module_instance
from hw.rtl_files import files_of
from tests.hw.rtl.harness import Simulator

WIDTH = 8
PORTS = {
    "clk": "input logic", "rst_n": "input logic", "room": "output logic", "claim": "input logic",
    "push": "input logic", "push_data": f"input logic [{WIDTH - 1}:0]",
    "m_axis_tdata": f"output logic [{WIDTH - 1}:0]", "m_axis_tvalid": "output logic",
    "m_axis_tready": "input logic",
}  # fmt: skip


@pytest.fixture(scope="module", params=[2, 5, 16, 32])
def simulator(request, tmp_path_factory, object_cache) -> Simulator:
    folder = tmp_path_factory.mktemp("output_fifo")
    wires = {name: name for name in PORTS}
    parameters = {"WIDTH": WIDTH, "DEPTH": request.param}
    body = module_instance("kl_output_fifo", "u_dut", parameters, wires)
    ports = ", ".join(f"{kind} {name}" for name, kind in PORTS.items())
    (folder / "bench.sv").write_text(f"module bench ({ports});\n{body}endmodule\n")
    files = [*files_of(["kl_output_fifo"]), folder / "bench.sv"]
    simulator = Simulator("bench", files, folder, object_cache)
    simulator.depth = request.param
    return simulator


def run(simulator, test, folder):
    (folder / "stimuli.json").write_text(json.dumps({"depth": simulator.depth}))
    simulator.run("tests.hw.rtl.output_fifo_scenario", folder, 1, test)


@pytest.mark.parametrize("test", ["words_in_order", "room_ends_and_comes_back", "full_rate"])
def test_words(simulator, test, tmp_path):
    run(simulator, test, tmp_path)


def test_a_claim_without_room_is_seen(simulator, tmp_path):
    with pytest.raises(AssertionError, match="u_dut.a_claim: claim without room"):
        run(simulator, "a_claim_without_room", tmp_path)
