# SPDX-License-Identifier: Apache-2.0
"""Illegal parameters stop the elaboration of every kernel with a message that names the value."""

import subprocess

import pytest

from hw.finn.environment import prepare_verilator
from hw.generate import RTL_FOLDER
from tests.hw.rtl.harness import VERILATOR_ARGS, finn_rtl

SOURCES = [finn_rtl("mvu_pkg"), *sorted(RTL_FOLDER.glob("*.sv"))]
LEGAL = {
    "add_multi": {"N": 3, "DEPTH": 1, "ARG_WIDTH": 4},
    "requant": {"PARAM_FILE": '"params.hex"'},
    "weight_stream": {"FILE": '"words.hex"'},
}
ILLEGAL = [
    ("add_multi", {"N": 0}, "N=0 is not positive"),
    ("dense", {"PIXELS": 0}, "PIXELS=0 is not positive"),
    ("dense", {"SIMD": 3}, "SIMD=3 does not divide MW=4"),
    ("dense", {"PE": 3}, "PE=3 does not divide MH=4"),
    ("dense", {"ACT_WIDTH": 9}, "ACT_WIDTH=9 is not in 1..8"),
    ("dense", {"WEIGHT_WIDTH": 1}, "WEIGHT_WIDTH=1 is not in 2..8"),
    ("dense", {"ACC_WIDTH": 49}, "ACC_WIDTH=49 is not in 1..48"),
    ("depthwise", {"CHANNELS": 6, "PE": 4}, "PE=4 does not divide CHANNELS=6"),
    ("depthwise", {"PE": 0}, "PE=0 does not divide CHANNELS=1"),
    ("depthwise", {"TAPS": 0}, "TAPS=0 is not positive"),
    ("depthwise", {"ACT_WIDTH": 27}, "ACT_WIDTH=27 with ACT_SIGNED=0 is not in 1..27 bits"),
    ("depthwise", {"WEIGHT_WIDTH": 19}, "WEIGHT_WIDTH=19 is not in 2..18"),
    ("depthwise", {"ACC_WIDTH": 49}, "ACC_WIDTH=49 is not in 1..48"),
    ("fifo", {"WIDTH": 0}, "WIDTH=0 must be at least 1"),
    ("fifo", {"DEPTH": 1}, "DEPTH=1 must be at least 2"),
    ("fifo", {"STYLE": '"bram"'}, 'STYLE="bram" is unknown; use srl, distributed, block or ultra'),
    ("global_acc_pool", {"PE": 3}, "PE=3 does not divide CHANNELS=8"),
    ("global_acc_pool", {"PE": 0}, "PE=0 does not divide CHANNELS=8"),
    ("global_acc_pool", {"PIXELS": 0}, "PIXELS=0 and IN_WIDTH=8 must be at least 1"),
    ("global_acc_pool", {"ACC_WIDTH": 13}, "ACC_WIDTH=13 does not hold the sum of PIXELS=49"),
    ("grid_peak", {"LANES": 3}, "LANES=3 does not divide LANDMARKS=98"),
    ("grid_peak", {"WIDTH": 8}, "WIDTH=8 does not hold the number of each of CELLS=196"),
    ("grid_peak", {"CELLS": 0}, "WIDTH=20 does not hold the number of each of CELLS=0"),
    ("output_fifo", {"DEPTH": 33}, "DEPTH=33 is not in 2..32"),
    ("requant", {"CHANNELS": 6, "PE": 4}, "PE=4 does not divide CHANNELS=6"),
    ("requant", {"ACC_WIDTH": 28}, "ACC_WIDTH=28 with ACC_SIGNED=1 is not in 1..27 bits"),
    ("requant", {"OUT_WIDTH": 33}, "OUT_WIDTH=33 is not in 1..32"),
    ("requant", {"SCALE_WIDTH": 19}, "SCALE_WIDTH=19 is not in 2..18"),
    ("requant", {"BIAS_WIDTH": 49}, "BIAS_WIDTH=49 is not in 2..48"),
    ("requant", {"SHIFT": 48}, "SHIFT=48 is not in 0..47"),
    ("requant", {"PARAM_FILE": '""'}, "PARAM_FILE is empty"),
    ("stream_add", {"PE": 0}, "PE=0 and WIDTH=8 must be at least 1"),
    ("stream_concat", {"PE": 0}, "PE=0, WIDTH=8 and INPUTS=2 must be at least 1"),
    ("stream_concat", {"PE": 4, "CHANNELS": "32'h00060008"}, "PE=4 does not divide CHANNELS[1]=6"),
    ("stream_fork", {"COPIES": 0}, "WIDTH=8 and COPIES=0 must be at least 1"),
    ("weight_port", {"MEMORIES": 0}, "MEMORIES=0 is not in 1..4096"),
    ("weight_port", {"MEMORIES": 4097}, "MEMORIES=4097 is not in 1..4096"),
    ("weight_stream", {"WIDTH": 0}, "WIDTH=0 is not positive"),
    ("weight_stream", {"DEPTH": 0}, "DEPTH=0 is not in 1..1048576"),
    ("weight_stream", {"DEPTH": 1048577}, "DEPTH=1048577 is not in 1..1048576"),
    ("weight_stream", {"READ_REGS": 9}, "READ_REGS=9 is not in 0..8"),
    ("weight_stream", {"CHAIN_ID": 4096}, "CHAIN_ID=4096 is not in 0..4095"),
    ("weight_stream", {"RAM_STYLE": '"ultra"'}, 'RAM_STYLE="ultra" with CHAIN=0 has no contents'),
    ("weight_stream", {"RAM_STYLE": '"bram"'}, 'RAM_STYLE="bram" is unknown; use distributed'),
    ("weight_stream", {"FILE": '""'}, "FILE is empty"),
]  # fmt: skip


def elaborate(module: str, parameters: dict[str, int | str]) -> subprocess.CompletedProcess[str]:
    prepare_verilator()
    values = [f"-G{name}={value}" for name, value in parameters.items()]
    files = [str(file) for file in SOURCES]
    command = ["verilator", "--lint-only", *VERILATOR_ARGS, "--top-module", module, *values, *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", [file.stem for file in SOURCES[1:]])
def test_legal_parameters_pass(module):
    result = elaborate(module, LEGAL.get(module, {}))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("module", "parameters", "text"), ILLEGAL)
def test_illegal_parameters_are_named(module, parameters, text):
    result = elaborate(module, LEGAL.get(module, {}) | parameters)
    assert result.returncode != 0
    assert f"{module}: {text}" in result.stderr
