# SPDX-License-Identifier: Apache-2.0
"""Illegal parameters stop the elaboration of every kernel with a message that names the value."""

import subprocess

import pytest

from hw.finn.environment import finn_rtl, prepare_verilator
from hw.rtl_files import RTL_FOLDER
from hw.rtl_order import in_order
from tests.hw.rtl.harness import VERILATOR_ARGS

SOURCES = in_order([finn_rtl("mvu_pkg"), *RTL_FOLDER.glob("*.sv")])
MODULES = sorted(file.stem for file in SOURCES if not file.stem.endswith("_pkg"))
LEGAL = {
    "add_multi": {"N": 3, "DEPTH": 1, "ARG_WIDTH": 4},
    "kl_grid_peak": {"STEP_FILE": '"steps.hex"'},
    "kl_lookup": {"START_FILE": '"starts"', "CODE_FILE": '"codes.hex"'},
    "kl_requant": {"PARAM_FILE": '"params.hex"'},
    "kl_requant_add": {"PARAM_FILE": '"params.hex"'},
    "kl_requant_parameters": {"PARAM_FILE": '"params.hex"'},
    "kl_weight_stream": {"FILE": '"words.hex"'},
}
ILLEGAL = [
    ("add_multi", {"N": 0}, "N=0 is not positive"),
    ("kl_dense", {"PIXELS": 0}, "PIXELS=0 is not positive"),
    ("kl_dense", {"SIMD": 3}, "SIMD=3 does not divide MW=4"),
    ("kl_dense", {"PE": 3}, "PE=3 does not divide MH=4"),
    ("kl_dense", {"ACT_WIDTH": 9}, "ACT_WIDTH=9 is not in 1..8"),
    ("kl_dense", {"WEIGHT_WIDTH": 1}, "WEIGHT_WIDTH=1 is not in 2..8"),
    ("kl_dense", {"TRIPLE": 1}, "TRIPLE with PUMPED=0 and WEIGHT_WIDTH=8; it needs"),
    ("kl_dense", {"ACC_WIDTH": 49}, "ACC_WIDTH=49 is not in 1..48"),
    ("kl_depthwise", {"CHANNELS": 6, "PE": 4}, "PE=4 does not divide CHANNELS=6"),
    ("kl_depthwise", {"PE": 0}, "PE=0 does not divide CHANNELS=1"),
    ("kl_depthwise", {"TAPS": 0}, "TAPS=0 is not positive"),
    ("kl_depthwise", {"ACT_WIDTH": 27}, "ACT_WIDTH=27 with ACT_SIGNED=0 is not in 1..27 bits"),
    ("kl_depthwise", {"WEIGHT_WIDTH": 19}, "WEIGHT_WIDTH=19 is not in 2..18"),
    ("kl_depthwise", {"ACC_WIDTH": 49}, "ACC_WIDTH=49 is not in 1..48"),
    ("kl_fifo", {"WIDTH": 0}, "WIDTH=0 must be at least 1"),
    ("kl_fifo", {"DEPTH": 1}, "DEPTH=1 must be at least 2"),
    ("kl_global_acc_pool", {"PE": 3}, "PE=3 does not divide CHANNELS=8"),
    ("kl_global_acc_pool", {"PE": 0}, "PE=0 does not divide CHANNELS=8"),
    ("kl_global_acc_pool", {"PIXELS": 0}, "PIXELS=0 and IN_WIDTH=8 must be at least 1"),
    ("kl_global_acc_pool", {"ACC_WIDTH": 13}, "ACC_WIDTH=13 does not hold the sum of PIXELS=49"),
    ("kl_axil_slave", {"ADDRESS_WIDTH": 2}, "ADDRESS_WIDTH=2 is not in 3..32"),
    ("kl_memory", {"WIDTH": 0}, "WIDTH=0 and DEPTH=16 must be at least 1"),
    ("kl_memory", {"STYLE": "2'd0"}, "STYLE=0, shift registers, has no addresses"),
    ("kl_memory", {"WRITABLE": 0}, "a ROM needs a FILE, and LUTs or block RAM"),
    ("kl_memory", {"LIMIT": 15}, "LIMIT=15 holds no two words of 8 bits"),
    ("kl_memory", {"IMAGE_WIDTH": 16, "IMAGE_LOW": 9}, "no 8 bits from IMAGE_LOW=9 in words of"),
    ("kl_memory", {"IMAGE_WIDTH": 16}, "STYLE=2; parts of words are in LUTs that can be written"),
    ("kl_stream_register", {"WIDTH": 0}, "WIDTH=0 must be at least 1"),
    ("kl_grid_peak", {"PE": 3}, "PE=3 does not divide LANDMARKS=98"),
    ("kl_grid_peak", {"ROWS": 0}, "ROWS=0, COLUMNS=14 and STEP_WIDTH=14 must be at least 1"),
    ("kl_grid_peak", {"STEP_WIDTH": 18}, "OUT_WIDTH=21 does not hold a place of 13 steps"),
    ("kl_grid_peak", {"STEP_FILE": '""'}, "STEP_FILE is empty"),
    ("kl_lookup", {"CHANNELS": 6, "PE": 4}, "PE=4 does not divide CHANNELS=6"),
    ("kl_lookup", {"ACC_WIDTH": 33}, "ACC_WIDTH=33 is not in 1..32"),
    ("kl_lookup", {"OUT_WIDTH": 33}, "OUT_WIDTH=33 is not in 1..32"),
    ("kl_lookup", {"LEVELS": 10}, "LEVELS=10 is not in 1..9"),
    ("kl_lookup", {"CODE_FILE": '""'}, "START_FILE or CODE_FILE is empty"),
    ("kl_output_fifo", {"DEPTH": 33}, "DEPTH=33 is not in 2..32"),
    ("kl_requant", {"CHANNELS": 6, "PE": 4}, "PE=4 does not divide CHANNELS=6"),
    ("kl_requant", {"ACC_WIDTH": 28}, "ACC_WIDTH=28 with ACC_SIGNED=1 is not in 1..27 bits"),
    ("kl_requant", {"OUT_WIDTH": 33}, "OUT_WIDTH=33 is not in 1..32"),
    ("kl_requant", {"SCALE_WIDTH": 36}, "SCALE_WIDTH=36 is not in 2..35"),
    ("kl_requant", {"BIAS_WIDTH": 49}, "BIAS_WIDTH=49 is not in 2..48"),
    ("kl_requant", {"SHIFT": 48}, "SHIFT=48 is not in 0..47"),
    ("kl_requant", {"LOW": 7, "HIGH": 7}, "LOW=7 must be below HIGH=7"),
    ("kl_requant", {"PARAM_FILE": '""'}, "PARAM_FILE is empty"),
    ("kl_requant_add", {"CHANNELS": 6, "PE": 4}, "PE=4 does not divide CHANNELS=6"),
    ("kl_requant_add", {"INPUTS": 1, "WIDTHS": "32'd8"}, "INPUTS=1 is not in 2..8"),
    ("kl_requant_add", {"INPUTS": 9, "WIDTHS": "288'd8"}, "INPUTS=9 is not in 2..8"),
    ("kl_requant_add", {"WIDTHS": "64'h1c00000008"}, "WIDTHS[1]=28 with SIGNED[1]=1 is not in"),
    ("kl_requant_add", {"WIDTHS": "64'h80000001b", "SIGNED": "2'd2"}, "WIDTHS[0]=27 with SIGNED"),
    ("kl_requant_add", {"OUT_WIDTH": 33}, "OUT_WIDTH=33 is not in 1..32"),
    ("kl_requant_add", {"SCALE_WIDTH": 36}, "SCALE_WIDTH=36 is not in 2..35"),
    ("kl_requant_add", {"BIAS_WIDTH": 65}, "BIAS_WIDTH=65 is not in 2..64 or SHIFT=16 not in"),
    ("kl_requant_add", {"SHIFT": 61}, "BIAS_WIDTH=48 is not in 2..64 or SHIFT=61 not in 0..60"),
    ("kl_requant_add", {"LOW": 7, "HIGH": 7}, "LOW=7 must be below HIGH=7"),
    ("kl_requant_add", {"PARAM_FILE": '""'}, "PARAM_FILE is empty"),
    ("kl_stream_add", {"PE": 0}, "PE=0 and WIDTH=8 must be at least 1"),
    ("kl_stream_concat", {"PE": 0}, "PE=0, WIDTH=8 and INPUTS=2 must be at least 1"),
    ("kl_stream_concat", {"PE": 4, "CHANNELS": "64'h600000008"}, "PE=4 does not divide CHANNELS"),
    ("kl_stream_fork", {"COPIES": 0}, "WIDTH=8 and COPIES=0 must be at least 1"),
    ("kl_upsample", {"FOLDS": 0}, "PE=1, WIDTH=8, FOLDS=0 and COLUMNS=4 must be at least 1"),
    ("kl_upsample", {"SCALE_X": 0}, "SCALE_Y=2 and SCALE_X=0 must be at least 1"),
    ("kl_weight_port", {"MEMORIES": 0}, "MEMORIES=0 is not in 1..4096"),
    ("kl_weight_port", {"MEMORIES": 4097}, "MEMORIES=4097 is not in 1..4096"),
    ("kl_weight_stream", {"WIDTH": 0}, "WIDTH=0 is not positive"),
    ("kl_weight_stream", {"DEPTH": 0}, "DEPTH=0 is not in 1..1048576"),
    ("kl_weight_stream", {"DEPTH": 1048577}, "DEPTH=1048577 is not in 1..1048576"),
    ("kl_weight_stream", {"READ_REGS": 9}, "READ_REGS=9 is not in 0..8"),
    ("kl_weight_stream", {"CHAIN_ID": 4096}, "CHAIN_ID=4096 is not in 0..4095"),
    ("kl_weight_stream", {"RAM_STYLE": "2'd3"}, "UltraRAM with CHAIN=0 has no contents"),
    ("kl_weight_stream", {"RAM_STYLE": "2'd0"}, "RAM_STYLE=0, shift registers, has no"),
    ("kl_weight_stream", {"FILE": '""'}, "FILE is empty"),
    ("kl_weight_stream", {"PARTS": 3}, "PARTS=3 does not divide WIDTH=8"),
    ("kl_weight_stream", {"PARTS": 2}, "PARTS=2; only LUTs on the chain are cut"),
    ("kl_width_converter", {"OUT": 0}, "IN=8, OUT=0 and WIDTH=8 must be at least 1"),
    ("kl_window_pool", {"TAPS": 0}, "PE=1, TAPS=0 and WIDTH=8 must be at least 1"),
    ("kl_window_pool", {"SUMS": 1, "OUT_WIDTH": 9}, "OUT_WIDTH=9 does not hold TAPS=4 of WIDTH=8"),
]  # fmt: skip


def elaborate(module: str, parameters: dict[str, int | str]) -> subprocess.CompletedProcess[str]:
    prepare_verilator()
    values = [f"-G{name}={value}" for name, value in parameters.items()]
    files = [str(file) for file in SOURCES]
    command = ["verilator", "--lint-only", *VERILATOR_ARGS, "--top-module", module, *values, *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("module", MODULES)
def test_legal_parameters_pass(module):
    result = elaborate(module, LEGAL.get(module, {}))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("module", "parameters", "text"), ILLEGAL)
def test_illegal_parameters_are_named(module, parameters, text):
    result = elaborate(module, LEGAL.get(module, {}) | parameters)
    assert result.returncode != 0
    assert f"{module}: {text}" in result.stderr
