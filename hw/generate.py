# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog text and memory files of a kernel instance, from the attributes of its operator.

A stream on the net ``n`` is the three signals ``n_tdata``, ``n_tvalid``, ``n_tready``; clock and
reset are ``clk`` and ``rst_n`` of the surrounding module. Memory files are named by their plain
file name in the text, and simulators and synthesis look for them in their working directory: run
the tools inside the folder that holds the files. The folder itself may be moved or renamed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from host.common.arrays import IntArray
from host.common.errors import UserError
from hw.rtl_order import module_name

SIGNALS = ("tdata", "tvalid", "tready")
INT_BITS = 32  #: decimal literals of SystemVerilog are at least this wide, with sign
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Symbol(str):
    """A name or expression that a parameter gets, such as ``kl_pkg::RAM_BLOCK``; no string."""


def ram_symbol(style: str) -> Symbol:
    """The name in hw/rtl/kl_pkg.sv of a memory's style, "srl" for one."""
    return Symbol(f"kl_pkg::RAM_{style.upper()}")


class Module(Protocol):
    """What an operator says of its hardware; see :class:`hw.ops.base.KernelOp`."""

    rtl_module: ClassVar[str]

    def rtl_parameters(self) -> dict[str, int | str]:
        """Parameters, memory file names excepted."""

    def rtl_memories(self, *constants: IntArray) -> dict[str, tuple[int, list[int]]]:
        """File parameter -> bits of a word and words; ``PARAMETER[n]`` for one of several files."""

    def rtl_ports(self) -> tuple[list[str], list[str]]:
        """Stream ports, inputs and outputs."""

    def rtl_wires(self) -> dict[str, str | None]:
        """Other ports -> expression on one that is left open, None: never."""


def instance(
    op: Module,
    name: str,
    nets: Mapping[str, str],
    folder: Path,
    constants: Sequence[IntArray] = (),
    wires: Mapping[str, str] | None = None,
) -> str:
    """Instantiation of ``op`` as ``name``; writes its memory files into ``folder``.

    ``nets`` maps every port of ``op.rtl_ports()`` to the net on it. ``constants`` are the ONNX
    inputs behind the streams, as ``op.rtl_memories()`` takes them. ``wires`` maps the other ports,
    those of ``op.rtl_wires()``, to signals; clk and rst_n may be among them. Nothing is written
    unless all attributes, names and constants are legal; UserError says which one is not.
    """
    wires = wires or {}
    for identifier in (name, *nets.values(), *wires.values()):
        _check_identifier(identifier)
    _check_nets(op, name, nets)
    others = _wire_connections(op, name, wires)
    parameters = op.rtl_parameters()
    memories = op.rtl_memories(*constants)
    files = dict(_memory_file(name, memory) for memory in memories)
    connections = others | _stream_connections(op, nets)
    text = module_instance(module_name(op.rtl_module), name, parameters | files, connections)
    for memory, (bits, words) in memories.items():
        write_memory(folder / _memory_path(name, memory), bits, words)
    return text


def _memory_file(name: str, memory: str) -> tuple[str, str]:
    """Parameter and its value: the file, or of one among several what their names begin with."""
    parameter, several, _ = memory.partition("[")
    stem = f"{name}_{parameter.lower()}"
    return parameter, stem if several else f"{stem}.hex"


def _memory_path(name: str, memory: str) -> str:
    """The file of a memory; of ``PARAMETER[3]`` it ends with the 3."""
    parameter, _, index = memory.partition("[")
    return f"{name}_{parameter.lower()}{index.rstrip(']')}.hex"


def module_instance(
    module: str, name: str, parameters: Mapping[str, int | str], connections: Mapping[str, str]
) -> str:
    """Instantiation of any module: parameter -> value, port -> expression."""
    values = {parameter: literal(value) for parameter, value in parameters.items()}
    return f"  {module} #(\n{_named(values)}\n  ) {name} (\n{_named(connections)}\n  );\n"


def declaration(net: str, width: int) -> str:
    """Declaration of the three signals of ``net``, ``width`` bits of data."""
    _check_identifier(net)
    return f"  logic [{width - 1}:0] {net}_tdata;\n  logic {net}_tvalid, {net}_tready;\n"


def literal(value: int | str) -> str:
    """``value`` as a constant: a name plain, a string in quotes, a long integer with its size."""
    if isinstance(value, Symbol):
        return value
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if -(1 << (INT_BITS - 1)) <= value < 1 << (INT_BITS - 1):
        return str(value)
    bits = value.bit_length()
    return f"{bits}'h{value:x}"


def write_memory(path: Path, bits: int, words: Sequence[int]) -> None:
    """Write ``words`` of ``bits`` bits for $readmemh, one a line; the file is whole or absent."""
    digits = -(-bits // 4)
    text = "".join(f"{word:0{digits}x}\n" for word in words)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f"cannot write the memory file {path}: {error.strerror}") from error


def _check_identifier(name: str) -> None:
    if not IDENTIFIER.fullmatch(name):
        raise UserError(
            f"{name!r} is no SystemVerilog name; use letters, digits and _, no digit first"
        )


def _check_nets(op: Module, name: str, nets: Mapping[str, str]) -> None:
    inputs, outputs = op.rtl_ports()
    ports = [*inputs, *outputs]
    if set(nets) != set(ports):
        raise UserError(
            f"{name} ({op.rtl_module}) has the stream ports {ports}, "
            f"nets are given for {sorted(nets)}; give one net for each port"
        )


def _wire_connections(op: Module, name: str, wires: Mapping[str, str]) -> dict[str, str]:
    """Port -> expression for clock, reset and the ports of ``op.rtl_wires()``."""
    ports: dict[str, str | None] = {"clk": "clk", "rst_n": "rst_n", **op.rtl_wires()}
    unknown = set(wires) - set(ports)
    ports.update(wires)
    missing = [port for port, expression in ports.items() if expression is None]
    if unknown or missing:
        raise UserError(
            f"{name} ({op.rtl_module}) has the wires {sorted(op.rtl_wires())}, wires are given for "
            f"{sorted(wires)}; connect {missing} and no others"
        )
    return {port: expression for port, expression in ports.items() if expression is not None}


def _stream_connections(op: Module, nets: Mapping[str, str]) -> dict[str, str]:
    """Port name -> expression; the elements of an array port become one concatenation."""
    inputs, outputs = op.rtl_ports()
    arrays: dict[str, list[str]] = {}
    for port in (*inputs, *outputs):  # element 0 first
        arrays.setdefault(port.partition("[")[0], []).append(nets[port])
    return {
        f"{port}_{signal}": _concatenation([f"{net}_{signal}" for net in elements])
        for port, elements in arrays.items()
        for signal in SIGNALS
    }


def _concatenation(elements: Sequence[str]) -> str:
    """Element 0 least significant, which SystemVerilog writes rightmost."""
    return elements[0] if len(elements) == 1 else "{" + ", ".join(reversed(elements)) + "}"


def _named(items: Mapping[str, str]) -> str:
    return ",\n".join(f"    .{name} ({value})" for name, value in items.items())
