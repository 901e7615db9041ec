# SPDX-License-Identifier: Apache-2.0
"""An UltraRAM that is split by depth reads and writes as the whole one does."""

import pytest

from hw.generate import module_instance, write_memory
from hw.rtl_files import files_of
from tests.hw.rtl.harness import Simulator

WIDTH, DEPTH = 9, 45
SHAPES = {"whole": 1_000_000, "16, 16 and 13": 9 * 31, "22 pairs and one": 18}
"""Name -> LIMIT."""
PORTS = {
    "clk": 1, "write": 1, "write_address": 6, "write_word": WIDTH, "read": 1, "read_address": 6,
    "read_word": WIDTH,
}  # fmt: skip


@pytest.fixture(scope="module")
def simulator(tmp_path_factory, object_cache) -> Simulator:
    """One memory of each shape, side by side."""
    folder = tmp_path_factory.mktemp("memory")
    body, listed = "", []
    for i, limit in enumerate(SHAPES.values()):
        wires = {name: name if name != "read_word" else f"word_{i}" for name in PORTS}
        parameters = {"WIDTH": WIDTH, "DEPTH": DEPTH, "FILE": "image.hex", "LIMIT": limit}
        text = module_instance("kl_memory", f"u_{i}", parameters, wires)
        body += text.replace("#(", "#(.STYLE(kl_pkg::RAM_ULTRA),", 1)
        listed.append(f"output logic [{WIDTH - 1}:0] word_{i}")
    listed += [f"input logic [{w - 1}:0] {n}" for n, w in PORTS.items() if n != "read_word"]
    (folder / "bench.sv").write_text(f"module bench ({', '.join(listed)});\n{body}endmodule\n")
    files = [*files_of(["kl_memory"]), folder / "bench.sv"]
    return Simulator("bench", files, folder, object_cache)


@pytest.mark.parametrize("test", ["random_accesses", "preloaded"])
def test_a_split_memory_is_the_whole_one(simulator, test, tmp_path):
    write_memory(tmp_path / "image.hex", WIDTH, [(37 * i + 5) % 512 for i in range(DEPTH)])
    plusargs = "+preload" if test == "preloaded" else ""
    simulator.run("tests.hw.rtl.memory_scenario", tmp_path, 3, test, plusargs)
