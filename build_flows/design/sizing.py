# SPDX-License-Identifier: Apache-2.0
"""FIFOs where branches rejoin and before units that pause, as deep as simulation shows.

A unit that joins branches takes a word from each at once. What a short branch gives must wait while
the windows of the longest fill; without room the fork before them stops and nothing moves. Padding
takes nothing while it writes the edge of a frame, FINN's dense unit nothing while it works on a
pixel, a converter to narrower words nothing while the last one leaves; without room before them all
units behind or before pause too. The depths are measured: the design is
simulated with FIFOs that hold a whole frame, its input at the rate that the design can keep, and
each FIFO becomes as deep as it was full.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from build_flows.config import BuildConfig
from build_flows.design.generate import generate
from build_flows.design.simulate import LOG, provide_simulator
from build_flows.design.stitch import stitch
from build_flows.design.verify import Golden, compare
from build_flows.graph.edit import branch_before, renamed, splice, streams_of
from build_flows.graph.layers import name_layers
from build_flows.parts import part_of
from host.board.simulation import PRELOAD
from host.common.json_file import write_json
from hw.ops.fifo import MIN_DEPTH, auto_style
from hw.ops.unit import Stream
from hw.units import unit_of, units_of

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
    ultra = part_of(cfg.part).uram > 0
    roomy = with_fifos(model, whole_frames, ultra)
    peaks, cycles = _measure(roomy, cfg, golden, folder, cache)
    record = {"cycles_per_frame": cycles, "peaks": peaks}
    write_json(folder / TABLE, record)
    return with_fifos(model, {name: n for name, n in peaks.items() if n >= MIN_DEPTH}, ultra)


def short_branches(model: ModelWrapper) -> list[str]:
    """Tensors that enter a unit together with others, behind a shorter chain of units than one.

    All of them where the unit lets one wait for the whole frame of another; or for a pixel of it,
    and no unit of the longest chain holds one.
    """
    tensors: list[str] = []
    for unit in units_of(model):
        if unit.joins:
            names = streams_of(model, unit.onnx_node)
            behind = {name: [*map(unit_of, branch_before(model, name))] for name in names}
            *shorter, longest = sorted(names, key=lambda name: len(behind[name]))
            waits = unit.in_turns and all(other.in_step for other in behind[longest])
            tensors += [*shorter, longest] if unit.joins_frames or waits else shorter
    return tensors


def before_pauses(model: ModelWrapper) -> list[str]:
    """Tensors that enter a unit which does not take words all the time.

    A converter to narrower words is one where the words come in bursts, faster than they leave.
    """
    return [
        unit.onnx_node.input[0]
        for unit in units_of(model)
        if unit.pauses or (unit.narrows and _in_bursts(model, unit.onnx_node.input[0]))
    ]


def _in_bursts(model: ModelWrapper, tensor: str) -> bool:
    """Whether the words of a tensor come several pixels at once."""
    source = model.find_producer(tensor)
    if source is None:
        return False
    unit = unit_of(source)
    streams = streams_of(model, source) if unit.in_step else []
    return unit.bursts or any(_in_bursts(model, name) for name in streams)


def with_fifos(model: ModelWrapper, depths: Mapping[str, int], ultra: bool = True) -> ModelWrapper:
    """A copy of ``model`` with a FIFO of that many words on each of the tensors.

    ``ultra`` says whether the part has UltraRAM for them.
    """
    model = ModelWrapper(copy.deepcopy(model.model))
    for name, depth in depths.items():
        stream = _stream(model, name)
        style = auto_style(stream.width, depth, ultra)
        splice(model, name, "Fifo", stream, stream.shape, depth=depth, style=style)
    return name_layers(renamed(model))


def _stream(model: ModelWrapper, tensor: str) -> Stream:
    """What the reader of a tensor says of it."""
    consumer = model.find_consumer(tensor)
    return unit_of(consumer).inputs[list(consumer.input).index(tensor)]


def _frame_words(model: ModelWrapper, tensor: str) -> int:
    return max(MIN_DEPTH, _stream(model, tensor).words)


def _measure(
    model: ModelWrapper, cfg: BuildConfig, golden: Golden, folder: Path, cache: Path
) -> tuple[dict[str, int], int]:
    """Most words that each FIFO held, by the tensor before it, and the cycles of a frame."""
    work = folder / "unbounded"
    work.mkdir()
    stitch(generate(model, cfg, work), work / "rtl", work / "design")
    simulator = provide_simulator(model, work / "design", work, cache)
    sent = golden.repeated(min(FRAMES, cfg.frames))
    pace = max(unit.cycles for unit in units_of(model))
    while True:
        options = ("--interval", str(pace), "+peaks", *PRELOAD)
        run = simulator.run(sent.images, work, options=options)
        compare("accumulators", run.found, sent.accumulators, "simulation for FIFO depths")
        if run.cycles_per_frame <= pace:
            break
        pace = run.cycles_per_frame  # words that came faster would wait for no other reason
    peaks = dict(PEAK.findall((work / LOG).read_text()))
    fifos = [unit for unit in units_of(model) if unit.fifo_depth]
    shutil.rmtree(work)
    depths = {unit.onnx_node.input[0]: int(peaks[unit.name]) for unit in fifos}
    return depths, run.cycles_per_frame
