# SPDX-License-Identifier: Apache-2.0
"""Checks of a kernel in Verilator that follow from its operator alone.

A test module lists its configurations as ``CASES``; the fixtures of conftest.py build all of them
into one simulator and hand each to the test. Everything else comes from the operator: parameters,
memories and ports of the hardware, golden words, cycles a frame and latency. What is checked is
written in scenario.py.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cocotb_tools.runner import get_results, get_runner
from onnx import helper

from host.common.arrays import IntArray
from hw.finn.environment import prepare_verilator
from hw.generate import instance
from hw.ops.base import KernelOp, pack
from hw.rtl_order import in_order
from hw.sources import sources

FRAMES = 3  #: in the stimuli
FRAMES_CHECKED = (
    25  #: 3 without stalls, 2 under each of 9 pairs of patterns, 1 after each of 4 resets
)
VERILATOR_ARGS = ["--assert", "--no-timing", "-Wno-fatal", "-Werror-USERFATAL", "-Werror-USERERROR"]
COMPILER_ARGS = ["-CFLAGS", "-O0", "--output-split", "0"]  # one C++ file: no precompiled header


def make_op(
    cls: type[KernelOp], inputs: int = 1, outputs: int = 1, name: str = "dut", **attributes: Any
) -> KernelOp:
    """The operator ``cls`` with attributes; backend and domain are filled in."""
    node = helper.make_node(
        cls.__name__, [f"in{i}" for i in range(inputs)], [f"out{i}" for i in range(outputs)],
        name, domain="hw.ops", backend="fpgadataflow", **attributes,
    )  # fmt: skip
    return cls(node)


@dataclass(frozen=True)
class Case:
    """One configuration: the operator and the ONNX inputs behind its data streams."""

    name: str
    op: KernelOp
    constants: tuple[IntArray, ...] = ()
    seed: int = 1
    extra_sources: tuple[Path, ...] = ()  #: files beside those of the operator
    data: tuple[IntArray, ...] = ()  #: of the data streams in every frame; random if not given

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Port:
    """A stream port of the simulator and the words that shall pass it, all frames in a row."""

    net: str
    width: int
    words: list[int] = field(repr=False)


def random_integers(rng: np.random.Generator, dtype: Any, shape: tuple[int, ...]) -> IntArray:
    """Integers over the whole range of a FINN data type; every fourth is one of its ends."""
    low, high = int(dtype.min()), int(dtype.max())
    values = rng.integers(low, high, shape, dtype=np.int64, endpoint=True)
    ends = rng.choice(np.array([low, high]), shape)
    return np.where(rng.random(shape) < 0.25, ends, values)


def stream_words(tensor: IntArray, folded: tuple[int, ...], bits: int) -> list[int]:
    """The words in which a tensor travels."""
    return [pack(lanes, bits) for lanes in tensor.reshape(-1, folded[-1])]


class Stimuli:
    """Input words of a few random frames and the output words that the golden makes of them."""

    def __init__(self, case: Case) -> None:
        op, rng = case.op, np.random.default_rng(case.seed)
        names_in, names_out = op.rtl_ports()
        data = [i for i, port in enumerate(names_in) if port.startswith("s_axis")]
        words_in: list[list[int]] = [[] for _ in names_in]
        words_out: list[list[int]] = [[] for _ in names_out]
        for _ in range(FRAMES):
            tensors = case.data or [
                random_integers(rng, op.get_input_datatype(i), tuple(op.get_normal_input_shape(i)))
                for i in data
            ]
            for i, tensor in zip(data, tensors, strict=True):
                bits = op.get_input_datatype(i).bitwidth()
                words_in[i] += stream_words(tensor, tuple(op.get_folded_input_shape(i)), bits)
            for i in range(len(data), len(names_in)):
                words_in[i] += op.weight_words(*case.constants) * op.weight_passes
            for i, tensor in enumerate(op.golden(*tensors, *case.constants)):
                bits = op.get_output_datatype(i).bitwidth()
                words_out[i] += stream_words(tensor, tuple(op.get_folded_output_shape(i)), bits)
        self.inputs = [
            Port(f"in{i}", op.get_instream_width(i), words) for i, words in enumerate(words_in)
        ]
        self.outputs = [
            Port(f"out{i}", op.get_outstream_width(i), words) for i, words in enumerate(words_out)
        ]


class Simulator:
    """A SystemVerilog top built with Verilator for cocotb."""

    def __init__(
        self, top: str, files: list[Path], folder: Path, object_cache: Path,
        options: Sequence[str] = (),
    ) -> None:  # fmt: skip
        launcher = [sys.executable, str(Path(__file__).with_name("object_cache.py"))]
        prepare_verilator(shlex.join([*launcher, str(object_cache)]))
        self.top, self.folder, log = top, folder / "build", folder / "build.log"
        self.runner = get_runner("verilator")
        try:
            self.runner.build(
                sources=files, hdl_toplevel=top, build_dir=self.folder, always=True, log_file=log,
                build_args=[*VERILATOR_ARGS, *COMPILER_ARGS, *options],
            )  # fmt: skip
        except RuntimeError as error:
            raise AssertionError(f"{error}\n{log.read_text()[-3000:]}") from error

    def run(
        self, module: str, folder: Path, seed: int, test: str | None = None, plusargs: str = ""
    ) -> None:
        """Run the cocotb tests of ``module`` in ``folder``; AssertionError with the log's end.

        ``test`` names the one to run, ``plusargs`` what the simulator is given.
        """
        log = folder / "simulation.log"
        try:
            results = self.runner.test(
                hdl_toplevel=self.top, test_module=module, build_dir=self.folder, test_dir=folder,
                log_file=log, seed=seed, plusargs=plusargs.split(), test_filter=test and f"{test}$",
            )  # fmt: skip
            failed: object = get_results(results)[1]
        except (RuntimeError, SystemExit) as error:  # the simulator ended by itself, a test failed
            failed = error
        assert not failed, f"seed {seed}: {failed}\n{log.read_text()[-3000:]}"


class Bench:
    """All cases of a test module in one simulator, each with clock, reset and ports of its own."""

    def __init__(
        self, cases: list[Case], folder: Path, object_cache: Path, options: Sequence[str] = ()
    ) -> None:
        self.cases, self.folder, self.options = cases, folder, options
        self.stimuli = [Stimuli(case) for case in cases]
        self.simulator = self._build(object_cache)

    def check(self, case: Case) -> None:
        """Run the scenario on one case; AssertionError with the log's tail or the wrong figure."""
        index = self.cases.index(case)
        stimuli, op = self.stimuli[index], case.op
        run = self.folder / f"run_{index}"
        run.mkdir()
        for memory in self.folder.glob(f"u_{index}_*.hex"):
            (run / memory.name).symlink_to(memory)
        (run / "stimuli.json").write_text(json.dumps(self._scenario(index)))
        self.simulator.run("tests.hw.rtl.scenario", run, case.seed)
        measured = json.loads((run / "measured.json").read_text())
        frame = sum(len(port.words) for port in stimuli.outputs) // FRAMES
        assert measured["words"] == frame * FRAMES_CHECKED > 0
        assert measured["cycles_per_frame"] == op.get_exp_cycles()
        assert measured["latency"] == op.latency()

    def _scenario(self, index: int) -> dict[str, Any]:
        stimuli, case = self.stimuli[index], self.cases[index]

        def ports(group: list[Port]) -> dict[str, list[int]]:
            return {f"c{index}_{port.net}": port.words for port in group}

        return {
            "prefix": f"c{index}",
            "seed": case.seed,
            "frames": FRAMES,
            "inputs": ports(stimuli.inputs),
            "outputs": ports(stimuli.outputs),
            "latency": case.op.latency(),
        }

    def _build(self, object_cache: Path) -> Simulator:
        modules, wires, ports = [], [], []
        for index, (case, stimuli) in enumerate(zip(self.cases, self.stimuli, strict=True)):
            module = _case_module(index, case, stimuli, self.folder)
            names = _signals(case, stimuli)
            modules.append(module)
            ports += [f"{kind} c{index}_{name}" for name, kind in names.items()]
            connections = ", ".join(f".{name}(c{index}_{name})" for name in names)
            wires.append(f"  case_{index} u_case_{index} ({connections});\n")
        top = f"module bench ({', '.join(ports)});\n{''.join(wires)}endmodule\n"
        bench = self.folder / "bench.sv"
        bench.write_text("\n".join([*modules, top]))
        extra = {file for case in self.cases for file in case.extra_sources}
        files = in_order({*extra, *sources(case.op for case in self.cases), bench})
        return Simulator("bench", files, self.folder, object_cache, self.options)


def _signals(case: Case, stimuli: Stimuli) -> dict[str, str]:
    """Ports of a case's module: name -> direction and type."""
    clocks = ("clk", "clk2x") if case.op.double_clock else ("clk",)
    result = dict.fromkeys((*clocks, "rst_n"), "input logic")
    for port in stimuli.inputs:
        result[f"{port.net}_tdata"] = f"input logic [{port.width - 1}:0]"
        result[f"{port.net}_tvalid"] = "input logic"
        result[f"{port.net}_tready"] = "output logic"
    for port in stimuli.outputs:
        result[f"{port.net}_tdata"] = f"output logic [{port.width - 1}:0]"
        result[f"{port.net}_tvalid"] = "output logic"
        result[f"{port.net}_tready"] = "input logic"
    return result


def _case_module(index: int, case: Case, stimuli: Stimuli, folder: Path) -> str:
    names_in, names_out = case.op.rtl_ports()
    groups = ((names_in, stimuli.inputs), (names_out, stimuli.outputs))
    nets = {n: p.net for names, ports in groups for n, p in zip(names, ports, strict=True)}
    declarations = [f"{kind} {name}" for name, kind in _signals(case, stimuli).items()]
    body = instance(case.op, f"u_{index}", nets, folder, _memory_constants(case))
    return f"module case_{index} (\n  " + ",\n  ".join(declarations) + f"\n);\n{body}endmodule\n"


def _memory_constants(case: Case) -> tuple[IntArray, ...]:
    """The constants that lie in memories of the kernel itself, not on its weight stream."""
    return () if "s_weight" in case.op.rtl_ports()[0] else case.constants
