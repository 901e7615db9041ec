# SPDX-License-Identifier: Apache-2.0
"""Weight memories of all styles on one chain, loaded and read back over its AXI4-Lite port."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qonnx.core.datatype import DataType

from host.board import registers
from host.board.registers import WEIGHT_PORT
from host.board.weights import address, checksum, from_slices, slices_per_word, to_slices
from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.axi_lite import signals
from hw.generate import instance, module_instance
from hw.ops import WeightStream, weight_port
from hw.rtl_files import files_of
from hw.rtl_order import module_name
from tests.hw.rtl.harness import Simulator, random_integers

STYLES = ("distributed", "block", "ultra")


def memory(
    index: int, depth: int, lanes: int, bits: int, style: str, registers: int = -1
) -> tuple[WeightStream, IntArray]:
    """A memory on the chain, with the contents of its file."""
    values = random_values(np.random.default_rng(index), depth, lanes, bits)
    op = WeightStream.from_lanes(f"w{index}", values, f"UINT{bits}", style, chain_index=index)
    op.set_nodeattr("readRegisters", registers)
    return op, values


def random_values(rng: np.random.Generator, depth: int, lanes: int, bits: int) -> IntArray:
    return random_integers(rng, DataType[f"UINT{bits}"], (depth, lanes))


def edges() -> list[tuple[WeightStream, IntArray]]:
    """Words one bit below, at and above whole slices; single words; registers behind a memory."""
    shapes = [
        (1, 1, 1, "block"), (2, 1, 31, "distributed"), (5, 4, 8, "block"), (3, 11, 3, "ultra"),
        (1, 9, 7, "ultra"), (4, 8, 8, "distributed"), (7, 13, 5, "block"), (9, 9, 8, "ultra"),
        (1, 12, 8, "distributed"), (16, 1, 8, "ultra"),
    ]  # fmt: skip
    small = [memory(i, *shape) for i, shape in enumerate(shapes)]
    piped = [(10, 6, 5, 5, "ultra", 1), (11, 20, 10, 8, "block", 3), (12, 2, 3, 8, "ultra", 8)]
    cut = [(13, 6, 50, 8, "distributed"), (14, 5, 86, 7, "distributed")]  # 5 and 43 parts
    return [*small, *(memory(*shape) for shape in (*piped, *cut))]


def shuffled(seed: int) -> list[tuple[WeightStream, IntArray]]:
    rng = np.random.default_rng(seed)
    return [
        memory(i, int(rng.integers(1, 12)), int(rng.integers(1, 16)), int(rng.integers(1, 9)),
               STYLES[i % 3], int(rng.integers(0, 4)))
        for i in range(6)
    ]  # fmt: skip


CHAINS = {
    "edges": edges(),
    "random": shuffled(7),
    "single": [memory(0, 6, 5, 8, "ultra")],
}


class Chain:
    """A chain of memories with its port in a simulator."""

    def __init__(
        self, memories: list[tuple[WeightStream, IntArray]], folder: Path, cache: Path
    ) -> None:
        self.folder = folder
        top = folder / "chain.sv"
        top.write_text(chain_module(memories, folder))
        kernels = (weight_port.KERNEL, WeightStream.rtl_module)
        files = [*files_of(map(module_name, kernels)), top]
        self.simulator = Simulator("chain", files, folder, cache)
        self.stimuli = stimuli(memories)

    def run(self, test: str, plusargs: str = "") -> Path:
        """Run one test of the scenario; its folder."""
        run = self.folder / test
        run.mkdir()
        for image in self.folder.glob("*.hex"):
            (run / image.name).symlink_to(image)
        (run / "stimuli.json").write_text(json.dumps(self.stimuli))
        self.simulator.run("tests.hw.rtl.weight_port_scenario", run, 1, test, plusargs)
        return run


def begins_with_its_file(op: WeightStream) -> bool:
    """UltraRAM begins empty, and what is cut into parts."""
    return op.get_nodeattr("ramStyle") != "ultra" and op.parts == 1


def stimuli(memories: list[tuple[WeightStream, IntArray]]) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    items = []
    for op, initial in memories:
        bits = op.get_input_datatype().bitwidth()
        contents = {"initial": initial} | {
            name: random_values(rng, *initial.shape, bits) for name in ("first", "second")
        }
        slices = {name: to_slices(*op.rtl_memories(v)["FILE"]) for name, v in contents.items()}
        items.append(
            {"depth": op.depth, "filed": begins_with_its_file(op), "latency": op.latency()}
            | {name: values.tolist() for name, values in slices.items()}
        )
    return {
        "registers": {r.name: r.offset for r in WEIGHT_PORT.registers},
        "memories": items, "seed": 3,
        "run": registers.WEIGHTS_RUN, "busy": registers.WEIGHTS_BUSY,
        "running": registers.WEIGHTS_RUNNING, "error": registers.WEIGHTS_ERROR,
    }  # fmt: skip


def chain_module(memories: list[tuple[WeightStream, IntArray]], folder: Path) -> str:
    last = len(memories)
    axil = {f"s_axil_{s.name}": (s.direction, s.bits) for s in signals(WEIGHT_PORT.address_bits)}
    ports = ["input logic clk", "input logic rst_n", "output logic running"]
    ports += [f"{direction} logic [{width - 1}:0] {n}" for n, (direction, width) in axil.items()]
    body = "".join(f"  kl_pkg::chain_t chain_{i};\n" for i in range(last + 1))
    wires = {n: n for n in ("clk", "rst_n", "running", *axil)}
    wires |= {"chain_out": "chain_0", "chain_in": f"chain_{last}", "error": ""}
    body += module_instance(module_name(weight_port.KERNEL), "u_port", {"MEMORIES": last}, wires)
    for i, (op, values) in enumerate(memories):
        ports += [f"output logic [{op.width - 1}:0] m{i}_tdata", f"output logic m{i}_tvalid"]
        ports += [f"input logic m{i}_tready"]
        wires = {"chain_in": f"chain_{i}", "chain_out": f"chain_{i + 1}"}
        body += instance(op, f"u_{i}", {"m_axis": f"m{i}"}, folder, (values,), wires)
    return f"module chain (\n  {', '.join(ports)}\n);\n{body}endmodule\n"


@pytest.fixture(scope="module", params=CHAINS)
def chain(request, tmp_path_factory, object_cache) -> Chain:
    return Chain(CHAINS[request.param], tmp_path_factory.mktemp("chain"), object_cache)


def test_loading_reading_and_streaming(chain):
    measured = json.loads((chain.run("loading") / "measured.json").read_text())
    slices = sum(len(item["first"]) for item in chain.stimuli["memories"])
    words = sum(item["depth"] for item in chain.stimuli["memories"])
    assert measured["checked"] > 2 * slices + 18 * words


@pytest.mark.parametrize("test", ["errors", "rate"])
def test_behaviour(chain, test):
    chain.run(test)


def test_preload(chain):
    chain.run("preloaded", "+preload")


@pytest.mark.parametrize(
    ("lanes", "bits", "style", "registers", "parts"),
    [
        (24, 8, "distributed", 0, 1), (288, 8, "distributed", 0, 12), (72, 8, "distributed", 0, 3),
        (29, 8, "distributed", 0, 29), (288, 8, "distributed", 1, 1), (288, 8, "block", 0, 1),
        (288, 8, "ultra", 0, 1),
    ],
)  # fmt: skip
def test_words_in_luts_are_cut_to_keep_enables_short(lanes, bits, style, registers, parts):
    op, _ = memory(0, 2, lanes, bits, style, registers)
    assert op.rtl_parameters()["PARTS"] == parts


def test_a_constant_memory_is_not_cut():
    op = WeightStream.from_lanes("w", np.zeros((2, 288), int), "INT8", "distributed")
    assert "PARTS" not in op.rtl_parameters()


@pytest.mark.parametrize(("bits", "count"), [(1, 1), (31, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_slices_of_a_word(bits, count):
    assert slices_per_word(bits) == count
    word = (1 << bits) - 1
    assert from_slices(bits, to_slices(bits, [word, 0, 1])) == [word, 0, 1]


def test_slices_begin_with_the_lowest_bits():
    assert to_slices(40, [0x0102030405, 0xFF]).tolist() == [0x02030405, 1, 0xFF, 0]


def test_checksum():
    assert checksum([]) == 0
    assert checksum([0x80000000, 1]) == 2
    assert checksum([1, 0x80000000]) == 0x80000002
    assert checksum([1], start=checksum([0x80000000])) == 2


def test_part_of_a_word_is_refused():
    text = "3 slices are no whole words of 33 bits; give a multiple of 2 slices"
    with pytest.raises(UserError, match=text):
        from_slices(33, np.zeros(3, np.uint32))


def test_address():
    assert address(3, 5) == 0x00300005
    with pytest.raises(UserError, match=r"memory 4096 is not on a chain; use 0\.\.4095"):
        address(4096)
    with pytest.raises(UserError, match=r"word 1048576 of memory 0 is not in 0\.\.1048575"):
        address(0, 1 << 20)
