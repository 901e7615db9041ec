# SPDX-License-Identifier: Apache-2.0
"""One SystemVerilog top of all units, AXI-Stream in and out, in a folder that holds all it needs.

The folder ``design`` has the top, the units, their memory files and ``design.json``: what a test
bench or a driver must know of the ports. It can be moved as a whole; tools run inside it.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp

from build_flows.graph.folding import has_weights
from host.board.registers import WEIGHT_PORT
from host.common.arrays import IntArray
from host.common.json_file import write_json
from hw.axi_lite import signals
from hw.generate import declaration, instance, module_instance
from hw.ops import Dense, Depthwise
from hw.ops.base import KernelOp
from hw.ops.weight_port import CHAIN_BITS, MODULE
from hw.ops.weight_stream import WeightStream, mvau_weight_lanes

TOP = "accelerator"
RESET = "units_rst_n"  #: of all units but the weight memories: they wait until the weights flow
AXI_LITE = signals(WEIGHT_PORT.address_bits)  #: of the top, to weight_port
SOURCES = (".sv", ".v")
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
    """A weight memory on the chain, see hw/rtl/weight_port.sv."""

    name: str
    bits: int
    """Width of a word."""
    words: int
    file: str
    """Its image for $readmemh, in the design's folder."""


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
    text += [_unit(model, getCustomOp(node), nets, design) for node in model.graph.node]
    ports = _ports(model, [_memory(memory) for memory, _ in memories.values()])
    (design / f"{TOP}.sv").write_text(_top(model, nets, ports, "".join(text)))
    write_json(design / "design.json", asdict(ports))
    return model


def source_files(folder: Path) -> list[Path]:
    """Sources of a folder in the order in which tools need them: packages first."""
    files = sorted(path for path in folder.iterdir() if path.suffix in SOURCES)
    return sorted(files, key=lambda path: not path.stem.endswith("_pkg"))


def net_of(tensor: str) -> str:
    """Net that carries a tensor."""
    return "n_" + re.sub(r"\W", "_", tensor)


def _nets(model: ModelWrapper) -> dict[str, int]:
    """Net -> bits of data, for every stream between two units and at the ports."""
    nets = {}
    first = getCustomOp(model.find_consumer(model.graph.input[0].name))
    nets[net_of(model.graph.input[0].name)] = first.get_instream_width(0)
    for node in model.graph.node:
        op = getCustomOp(node)
        for i, tensor in enumerate(node.output):
            nets[net_of(tensor)] = op.get_outstream_width(i)
        if has_weights(op.onnx_node):
            nets[f"n_{node.name}_weights"] = op.get_instream_width(1)
    return nets


def weight_memories(model: ModelWrapper) -> dict[str, tuple[WeightStream, IntArray]]:
    """Unit -> the weight memory beside it and its lanes, in the order of data and chain."""
    memories: dict[str, tuple[WeightStream, IntArray]] = {}
    for index, node in enumerate(filter(has_weights, model.graph.node)):
        lanes, style = _lanes(model, getCustomOp(node))
        if style == "auto":
            style = "distributed" if len(lanes) <= DISTRIBUTED_DEPTH else "block"
        name, datatype = f"{node.name}_weights", getCustomOp(node).get_nodeattr("weightDataType")
        memory = WeightStream.from_lanes(name, lanes, datatype, style, chain_index=index)
        memories[node.name] = memory, lanes
    return memories


def _lanes(model: ModelWrapper, op: CustomOp) -> tuple[IntArray, str]:
    """Lanes (words, weights of a word) in the order in which a unit takes them, and the memory."""
    weights = np.rint(model.get_initializer(op.onnx_node.input[1])).astype(np.int64)
    if isinstance(op, Dense | Depthwise):
        return op.weight_lanes(weights), op.get_nodeattr("ramStyle")
    lanes = mvau_weight_lanes(weights, op.get_nodeattr("PE"), op.get_nodeattr("SIMD"))
    return lanes, op.get_nodeattr("ram_style")


def _weights(memory: WeightStream, lanes: IntArray, folder: Path) -> str:
    name, index = memory.onnx_node.name, memory.chain_index
    wires = {"chain_in": f"chain_{index}", "chain_out": f"chain_{index + 1}"}
    nets = {memory.rtl_ports()[1][0]: f"n_{name}"}
    return instance(memory, name, nets, folder, (lanes,), wires)


def _memory(memory: WeightStream) -> Memory:
    name = memory.onnx_node.name
    return Memory(name, memory.width, memory.depth, f"{name}_file.hex")


def _unit(model: ModelWrapper, op: CustomOp, nets: dict[str, int], folder: Path) -> str:
    node = op.onnx_node
    streams = [net_of(t) for t in node.input if model.get_initializer(t) is None]
    if has_weights(op.onnx_node):
        streams.append(f"n_{node.name}_weights")
    outputs = [net_of(t) for t in node.output]
    if not isinstance(op, KernelOp):
        return finn_instance(node, streams, outputs, nets, RESET)
    names_in, names_out = op.rtl_ports()
    ports = dict(zip([*names_in, *names_out], [*streams, *outputs], strict=True))
    return instance(op, node.name, ports, folder, constants_of(model, node), {"rst_n": RESET})


def constants_of(model: ModelWrapper, node: NodeProto) -> list[IntArray]:
    """Constant inputs that are inside a unit of ours; weights are in a memory beside it."""
    values = [] if has_weights(node) else map(model.get_initializer, node.input)
    return [np.rint(value).astype(np.int64) for value in values if value is not None]


def finn_instance(
    node: NodeProto,
    inputs: list[str],
    outputs: list[str],
    nets: dict[str, int],
    reset: str = "rst_n",
) -> str:
    """A unit of FINN's: ports in whole bytes, clock and reset under FINN's names."""
    connections = {"ap_clk": "clk", "ap_rst_n": reset}
    if node.op_type == "MVAU_rtl":
        connections["ap_clk2x"] = "1'b0"
    if node.op_type == "FMPadding_rtl":  # its AXI-Lite port sets sizes at run time: unused
        connections |= {
            f"s_axilite_{name}": "'0"
            for name in ("AWVALID", "AWADDR", "WVALID", "WDATA", "WSTRB", "ARVALID", "ARADDR")
        } | {f"s_axilite_{name}": "1'b1" for name in ("BREADY", "RREADY")}
    text = ""
    for i, net in enumerate(inputs):
        bits = nets[net]
        padding = -bits % 8
        data = f"{net}_tdata" if not padding else f"{{{padding}'b0, {net}_tdata}}"
        connections |= _finn_port(f"in{i}_V", net, data)
    for i, net in enumerate(outputs):
        padded = f"{net}_padded"
        text += f"  logic [{nets[net] + (-nets[net] % 8) - 1}:0] {padded};\n"
        text += f"  assign {net}_tdata = {padded}[{nets[net] - 1}:0];\n"
        connections |= _finn_port(f"out{i}_V", net, padded)
    ports = ",\n".join(f"    .{port}({signal})" for port, signal in connections.items())
    return f"{text}  {node.name} {node.name}_unit (\n{ports}\n  );\n"


def _finn_port(port: str, net: str, data: str) -> dict[str, str]:
    return {
        f"{port}_TDATA": data,
        f"{port}_TVALID": f"{net}_tvalid",
        f"{port}_TREADY": f"{net}_tready",
    }


def _streams(model: ModelWrapper) -> list[Stream]:
    streams = []
    for node in model.graph.node:
        inputs = [name for name in node.input if model.get_initializer(name) is None]
        for name in inputs:
            source = model.find_producer(name)
            streams.append(Stream(net_of(name), source.name if source else "", node.name))
        if has_weights(node):
            memory = f"{node.name}_weights"
            streams.append(Stream(f"n_{memory}", memory, node.name))
    last = model.graph.output[0].name
    return [*streams, Stream(net_of(last), model.find_producer(last).name, "")]


def _ports(model: ModelWrapper, memories: list[Memory]) -> Design:
    first = getCustomOp(model.find_consumer(model.graph.input[0].name))
    last = getCustomOp(model.find_producer(model.graph.output[0].name))
    folded_in, folded_out = first.get_folded_input_shape(), last.get_folded_output_shape()
    return Design(
        input_bits=first.get_instream_width_padded(0),
        input_words=int(np.prod(folded_in[:-1])),
        output_lanes=int(folded_out[-1]),
        output_bits=last.get_output_datatype().bitwidth(),
        output_words=int(np.prod(folded_out[:-1])),
        memories=memories,
        streams=_streams(model),
    )


def _observation(ports: Design) -> str:
    """What the simulator reads of every stream: bit i is stream i of ``design.json``."""
    text, last = "", len(ports.streams) - 1
    for signal in ("tvalid", "tready"):
        bits = ", ".join(f"{stream.net}_{signal}" for stream in reversed(ports.streams))
        text += f"  logic [{last}:0] observed_{signal} /* verilator public_flat_rd */;\n"
        text += f"  assign observed_{signal} = {{{bits}}};\n"
    return f"`ifdef VERILATOR\n{text}`endif\n"


def _chain(memories: list[Memory]) -> tuple[str, str]:
    """Ports of the top for the weights, and what is behind them."""
    if not memories:
        return "", f"  logic {RESET};\n  assign {RESET} = rst_n;\n"
    declared = [f"  {s.direction:<6} wire logic {s.range}s_axil_{s.name},\n" for s in AXI_LITE]
    connections = {"clk": "clk", "rst_n": "rst_n"}
    connections |= {f"s_axil_{s.name}": f"s_axil_{s.name}" for s in AXI_LITE}
    connections |= {
        "chain_out": "chain_0", "chain_in": f"chain_{len(memories)}", "running": "running",
        "error": "weights_error",
    }  # fmt: skip
    nets = ", ".join(f"chain_{i}" for i in range(len(memories) + 1))
    body = f"""  logic [{CHAIN_BITS - 1}:0] {nets};
  logic running, {RESET};
  always_ff @(posedge clk) {RESET} <= rst_n && running;
"""
    port = module_instance(MODULE, "weights_port", {"MEMORIES": len(memories)}, connections)
    declared.append("  output wire logic weights_error,  // of weight_port\n")
    return "".join(declared) + "\n", body + port


def _top(model: ModelWrapper, nets: dict[str, int], ports: Design, body: str) -> str:
    source, sink = net_of(model.graph.input[0].name), net_of(model.graph.output[0].name)
    chain_ports, chain = _chain(ports.memories)
    out_bits = ports.output_lanes * ports.output_bits
    declarations = "".join(declaration(net, bits) for net, bits in nets.items())
    return f"""// SPDX-License-Identifier: Apache-2.0
// Generated by build_flows. A frame: {ports.input_words} words in, {ports.output_words} words out.
`default_nettype none

module {TOP} (
  input  wire logic clk,
  input  wire logic rst_n,

{chain_ports}  input  wire logic [{ports.input_bits - 1}:0] s_axis_tdata,
  input  wire logic s_axis_tvalid,
  output wire logic s_axis_tready,

  output wire logic [{out_bits - 1}:0] m_axis_tdata,
  output wire logic m_axis_tvalid,
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
