# SPDX-License-Identifier: Apache-2.0
"""FINN's dense unit with the DSP48E2 that it instantiates for Vivado, exact against numpy.

In Verilator FINN takes a behavioural branch; with the macro VERILATOR undefined it takes the
primitives, for which dsp48e2.sv stands in.
"""

from dataclasses import replace

import pytest

from tests.hw.rtl import test_mvau
from tests.hw.rtl.harness import Bench
from tests.hw.rtl.test_dsp48e2 import MODEL

VERILATOR_OPTIONS = ("-UVERILATOR",)
CASES = [replace(case, extra_sources=(MODEL, *case.extra_sources)) for case in test_mvau.CASES]


def test_words_timing_and_stalls(bench, case):
    bench.check(case)


def test_a_wrong_primitive_is_found(tmp_path, object_cache):
    """So the words above went through the primitive."""
    right, wrong = "45'(left) * 45'(right)", "45'(left) * 45'(right) + 45'd1"
    text = MODEL.read_text()
    assert right in text
    mutant = tmp_path / "dsp48e2.sv"
    mutant.write_text(text.replace(right, wrong))
    case = replace(CASES[1], extra_sources=(mutant, *CASES[1].extra_sources[1:]))
    with pytest.raises(AssertionError):
        Bench([case], tmp_path, object_cache, VERILATOR_OPTIONS).check(case)
