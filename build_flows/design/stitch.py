# SPDX-License-Identifier: Apache-2.0
"""One SystemVerilog top of all units, AXI-Stream in and out, in a folder that holds all it needs.

The folder ``design`` has the top, the units, their memory files and ``design.json``: what a test
bench or a driver must know of the ports. It can be moved as a whole; tools run inside it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from build_flows.graph.edit import constants_of, streams_of
from host.board.registers import WEIGHT_PORT
from host.common.arrays import IntArray
from host.common.errors import UserError
from host.common.json_file import write_json
from hw.axi_lite import signals
from hw.generate import declaration, instance, module_instance
from hw.ops.unit import Unit
from hw.ops.weight_port import KERNEL
from hw.ops.weight_stream import WeightStream
from hw.rtl_order import module_name
from hw.units import ends_of, units_of

TOP = "accelerator"
RESET_GROUP = 16  #: units behind a register of the reset tree; each has one of its own after it
AXI_LITE = signals(WEIGHT_PORT.address_bits)  #: of the top, to weight_port
DISTRIBUTED_DEPTH = 64  #: words of a weight memory up to which look-up tables are the cheaper RAM


@dataclass(frozen=True)
class Stream:
    """One valid-ready connection of the design."""

    net: str
    source: str
    """Unit that gives the words; "" for the input of the accelerator."""
    sink: str
    """Unit that takes them; "" for the output."""


@dataclass(frozen=True)
class Memory:
    """A weight memory on the chain, see hw/rtl/kl_weight_port.sv."""

    name: str
    bits: int
    """Width of a word."""
    words: int
    file: str
    """Its image for $readmemh, in the design's folder."""
    split: bool = False
    """Whether the RTL splits a long one by depth, as UltraRAM."""


@dataclass(frozen=True)
class Design:
    """Ports of the top, for whoever drives it. Lane 0 is in the least significant bits."""

    input_bits: int
    """Width of s_axis_tdata, a multiple of 8; one or more input bytes."""
    input_words: int
    """Words of one frame."""
    output_lanes: int
    """Accumulators in a word of m_axis_tdata."""
    output_bits: int
    """Bits of one accumulator, two's complement."""
    output_words: int
    """Words of one frame."""
    memories: list[Memory]
    """Weight memories in the order of the chain; none: the design has no port s_axil."""
    streams: list[Stream]
    """Every stream between two units, in the order of the bits that simulation observes."""
    double_clock: bool = False
    """Whether there is a port ``clk2x``: twice the clock, with an edge at each edge of ``clk``."""

    @classmethod
    def read(cls, folder: Path) -> Design:
        """From ``design.json`` of a stitched folder."""
        values = json.loads((folder / "design.json").read_text())
        values["streams"] = [Stream(**stream) for stream in values["streams"]]
        values["memories"] = [Memory(**memory) for memory in values["memories"]]
        return cls(**values)


def stitch(model: ModelWrapper, rtl: Path, design: Path) -> ModelWrapper:
    """Write the design of a folded model into the new folder ``design``; ``rtl`` has its units."""
    shutil.copytree(rtl, design)
    nets, memories = _nets(model), weight_memories(model)
    text = [_weights(memory, lanes, design) for memory, lanes in memories.values()]
    text += [_instance(model, unit, design) for unit in units_of(model)]
    ports = _ports(model, [_memory(memory) for memory, _ in memories.values()])
    (design / f"{TOP}.sv").write_text(_top(model, nets, ports, "".join(text)))
    write_json(design / "design.json", asdict(ports))
    return model


def net_of(tensor: str) -> str:
    """Net that carries a tensor."""
    return "n_" + re.sub(r"\W", "_", tensor)


def weights_net(unit: Unit) -> str:
    """Net from the weight memory of a unit."""
    return f"n_{memory_name(unit)}"


def memory_name(unit: Unit) -> str:
    """Name of the instance of the weight memory of a unit."""
    return f"{unit.name}_weights"


def reset_of(unit: str) -> str:
    """Reset of a unit that is no weight memory: it waits until the weights flow."""
    return f"rst_n_{unit}"


def _nets(model: ModelWrapper) -> dict[str, int]:
    """Net -> bits of data, for every stream between two units and at the ports."""
    nets = {net_of(model.graph.input[0].name): ends_of(model)[0].inputs[0].width}
    for unit in units_of(model):
        for tensor, stream in zip(unit.onnx_node.output, unit.outputs, strict=True):
            nets[net_of(tensor)] = stream.width
        if unit.weights:
            nets[weights_net(unit)] = unit.weights.width
    return nets


def weight_memories(model: ModelWrapper) -> dict[str, tuple[WeightStream, IntArray]]:
    """Unit -> the weight memory beside it and its lanes, in the order of data and chain."""
    memories: dict[str, tuple[WeightStream, IntArray]] = {}
    for unit in units_of(model):
        if unit.weights:
            (weights,) = constants_of(model, unit.onnx_node)
            lanes, style = unit.weight_lanes(weights), unit.ram_style
            if style == "auto":
                style = "distributed" if len(lanes) <= DISTRIBUTED_DEPTH else "block"
            name, datatype = memory_name(unit), unit.weights.datatype.name
            memory = WeightStream.from_lanes(
                name, lanes, datatype, style, chain_index=len(memories)
            )
            memories[unit.name] = memory, lanes
    return memories


def _weights(memory: WeightStream, lanes: IntArray, folder: Path) -> str:
    name, index = memory.onnx_node.name, memory.chain_index
    wires = {"chain_in": f"chain_{index}", "chain_out": f"chain_{index + 1}"}
    nets = {memory.rtl_ports()[1][0]: f"n_{name}"}
    return instance(memory, name, nets, folder, (lanes,), wires)


def _memory(memory: WeightStream) -> Memory:
    name = memory.onnx_node.name
    split = memory.ram_style == "ultra"
    return Memory(name, memory.width, memory.depth, f"{name}_file.hex", split)


def _instance(model: ModelWrapper, unit: Unit, folder: Path) -> str:
    node = unit.onnx_node
    inputs = [net_of(tensor) for tensor in streams_of(model, node)]
    inputs += [weights_net(unit)] if unit.weights else []
    outputs = [net_of(tensor) for tensor in node.output]
    reset, constants = reset_of(unit.name), inner_constants(model, unit)
    return unit.instance(inputs, outputs, folder, constants, reset)


def inner_constants(model: ModelWrapper, unit: Unit) -> list[IntArray]:
    """Constants that are inside a unit; weights are in a memory beside it."""
    return [] if unit.weights else constants_of(model, unit.onnx_node)


def _streams(model: ModelWrapper) -> list[Stream]:
    """All streams; UserError for a tensor that several units take, of which each would see only
    some words."""
    streams: list[Stream] = []
    for unit in units_of(model):
        for name in streams_of(model, unit.onnx_node):
            source = model.find_producer(name)
            streams.append(Stream(net_of(name), source.name if source else "", unit.name))
        if unit.weights:
            streams.append(Stream(weights_net(unit), memory_name(unit), unit.name))
    last = model.graph.output[0].name
    streams.append(Stream(net_of(last), model.find_producer(last).name, ""))
    for net, count in Counter(stream.net for stream in streams).items():
        if count > 1:
            sinks = ", ".join(s.sink or "the output" for s in streams if s.net == net)
            raise UserError(f"{net} has {count} readers: {sinks}; put a StreamFork before them")
    return streams


def _ports(model: ModelWrapper, memories: list[Memory]) -> Design:
    first, last = ends_of(model)
    source, sink = first.inputs[0], last.outputs[0]
    return Design(
        input_bits=source.padded_width,
        input_words=source.words,
        output_lanes=sink.lanes,
        output_bits=sink.bits,
        output_words=sink.words,
        memories=memories,
        streams=_streams(model),
        double_clock=any(unit.double_clock for unit in units_of(model)),
    )


def _observation(ports: Design) -> str:
    """What the simulator reads of every stream: bit i is stream i of ``design.json``."""
    text, last = "", len(ports.streams) - 1
    for signal in ("tvalid", "tready"):
        bits = ", ".join(f"{stream.net}_{signal}" for stream in reversed(ports.streams))
        text += f"  logic [{last}:0] observed_{signal} /* verilator public_flat_rd */;\n"
        text += f"  assign observed_{signal} = {{{bits}}};\n"
    return f"`ifdef VERILATOR\n{text}`endif\n"


def _resets(units: list[str], source: str) -> str:
    """A tree of two registers from ``source`` to each unit; synthesis must not join them again."""
    groups = [units[i : i + RESET_GROUP] for i in range(0, len(units), RESET_GROUP)]
    kept = '  (* keep = "true" *)\n  logic '
    text = f"{kept}[{len(groups) - 1}:0] group_rst_n;\n"
    text += f"{kept}{', '.join(map(reset_of, units))};\n  always_ff @(posedge clk) begin\n"
    text += f"    group_rst_n <= {{{len(groups)}{{{source}}}}};\n"
    for i, group in enumerate(groups):
        text += "".join(f"    {reset_of(unit)} <= group_rst_n[{i}];\n" for unit in group)
    return text + "  end\n"


def _chain(memories: list[Memory], units: list[str]) -> tuple[str, str]:
    """Ports of the top for the weights, and what is behind them."""
    if not memories:
        names = [reset_of(unit) for unit in units]
        return "", "".join(f"  logic {name};\n  assign {name} = rst_n;\n" for name in names)
    declared = [f"  {_typed(s.direction)} {s.range}s_axil_{s.name},\n" for s in AXI_LITE]
    connections = {"clk": "clk", "rst_n": "rst_n"}
    connections |= {f"s_axil_{s.name}": f"s_axil_{s.name}" for s in AXI_LITE}
    connections |= {
        "chain_out": "chain_0", "chain_in": f"chain_{len(memories)}", "running": "running",
        "error": "weights_error",
    }  # fmt: skip
    nets = ", ".join(f"chain_{i}" for i in range(len(memories) + 1))
    body = f"""  kl_pkg::chain_t {nets};
  logic running;
{_resets(units, "rst_n && running")}"""
    module, parameters = module_name(KERNEL), {"MEMORIES": len(memories)}
    port = module_instance(module, "weights_port", parameters, connections)
    declared.append("  output logic weights_error,  // of weight_port\n")
    return "".join(declared) + "\n", body + port


def _typed(direction: str) -> str:
    """A port of one bit: only inputs are nets."""
    return "input  wire logic" if direction == "input" else "output logic"


def _top(model: ModelWrapper, nets: dict[str, int], ports: Design, body: str) -> str:
    source, sink = net_of(model.graph.input[0].name), net_of(model.graph.output[0].name)
    chain_ports, chain = _chain(ports.memories, [unit.name for unit in units_of(model)])
    out_bits = ports.output_lanes * ports.output_bits
    declarations = "".join(declaration(net, bits) for net, bits in nets.items())
    clk2x = "  input  wire logic clk2x,  // twice clk, in phase with it\n" * ports.double_clock
    return f"""// SPDX-License-Identifier: Apache-2.0
// Generated by build_flows. A frame: {ports.input_words} words in, {ports.output_words} words out.
`default_nettype none

module {TOP} (
  input  wire logic clk,
{clk2x}  input  wire logic rst_n,

{chain_ports}  input  wire logic [{ports.input_bits - 1}:0] s_axis_tdata,
  input  wire logic s_axis_tvalid,
  output logic s_axis_tready,

  output logic [{out_bits - 1}:0] m_axis_tdata,
  output logic m_axis_tvalid,
  input  wire logic m_axis_tready
);

{declarations}
  assign {source}_tdata = s_axis_tdata[{nets[source] - 1}:0];
  assign {source}_tvalid = s_axis_tvalid;
  assign s_axis_tready = {source}_tready;
  assign m_axis_tdata = {sink}_tdata;
  assign m_axis_tvalid = {sink}_tvalid;
  assign {sink}_tready = m_axis_tready;

{chain}
{body}
{_observation(ports)}
endmodule

`default_nettype wire
"""
