# SPDX-License-Identifier: Apache-2.0
"""The HLS twins, compiled by g++, on the words of the RTL's tests, in both kinds of words."""

from __future__ import annotations

import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from host.common.errors import UserError
from hw.ops import operators
from hw.ops.base import KernelOp
from hw.twin import twin_of
from tests.hw.hls.compiled import MODES, Vectors, check_words, compile_cases, compile_file
from tests.hw.hls.finn_cases import FINN_CASES, MVAU_CASES, finn_op, mvau_vectors, window_case
from tests.hw.rtl import test_fifo
from tests.hw.rtl.harness import FRAMES, Case, Stimuli

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not on PATH")
RTL_TESTS = Path(test_fifo.__file__).parent


def cases_with_twin() -> dict[str, list[Case]]:
    """Cases of every test of the RTL whose kernel has a twin, by kernel."""
    found: dict[str, list[Case]] = {}
    for path in sorted(RTL_TESTS.glob("test_*.py")):
        cases = getattr(import_module(f"tests.hw.rtl.{path.stem}"), "CASES", ())
        op = cases[0].op if isinstance(cases, list) else None
        if isinstance(op, KernelOp) and op.cpp_kernel:
            found[op.rtl_module] = cases
    return found


def vectors_of(case: Case) -> Vectors:
    """The words of a case of the RTL; those of weights are in the twin's table."""
    stimuli, (names, _) = Stimuli(case), case.op.rtl_ports()
    data = [port.words for name, port in zip(names, stimuli.inputs, strict=True) if "axis" in name]
    outputs = [port.words for port in stimuli.outputs]
    return Vectors(twin_of(case.op, case.constants), FRAMES, data, outputs)


KERNELS = {
    **{kernel: [(str(case), vectors_of, case) for case in cases]
       for kernel, cases in cases_with_twin().items()},
    "mvau": [(str(case), mvau_vectors, case) for case in MVAU_CASES],
    **{name: [(case.name, type(case).vectors, case) for case in cases]
       for name, cases in FINN_CASES.items()},
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_every_word_of_every_case(kernel: str, mode: str, tmp_path: Path) -> None:
    cases = [(name, make(case)) for name, make, case in KERNELS[kernel]]
    program = compile_cases([vectors.twin for _, vectors in cases], tmp_path, *MODES[mode])
    for index, (name, vectors) in enumerate(cases):
        try:
            check_words(program, index, vectors, tmp_path)
        except AssertionError as error:
            raise AssertionError(f"{kernel}, {name}: {error}") from error


ILLEGAL = [
    ("stream_add", "PE", 0, "PE and WIDTH must be at least 1"),
    ("stream_concat", "BEATS_0", 0, "every input must give a word of each pixel"),
    ("global_acc_pool", "ACC_WIDTH", 9, "ACC_WIDTH must hold the sum"),
    ("requant", "ACC_WIDTH", 28, "an accumulator with sign must fit 27 bits"),
    ("requant", "SHIFT", 61, "SHIFT must be 0..60"),
    ("requant", "LOW", 1 << 20, "LOW must be below HIGH"),
    ("requant", "WORDS", 1, "WORDS must be whole pixels"),
    ("requant_add", "WIDTH_1", 28, "an operand with sign must fit 27 bits"),
    ("requant_add", "SHIFT", 61, "SHIFT must be 0..60"),
    ("requant_add", "LOW", 1 << 20, "LOW must be below HIGH"),
    ("requant_add", "WORDS", 1, "WORDS must be whole pixels"),
    ("lookup", "LEVELS", 10, "LEVELS must be 1..9"),
    ("lookup", "PE", 3, "PE must divide CHANNELS"),
    ("upsample", "SCALE_X", 0, "scales must be at least 1"),
    ("depthwise", "TAPS", 0, "TAPS and PIXELS must be at least 1"),
    ("depthwise", "WEIGHT_WIDTH", 19, "WEIGHT_WIDTH must be 2..18"),
    ("dense", "SHARE", 3, "one or two pixels SHARE a weight"),
    ("dense", "SIMD", 3, "SIMD must divide MW"),
    ("dense", "ACT_WIDTH", 9, "two pixels share a multiplier with inputs and weights of up to 8"),
    ("dense", "PIXELS", 0, "PIXELS must be at least 1"),
    ("dense", "MH", 8, "weights must have an entry for each fold"),
    ("window", "K_HEIGHT", 5, "a window must fit the frame"),
    ("window", "STRIDE_X", 0, "strides must be at least 1"),
    ("padding", "TOP", -1, "padding cannot be negative"),
    ("width_converter", "LANES", 7, "LANES must be whole words of both sides"),
]


STREAMS = {  # kernel -> words of its streams by the names of its sizes
    "stream_add": ["PE, WIDTH", "PE, WIDTH", "PE, WIDTH + 1"],
    "stream_concat": ["1, 8", "1, 8", "1, 8"],
    "global_acc_pool": ["PE, IN_WIDTH", "PE, ACC_WIDTH"],
    "requant": ["PE, ACC_WIDTH", "PE, OUT_WIDTH"],
    "requant_add": ["PE, WIDTH_0", "PE, WIDTH_1", "PE, OUT_WIDTH"],
    "lookup": ["PE, ACC_WIDTH", "PE, OUT_WIDTH"],
    "upsample": ["PE, WIDTH"] * 2,
    "window_pool": ["PE, WIDTH", "PE, OUT_WIDTH"],
    "depthwise": ["PE, ACT_WIDTH", "PE, ACC_WIDTH"],
    "dense": ["SIMD, ACT_WIDTH", "PE, ACC_WIDTH"],
    "window": ["SIMD, ACT_WIDTH"] * 2,
    "padding": ["SIMD, ACT_WIDTH"] * 2,
    "width_converter": ["IN, WIDTH", "OUT, WIDTH"],
}
LANES = {
    "dense": "[PE * SIMD]",
    "depthwise": "[PE]",
    "requant": "",
    "requant_add": "",
    "lookup": "[31]",
}  # of a table's entry


@pytest.mark.parametrize(("kernel", "name", "value", "message"), ILLEGAL)
def test_illegal_sizes_are_told(
    kernel: str, name: str, value: int, message: str, tmp_path: Path
) -> None:
    _, make, case = KERNELS[kernel][0]
    twin = make(case).twin
    sizes = {**twin.sizes, name: value}
    constants = "".join(f"constexpr int {key} = {size};\n" for key, size in sizes.items())
    words = {f"s{i}": word for i, word in enumerate(STREAMS[kernel])}
    streams = [f"hls::stream<lanes::word<{word}>> {key};\n" for key, word in words.items()]
    if twin.table:
        element, rows = twin.table.element, len(twin.table.rows)
        streams.append(f"const {element} table[{rows}]{LANES[kernel]} = {{}};\n")
    inputs, outputs = [*words][: len(twin.inputs)], [*words][len(twin.inputs) :]
    call = twin.call(inputs, outputs, "table", named=True)
    text = f'#include "lanes.hpp"\n#include "{kernel}.hpp"\n{constants}{"".join(streams)}'
    text += f"void f() {{ {call} }}\n"
    (tmp_path / "bench.cpp").write_text(text)
    with pytest.raises(subprocess.CalledProcessError) as failure:
        compile_file(tmp_path, "-fsyntax-only", "-DLANES_NATIVE")
    assert f"static assertion failed: {message}" in failure.value.stderr


def test_every_kernel_with_a_twin_is_here() -> None:
    assert set(KERNELS) >= {op.rtl_module for op in operators().values() if op.cpp_kernel}


def test_operators_and_settings_without_twin_are_refused() -> None:
    with pytest.raises(UserError, match="there is no unit for VVAU_rtl, only for MVAU_rtl, "):
        twin_of(finn_op("VVAU_rtl"))
    with pytest.raises(UserError, match="dut: the kernel fifo has no HLS twin"):
        twin_of(test_fifo.CASES[0].op)
    with pytest.raises(UserError, match="word of 129 lanes of 8 bits is too wide for ap_uint"):
        twin_of(window_case((2, 2), 129, 129, (1, 1)).op)
    op = window_case((5, 5), 1, 1, (2, 2)).op
    op.set_nodeattr("Dilation", [2, 2])
    with pytest.raises(UserError, match=r"Dilation=\[2, 2\] of .* has no HLS twin; use \[1, 1\]"):
        twin_of(op)
