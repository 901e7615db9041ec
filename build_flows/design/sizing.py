# SPDX-License-Identifier: Apache-2.0
"""FIFOs where branches rejoin and before units that pause, as deep as simulation shows.

A unit that joins branches takes a word from each at once. What a short branch gives must wait while
the windows of the longest fill; without room the fork before them stops and nothing moves. Padding
takes nothing while it writes the edge of a frame, FINN's dense unit nothing while it works on a
pixel; without room before them all units behind pause too. The depths are measured: the design is
simulated with FIFOs that hold a whole frame, its input at the rate that the design can keep, and
each FIFO becomes as deep as it was full.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames, SortGraph

from build_flows.config import BuildConfig
from build_flows.design.generate import generate
from build_flows.design.simulate import LOG, provide_simulator
from build_flows.design.stitch import stitch
from build_flows.design.verify import Golden, compare
from build_flows.graph.edit import apply_all, kernel_node
from host.board.simulation import PRELOAD
from host.common.json_file import write_json
from hw.ops.fifo import MIN_DEPTH

JOINS = ("StreamAdd", "StreamConcat")
PADDING, FINN_DENSE = "FMPadding_rtl", "MVAU_rtl"
TABLE = "fifos.json"
FRAMES = 4  #: simulated back to back; the last goes in after the first has come out
PEAK = re.compile(r"^peak TOP\.\w+\.(\w+) +(\d+)$", re.MULTILINE)


def size_fifos(
    model: ModelWrapper, cfg: BuildConfig, golden: Golden, folder: Path, cache: Path
) -> ModelWrapper:
    """The folded model with sized FIFOs; ``folder``/fifos.json says how full each one was.

    A stream on which less than MIN_DEPTH words waited gets no FIFO.
    """
    streams = [*short_branches(model), *before_pauses(model)]
    whole_frames = {name: _frame_words(model, name) for name in streams}
    peaks, cycles = _measure(with_fifos(model, whole_frames), cfg, golden, folder, cache)
    record = {"cycles_per_frame": cycles, "peaks": peaks}
    write_json(folder / TABLE, record)
    return with_fifos(model, {name: n for name, n in peaks.items() if n >= MIN_DEPTH})


def short_branches(model: ModelWrapper) -> list[str]:
    """Tensors that enter a unit together with others, behind a shorter chain of units than one."""
    tensors: list[str] = []
    for node in model.graph.node:
        if node.op_type in JOINS:
            *shorter, _ = sorted(node.input, key=lambda name: _units_behind(model, name))
            tensors += shorter
    return tensors


def before_pauses(model: ModelWrapper) -> list[str]:
    """Tensors that enter a unit which does not take words all the time."""
    return [node.input[0] for node in model.graph.node if node.op_type in (PADDING, FINN_DENSE)]


def _units_behind(model: ModelWrapper, tensor: str) -> int:
    """Units between the last fork and ``tensor``."""
    count = 0
    while (node := model.find_producer(tensor)) is not None and node.op_type != "StreamFork":
        tensor, count = node.input[0], count + 1
    return count


def with_fifos(model: ModelWrapper, depths: Mapping[str, int]) -> ModelWrapper:
    """A copy of ``model`` with a FIFO of that many words on each of the tensors."""
    model = ModelWrapper(copy.deepcopy(model.model))
    for name, depth in depths.items():
        _insert(model, name, depth)
    return apply_all(model, SortGraph(), GiveUniqueNodeNames(), GiveReadableTensorNames())


def _insert(model: ModelWrapper, tensor: str, depth: int) -> None:
    """A FIFO of ``depth`` words between a tensor and its reader."""
    consumer = model.find_consumer(tensor)
    index = list(consumer.input).index(tensor)
    op = getCustomOp(consumer)
    *vectors, channels = op.get_normal_input_shape(index)
    name, datatype = model.make_new_valueinfo_name(), op.get_input_datatype(index)
    model.set_tensor_shape(name, [*vectors, channels])
    model.set_tensor_datatype(name, datatype)
    fifo = kernel_node(
        "Fifo",
        [tensor],
        [name],
        NumChannels=channels,
        PE=op.get_folded_input_shape(index)[-1],
        numInputVectors=[int(v) for v in vectors],
        inputDataType=datatype.name,
        depth=depth,
    )
    consumer.input[index] = name
    model.graph.node.append(fifo)


def _frame_words(model: ModelWrapper, tensor: str) -> int:
    consumer = model.find_consumer(tensor)
    shape = getCustomOp(consumer).get_folded_input_shape(list(consumer.input).index(tensor))
    return max(MIN_DEPTH, int(np.prod(shape[:-1])))


def _measure(
    model: ModelWrapper, cfg: BuildConfig, golden: Golden, folder: Path, cache: Path
) -> tuple[dict[str, int], int]:
    """Most words that each FIFO held, by the tensor before it, and the cycles of a frame."""
    work = folder / "unbounded"
    work.mkdir()
    stitch(generate(model, cfg, work), work / "rtl", work / "design")
    simulator = provide_simulator(model, work / "design", work, cache)
    sent = golden.repeated(min(FRAMES, cfg.frames))
    pace = max(getCustomOp(node).get_exp_cycles() for node in model.graph.node)
    while True:
        options = ("--interval", str(pace), "+peaks", *PRELOAD)
        run = simulator.run(sent.images, work, options=options)
        compare("accumulators", run.found, sent.accumulators, "simulation for FIFO depths")
        if run.cycles_per_frame <= pace:
            break
        pace = run.cycles_per_frame  # words that came faster would wait for no other reason
    peaks = dict(PEAK.findall((work / LOG).read_text()))
    fifos = [node for node in model.graph.node if node.op_type == "Fifo"]
    shutil.rmtree(work)
    return {node.input[0]: int(peaks[node.name]) for node in fifos}, run.cycles_per_frame
