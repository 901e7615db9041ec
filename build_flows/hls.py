# SPDX-License-Identifier: Apache-2.0
"""The whole network as one C++ dataflow function, from the same sized graph as the RTL.

The folder ``hls`` has the top, the twins it calls, their tables, a test bench and the scripts for
Vitis HLS. It can be moved as a whole. A FIFO of the graph is the depth of its stream.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import getCustomOp

from hw.twin import Twin, headers, twin_of

TOP = "accelerator"
FRAMES = Path(__file__).parent / "csim" / "frames.cpp"
TABLES = "tables"
MIN_DEPTH = 2  #: of a stream, for full rate


@dataclass(frozen=True)
class Unit:
    """One call of the dataflow function."""

    name: str
    twin: Twin
    inputs: tuple[str, ...]
    """Names of streams."""
    outputs: tuple[str, ...]

    @property
    def table(self) -> str:
        """Name of its array of constants, "" if it has none."""
        return f"{self.name}_{self.twin.table.name}" if self.twin.table else ""


@dataclass(frozen=True)
class Network:
    """All calls in their order, and the depths of the streams that have a FIFO."""

    units: list[Unit]
    depths: dict[str, int]

    @property
    def first(self) -> Unit:
        """The unit behind the input."""
        return self.units[0]

    @property
    def last(self) -> Unit:
        """The unit before the output."""
        return self.units[-1]


def write_network(model: ModelWrapper, folder: Path) -> None:
    """Write the C++ of a sized model into the new folder ``folder``."""
    network = network_of(model)
    (folder / TABLES).mkdir(parents=True)
    for unit in network.units:
        if unit.twin.table:
            (folder / TABLES / f"{unit.name}.inc").write_text(unit.twin.table.text())
    for header in headers(unit.twin for unit in network.units):
        shutil.copyfile(header, folder / header.name)
    shutil.copyfile(FRAMES, folder / FRAMES.name)
    (folder / f"{TOP}.hpp").write_text(_header(model, network))
    (folder / f"{TOP}.cpp").write_text(_source(network))


def network_of(model: ModelWrapper) -> Network:
    """The calls for the nodes of a sized model."""
    streams: dict[str, str] = {model.graph.input[0].name: "s_axis"}
    units, depths = [], {}
    for node in model.graph.node:
        op = getCustomOp(node)
        inputs = [streams[name] for name in node.input if model.get_initializer(name) is None]
        if node.op_type == "Fifo":
            streams[node.output[0]] = inputs[0]
            depths[inputs[0]] = op.depth
            continue
        for name in node.output:
            streams[name] = "m_axis" if name == model.graph.output[0].name else _identifier(name)
        outputs = tuple(streams[name] for name in node.output)
        units.append(Unit(node.name, _twin(model, op), tuple(inputs), outputs))
    return Network(units, depths)


def _twin(model: ModelWrapper, op: CustomOp) -> Twin:
    values = (model.get_initializer(name) for name in op.onnx_node.input)
    return twin_of(op, [np.rint(value).astype(np.int64) for value in values if value is not None])


def _identifier(tensor: str) -> str:
    return "t_" + re.sub(r"\W", "_", tensor)


def _ports(network: Network) -> str:
    source, sink = network.first.twin.inputs[0], network.last.twin.outputs[0]
    return f"hls::stream<{source.cpp}> &s_axis, hls::stream<{sink.cpp}> &m_axis"


def _header(model: ModelWrapper, network: Network) -> str:
    """The top's declaration and what its caller must know of the streams."""
    first = getCustomOp(model.find_consumer(model.graph.input[0].name))
    last = getCustomOp(model.find_producer(model.graph.output[0].name))
    source, sink = network.first.twin.inputs[0], network.last.twin.outputs[0]
    values = {
        "INPUT_LANES": source.lanes,
        "INPUT_WORDS": int(np.prod(first.get_folded_input_shape()[:-1])),
        "OUTPUT_LANES": sink.lanes,
        "OUTPUT_WIDTH": sink.bits,
        "OUTPUT_WORDS": int(np.prod(last.get_folded_output_shape()[:-1])),
    }
    constants = "".join(f"constexpr int {name} = {value};\n" for name, value in values.items())
    return (
        f"// SPDX-License-Identifier: Apache-2.0\n// Written by build_flows/hls.py.\n#pragma once\n\n"
        f'#include "lanes.hpp"\n#include <hls_stream.h>\n\n{constants}\n'
        f"/// One frame: INPUT_WORDS words of unsigned bytes to OUTPUT_WORDS words of accumulators.\n"
        f"void {TOP}({_ports(network)});\n"
    )


def _source(network: Network) -> str:
    kernels = dict.fromkeys(unit.twin.kernel for unit in network.units)
    includes = "".join(f'#include "{kernel}.hpp"\n' for kernel in sorted(kernels))
    tables = "".join(
        unit.twin.table.declaration(unit.table, f"{TABLES}/{unit.name}.inc")
        for unit in network.units
        if unit.twin.table
    )
    body = "\n".join(_lines(network))
    return (
        f"// SPDX-License-Identifier: Apache-2.0\n// Written by build_flows/hls.py.\n"
        f'#include "{TOP}.hpp"\n{includes}\n{tables}\n'
        f"void {TOP}({_ports(network)}) {{\n{body}\n}}\n"
    )


def _lines(network: Network) -> Iterator[str]:
    """Body of the top: interface, arrays, then each unit behind the streams that it writes."""
    yield "#pragma HLS interface axis port = s_axis"
    yield "#pragma HLS interface axis port = m_axis"
    yield "#pragma HLS interface ap_ctrl_none port = return"
    yield "#pragma HLS dataflow"
    for unit in network.units:
        if unit.twin.table:
            yield unit.twin.table.pragma(unit.table, unit.twin.outputs[0].lanes).rstrip()
    for unit in network.units:
        for name, word in zip(unit.outputs, unit.twin.outputs, strict=True):
            if name != "m_axis":
                depth = MIN_DEPTH + network.depths.get(name, 0)
                yield f'  hls::stream<{word.cpp}> {name}("{name}");'
                yield f"#pragma HLS stream variable = {name} depth = {depth}"
        sizes = ", ".join(f"{name} {value}" for name, value in unit.twin.sizes.items())
        yield f"  // {unit.name}: {sizes}"
        yield f"  {unit.twin.call(unit.inputs, unit.outputs, unit.table)}"
