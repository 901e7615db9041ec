# SPDX-License-Identifier: Apache-2.0
"""Whole frames through, all others away, at several sizes of frames and buffers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hw.generate import module_instance
from hw.rtl_files import files_of
from tests.hw.rtl.harness import Simulator

CASES = {
    "usual": {"IN_WORDS": 12, "OUT_WORDS": 5, "BUFFER": 12, "FRAMES": 16, "IDLE_LIMIT": 60},
    "narrow": {"IN_WORDS": 4, "OUT_WORDS": 1, "BUFFER": 2, "FRAMES": 2, "IDLE_LIMIT": 60},
    "more_out": {"IN_WORDS": 3, "OUT_WORDS": 9, "BUFFER": 7, "FRAMES": 3, "IDLE_LIMIT": 60},
}
WIDTHS = {"IN_WIDTH": 8, "OUT_WIDTH": 32}
TESTS = ("packets_of_all_lengths", "reset_in_mid_frame", "a_pause_in_mid_frame_is_an_underrun")
PORTS = {
    "clk": "input", "rst_n": "input", "s_axis_tdata": "input [7:0]", "s_axis_tlast": "input",
    "s_axis_tvalid": "input", "s_axis_tready": "output", "u_tdata": "output [7:0]",
    "u_tvalid": "output", "u_tready": "input", "v_tdata": "input [31:0]", "v_tvalid": "input",
    "v_tready": "output", "m_axis_tdata": "output [31:0]", "m_axis_tlast": "output",
    "m_axis_tvalid": "output", "m_axis_tready": "input", "busy": "output", "frame_in": "output",
    "frame_out": "output", "frame_drop": "output", "short_frame": "output",
    "long_frame": "output", "underrun": "output",
}  # fmt: skip
SOURCES = files_of(["kl_frame_gate"])


def top_of(parameters: dict[str, int]) -> str:
    body = module_instance(
        "kl_frame_gate", "u_gate", WIDTHS | parameters, {name: name for name in PORTS}
    )
    ports = ", ".join(f"{kind.replace('put', 'put wire')} {name}" for name, kind in PORTS.items())
    return f"module gate ({ports});\n{body}endmodule\n"


@pytest.fixture(scope="module", params=CASES)
def simulator(request, tmp_path_factory, object_cache) -> Simulator:
    folder = tmp_path_factory.mktemp("gate")
    (folder / "gate.sv").write_text(top_of(CASES[request.param]))
    simulator = Simulator("gate", [*SOURCES, folder / "gate.sv"], folder, object_cache)
    simulator.parameters = CASES[request.param]
    return simulator


@pytest.mark.parametrize("test", TESTS)
def test_frames(simulator, test, tmp_path):
    (tmp_path / "stimuli.json").write_text(json.dumps(simulator.parameters))
    simulator.run("tests.hw.rtl.frame_gate_scenario", tmp_path, 1, test)
    if test == TESTS[0]:
        assert json.loads(Path(tmp_path, "measured.json").read_text())["checked"] >= 3 * 19


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"IN_WORDS": 0}, "kl_frame_gate: IN_WORDS=0 and OUT_WORDS=5 must be at least 1"),
        ({"OUT_WORDS": 0}, "kl_frame_gate: IN_WORDS=12 and OUT_WORDS=0 must be at least 1"),
        ({"FRAMES": 1}, "kl_frame_gate: FRAMES=1 must be at least 2, IDLE_LIMIT=60 at least 1"),
        ({"IDLE_LIMIT": 0}, "kl_frame_gate: FRAMES=16 must be at least 2, IDLE_LIMIT=0 at least 1"),
    ],
)
def test_illegal_parameters_stop_elaboration(parameters, message, tmp_path, object_cache):
    (tmp_path / "gate.sv").write_text(top_of(CASES["usual"] | parameters))
    with pytest.raises(AssertionError, match=message):
        Simulator("gate", [*SOURCES, tmp_path / "gate.sv"], tmp_path, object_cache)
