# SPDX-License-Identifier: Apache-2.0
"""Our model of the DSP48E2 against the tables of UG579; what it leaves out stops elaboration."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.hw.rtl.dsp48e2_scenario import DATA
from tests.hw.rtl.dsp48e2_tables import ATTRIBUTES, ENABLES, RESETS, RND
from tests.hw.rtl.harness import VERILATOR_ARGS, Simulator

MODEL = Path(__file__).with_name("dsp48e2.sv")
CONTROLS = {"ALUMODE": 4, "INMODE": 5, "CARRYIN": 1}
ONE_BIT = dict.fromkeys([*ENABLES.values(), *RESETS.values()], 1)
INPUTS = {**DATA, **CONTROLS, **ONE_BIT}
OUTPUTS = {"P": 48, "ACOUT": 30, "BCOUT": 18}


def literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def slice_text(index: int, attributes: dict[str, int | str]) -> str:
    """One DSP48E2 with all inputs but OPMODE shared."""
    values = {name: literal(value) for name, value in attributes.items()} | {"RND": f"48'd{RND}"}
    parameters = ", ".join(f".{name}({value})" for name, value in values.items())
    pins = {name: name for name in ("CLK", *INPUTS)} | {"OPMODE": f"OPMODE_{index}"}
    pins |= {name: f"{name}_{index}" for name in OUTPUTS}
    pins |= dict.fromkeys(("CARRYCASCIN", "MULTSIGNIN", "CARRYINSEL"), "'0")
    pins |= dict.fromkeys(
        ("PCOUT", "CARRYOUT", "CARRYCASCOUT", "MULTSIGNOUT", "OVERFLOW", "UNDERFLOW",
         "PATTERNDETECT", "PATTERNBDETECT", "XOROUT"), "",
    )  # fmt: skip
    connections = ", ".join(f".{pin}({net})" for pin, net in pins.items())
    return f"  DSP48E2 #({parameters}) u_{index} ({connections});\n"


def bench_text() -> str:
    ports = ["input logic CLK"]
    ports += [f"input logic [{bits - 1}:0] {name}" for name, bits in INPUTS.items()]
    body = ""
    for index, attributes in enumerate(ATTRIBUTES):
        ports.append(f"input logic [8:0] OPMODE_{index}")
        ports += [f"output logic [{b - 1}:0] {name}_{index}" for name, b in OUTPUTS.items()]
        body += slice_text(index, attributes)
    return f"module bench ({', '.join(ports)});\n{body}endmodule\n"


def simulate(tmp_path: Path, object_cache: Path, model: Path) -> None:
    bench = tmp_path / "bench.sv"
    bench.write_text(bench_text())
    Simulator("bench", [model, bench], tmp_path, object_cache).run(
        "tests.hw.rtl.dsp48e2_scenario", tmp_path, seed=11
    )


def test_the_model_equals_the_tables(tmp_path, object_cache):
    simulate(tmp_path, object_cache, MODEL)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("inmode[3] ? d_path - addend", "inmode[3] ? addend - d_path"),
        ("3'b101:  z = 48'(signed'(PCIN) >>> 17)", "3'b101:  z = PCIN >> 17"),
    ],
)
def test_a_wrong_model_is_found(tmp_path, object_cache, right, wrong):
    text = MODEL.read_text()
    assert right in text
    mutant = tmp_path / "mutant.sv"
    mutant.write_text(text.replace(right, wrong))
    with pytest.raises(AssertionError, match=r"slice \d"):
        simulate(tmp_path, object_cache, mutant)


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"USE_SIMD": "TWO24"}, "USE_SIMD, USE_WIDEXOR, pattern detector and an inverted clock"),
        ({"AREG": 1, "ACASCREG": 2}, "AREG=1, ACASCREG=2, BREG=1, BCASCREG=1 is no legal"),
        ({"USE_MULT": "DYNAMIC"}, "USE_MULT is neither MULTIPLY nor NONE"),
    ],
)
def test_what_is_left_out_stops_elaboration(attributes, text):
    options = [f"-G{name}={literal(value)}" for name, value in attributes.items()]
    command = ["verilator", "--lint-only", "--top", "DSP48E2", *VERILATOR_ARGS, *options]
    result = subprocess.run([*command, str(MODEL)], capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert text in re.sub(r"\s+", " ", result.stderr)
