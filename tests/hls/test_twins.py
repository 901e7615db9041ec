# SPDX-License-Identifier: Apache-2.0
"""The HLS twins against the goldens of the operators, compiled by g++ with the cases of the RTL."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hw.generate import hls_config
from tests.rtl import (
    test_depthwise,
    test_global_acc_pool,
    test_requant,
    test_stream_add,
    test_stream_concat,
    test_stream_fork,
)
from tests.rtl.harness import Case, Stimuli

HERE = Path(__file__).parent
TWINS = HERE.parents[1] / "hw" / "hls"
MODULES = (
    test_depthwise, test_global_acc_pool, test_requant, test_stream_add, test_stream_concat,
    test_stream_fork,
)  # fmt: skip
EVERY = 3  #: of the cases of each kernel one in so many, to keep compile time down
CASES = [
    pytest.param(case, id=f"{case.op.rtl_module}-{case}")
    for module in MODULES
    for case in module.CASES[::EVERY]
]


@pytest.fixture(scope="module")
def vendor_headers() -> Path:
    """Folder of ap_int.h and hls_stream.h, which the package hls4ml carries."""
    package = importlib.util.find_spec("hls4ml")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the Python package hls4ml, which carries ap_int.h, is not installed")
    if shutil.which("g++") is None:
        pytest.skip("g++ is not on PATH")
    return Path(package.submodule_search_locations[0]) / "templates" / "vivado" / "ap_types"


def compile_bench(case: Case, folder: Path, headers: Path, config: str, *options: str) -> None:
    """Compile the test bench of the case's kernel with the text ``config`` of config.hpp."""
    (folder / "config.hpp").write_text(config)
    if case.op.rtl_module == "requant":
        pairs = zip(*(constant.tolist() for constant in case.constants), strict=True)
        (folder / "parameters.inc").write_text("".join(f"{{{s}, {b}}},\n" for s, b in pairs))
    bench = HERE / f"{case.op.rtl_module}_tb.cpp"
    subprocess.run(
        ["g++", "-std=c++17", "-O0", "-Wall", "-Wno-unknown-pragmas", "-isystem", str(headers),
         f"-I{TWINS}", f"-I{HERE}", f"-I{folder}", *options, str(bench)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_words(case: Case, tmp_path: Path, vendor_headers: Path) -> None:
    stimuli = Stimuli(case)
    program = tmp_path / "bench"
    compile_bench(case, tmp_path, vendor_headers, hls_config(case.op), "-o", str(program))
    for port in stimuli.inputs:
        (tmp_path / f"{port.net}.txt").write_text("".join(f"{word:x}\n" for word in port.words))
    subprocess.run([program], cwd=tmp_path, check=True)
    for port in stimuli.outputs:
        words = (tmp_path / f"{port.net}.txt").read_text().split()
        assert [int(word, 16) for word in words] == port.words
        assert words


@pytest.mark.parametrize(
    ("case", "change", "message"),
    [
        (test_stream_add.CASES[0], ("PE", 0), "PE and WIDTH must be at least 1"),
        (test_stream_fork.CASES[0], ("WIDTH", 0), "WIDTH must be at least 1"),
        (test_stream_concat.CASES[0], ("PE", 5), "PE must divide all CHANNELS"),
        (test_global_acc_pool.CASES[0], ("ACC_WIDTH", 9), "ACC_WIDTH must hold the sum"),
        (test_requant.CASES[0], ("ACC_WIDTH", 28), "an accumulator with sign must fit 27 bits"),
        (test_depthwise.CASES[0], ("WORDS", 10), "WORDS must be whole windows"),
    ],
)
def test_illegal_parameters(
    case: Case, change: tuple[str, int], message: str, tmp_path: Path, vendor_headers: Path
) -> None:
    name, value = change
    config = re.sub(rf"(?<= {name} = )\d+", str(value), hls_config(case.op))
    with pytest.raises(subprocess.CalledProcessError) as failure:
        compile_bench(case, tmp_path, vendor_headers, config, "-fsyntax-only")
    assert f"static assertion failed: {message}" in failure.value.stderr
