# SPDX-License-Identifier: Apache-2.0
"""A frame's way over the board, the packed DSP, and a pipeline without stall wire."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from docs_builder.diagrams.svg import Drawing, Point

# -- the board -------------------------------------------------------------------------------------


def frame() -> Drawing:
    """The way of a frame, of the weights and of the registers."""
    drawing = Drawing(930, 400, "The way of a frame through the KV260")
    drawing.rect((14, 40), (226, 346), "none", 8)
    drawing.write((127, 30), "processors and DDR", 14, bold=True)
    drawing.rect((262, 40), (654, 346), "none", 8)
    drawing.write((589, 30), "programmable logic", 14, bold=True)
    drawing.box((30, 62), (194, 54), ["camera, detector, crop", "112 x 112 bytes"])
    drawing.box((30, 146), (194, 54), ["DMA buffers in DDR", "several frames in flight"])
    drawing.box((30, 230), (194, 54), ["driver", "host/backends/fpga.py"])
    drawing.box((30, 318), (194, 54), ["monitor", "98 points, eyes, state"])
    drawing.arrow([(127, 116), (127, 146)])
    drawing.arrow([(127, 230), (127, 200)])
    drawing.arrow([(127, 284), (127, 318)])
    drawing.box((284, 146), (92, 54), ["DMA", "engine"], "blue")
    drawing.box((408, 104), (92, 54), ["frame gate", "in"], "blue")
    drawing.box((408, 192), (92, 54), ["frame gate", "out"], "blue")
    drawing.arrow([(224, 166), (284, 166)])
    drawing.arrow([(284, 182), (224, 182)])
    drawing.arrow([(376, 160), (392, 160), (392, 131), (408, 131)], "blue")
    drawing.arrow([(408, 219), (392, 219), (392, 186), (376, 186)], "blue")
    _accelerator(drawing)
    drawing.box((284, 306), (120, 54), ["control", "registers"], "orange")
    drawing.box((436, 306), (120, 54), ["weight port", "one for all"], "violet")
    drawing.arrow([(224, 257), (256, 257), (256, 333), (284, 333)], "orange")
    drawing.arrow([(404, 333), (436, 333)], "orange")
    drawing.write((420, 300), "AXI4-Lite", 11, "soft")
    drawing.write((454, 96), "drops short and long packets", 11, "soft")
    return drawing


def _accelerator(drawing: Drawing) -> None:
    """Units in two lines, the chain of their weight memories below."""
    drawing.rect((534, 66), (366, 204), "none", 8)
    drawing.write((717, 86), "accelerator: every layer a unit of its own", 12, bold=True)
    xs = [550 + 88 * i for i in range(4)]
    for i, x in enumerate(xs):
        drawing.box((x, 102), (70, 40), ["unit" if i < 3 else "..."], "green")
        drawing.box((x, 196), (70, 40), ["unit" if i else "last unit"], "green", 12)
        drawing.rect((x + 6, 148), (58, 14), "violet", 2)
        drawing.write((x + 35, 159), "weights", 10, "soft")
        drawing.rect((x + 6, 242), (58, 14), "violet", 2)
        drawing.write((x + 35, 253), "weights", 10, "soft")
    drawing.arrow([(500, 131), (516, 131), (516, 122), (550, 122)], "blue")
    for left, right in pairwise(xs):
        drawing.arrow([(left + 70, 122), (right, 122)], "green")
        drawing.arrow([(right, 216), (left + 70, 216)], "green")
    end = xs[-1] + 70
    drawing.arrow([(end, 122), (end + 8, 122), (end + 8, 216), (end, 216)], "green")
    drawing.arrow([(550, 216), (516, 216), (516, 219), (500, 219)], "blue")
    drawing.line([(556, 333), (884, 333)], "violet", "5 3")
    drawing.arrow([(884, 333), (884, 274)], "violet", "5 3")
    drawing.arrow([(540, 274), (540, 312), (556, 312)], "violet", "5 3")
    text = "one chain of registers through all weight memories, and back"
    drawing.write((724, 350), text, 11, "soft")
    drawing.write((724, 366), "written and read at run time; checksum in the port", 11, "soft")


# -- the DSP ---------------------------------------------------------------------------------------

LOW = 18  # bits of the low field


class Packed(NamedTuple):
    """What one DSP makes of two pixels and a weight."""

    operand: int
    product: int
    low: int  # the low field read as signed
    high: int  # what stands above it
    results: tuple[int, int]  # of pixel 0 and pixel 1


def packed(pixels: tuple[int, int], weight: int) -> Packed:
    """Multiply both pixels (0..255) with a weight (-128..127) in one product."""
    operand = (pixels[1] << LOW) + pixels[0]
    product = operand * weight
    low = ((product + (1 << (LOW - 1))) % (1 << LOW)) - (1 << (LOW - 1))
    high = product >> LOW
    return Packed(operand, product, low, high, (low, high + (low < 0)))


def dsp(pixels: tuple[int, int] = (7, 200), weight: int = -3) -> Drawing:
    """Bit fields of the packed DSP, with an example in numbers."""
    result = packed(pixels, weight)
    drawing = Drawing(930, 392, "Two pixels and one weight in one DSP48E2")
    drawing.write((20, 28), "Two neighbouring pixels share a weight: two multiplications per DSP",
                  16, anchor="start", bold=True)  # fmt: skip
    bit = 17.6
    right = 905

    def field(y: float, high: int, low: int, text: str, kind: str) -> None:
        x, end = right - (high + 1) * bit, right - low * bit
        drawing.rect((x, y), (end - x, 34), kind, 2)
        drawing.write(((x + end) / 2, y + 22), text, 13)
        drawing.write((x + 2, y + 46), str(high), 10, "soft", "start")
        if high - low > 3:
            drawing.write((end - 2, y + 46), str(low), 10, "soft", "end")

    def label(y: float, text: str, more: str) -> None:
        drawing.write((20, y + 16), text, 13, anchor="start", bold=True)
        drawing.write((20, y + 31), more, 11, "soft", "start")

    label(46, "operand, 27 bits", "x1 * 2^18 + x0")
    field(46, 26, 18, f"pixel 1: {pixels[1]}", "blue")
    field(46, 17, 8, "zeros, or the sign of pixel 0", "none")
    field(46, 7, 0, f"pixel 0: {pixels[0]}", "green")
    label(116, "weight, 8 bits", "the same for both pixels")
    field(116, 7, 0, f"w: {weight}", "orange")
    label(186, "sum, 48 bits", "of up to four DSPs in a chain")
    field(186, 35, 18, f"high field: {result.high}", "blue")
    field(186, 17, 0, f"low field: {result.low}, read as signed", "green")
    drawing.write((right - 36 * bit - 8, 208), "...", 14, "soft", "end")
    label(268, "results", "the borrow comes back")
    drawing.box((right - 36 * bit, 268), (18 * bit - 6, 44),
                [f"pixel 1: {result.high} + {int(result.low < 0)} = {result.results[1]}",
                 "high field + sign bit of the low one"], "blue")  # fmt: skip
    lines = [f"pixel 0: {result.results[0]}", "the low field itself"]
    drawing.box((right - 18 * bit, 268), (18 * bit, 44), lines, "green")
    drawing.arrow([(right - 27 * bit, 220), (right - 27 * bit, 268)], "blue")
    drawing.arrow([(right - 9 * bit, 220), (right - 9 * bit, 268)], "green")
    drawing.arrow([(right - 15 * bit, 220), (right - 15 * bit, 246), (right - 21 * bit, 246),
                   (right - 21 * bit, 268)], "orange", "4 3")  # fmt: skip
    drawing.write((right - 14.5 * bit, 250), "sign bit 17", 11, "soft", "start")
    most = 4 * 255 * 128
    notes = (
        f"Why four: 4 * 255 * 128 = {most:,} is below 2^17 = {2**17:,}, "
        "so the low field never overflows.",
        "The sign bit rides as a carry along the adder trees; it costs no adder.",
    )
    for index, text in enumerate(notes):
        drawing.write((20, 344 + 20 * index), text, 12, "soft", "start")
    return drawing


def pumped() -> Drawing:
    """DSPs at twice the clock: two pairs of pixels share a word of weights, one after the other."""
    drawing = Drawing(930, 330, "DSPs at twice the clock: four pixels and one word of weights")
    drawing.write((20, 28), "At twice the clock the same DSP serves two pairs of pixels", 16,
                  anchor="start", bold=True)  # fmt: skip
    left, tick = 190, 88
    labels = (
        ("clk", "the design"), ("clk2x", "the DSPs"), ("weights", "one word per cycle of clk"),
        ("pixels", "of both pairs, held"), ("DSP", "x1 * 2^18 + x0, times w"),
        ("sums", "both pairs cross at once"),
    )  # fmt: skip
    rows = [52 + 44 * index for index in range(len(labels))]
    for y, (name, meaning) in zip(rows, labels, strict=True):
        drawing.write((20, y + 13), name, 13, anchor="start", bold=True)
        drawing.write((20, y + 28), meaning, 10.5, "soft", "start")
    for y, period, kind in ((rows[0], 2 * tick, "blue"), (rows[1], tick, "orange")):
        points: list[Point] = []
        for x in range(left, left + 8 * tick, period):
            middle = x + period / 2
            points += [(x, y + 26), (x, y + 4), (middle, y + 4), (middle, y + 26)]
        drawing.line([*points, (left + 8 * tick, y + 26)], kind)
    for cycle in range(4):
        x, wide = left + 2 * cycle * tick, 2 * tick - 3
        drawing.box((x, rows[2]), (wide, 30), [f"w{cycle}"], "orange", 12)
        drawing.box((x, rows[3]), (wide, 30), ["x0 x1 | x2 x3"], "plain", 12)
        for half in range(2):
            kind = ("green", "violet")[half]
            text = f"w{cycle} * pair {half}"
            drawing.box((x + half * tick, rows[4]), (tick - 3, 30), [text], kind, 11)
        if cycle:
            drawing.box((x, rows[5]), (wide, 30), [f"w{cycle - 1}: pairs 0 and 1"], "blue", 12)
    drawing.write((20, 318), "Registers on the way are left out.", 11, "soft", "start")
    return drawing


# -- claim, push, room -----------------------------------------------------------------------------


class Cycle(NamedTuple):
    """Signals of kl_output_fifo in one cycle."""

    room: bool
    claim: bool
    push: bool
    valid: bool
    ready: bool
    free: int


def output_fifo(ready: list[bool], depth: int, latency: int) -> list[Cycle]:
    """Follow kl_output_fifo behind a pipeline of ``latency`` cycles that always has an input.

    Args:
        ready: m_axis_tready, cycle by cycle.
        depth: places of the fifo.
        latency: cycles from claim to push.
    """
    free, room = depth, True
    claims: list[bool] = []
    arrivals: list[int] = []  # cycle from which each word is on offer
    cycles = []
    for now, taken in enumerate(ready):
        claim = room
        push = len(claims) >= latency and claims[-latency]
        valid = bool(arrivals) and arrivals[0] <= now
        cycles.append(Cycle(room, claim, push, valid, taken, free))
        if valid and taken:
            arrivals.pop(0)
        if push:
            arrivals.append(now + 2)  # kl_fifo in shift registers: two cycles from in to out
        claims.append(claim)
        free += (valid and taken) - claim
        room = free > 0
    return cycles


def waveform() -> Drawing:
    """Claim, push and room while the output is held up."""
    ready = [True] * 8 + [False] * 9 + [True] * 9
    depth, latency = 6, 3
    cycles = output_fifo(ready, depth, latency)
    drawing = Drawing(930, 366, "claim, push and room of kl_output_fifo")
    drawing.write((20, 28), "A pipeline that never stops: it claims a place before it begins", 16,
                  anchor="start", bold=True)  # fmt: skip
    left, cell, height = 170, 28.4, 22
    rows = [("room", "a place is free", "green"), ("claim", "an input is accepted", "blue"),
            ("push", f"its result, {latency} cycles later", "violet"),
            ("valid", "m_axis_tvalid", "plain"), ("ready", "m_axis_tready", "orange")]  # fmt: skip
    for index, (name, meaning, kind) in enumerate(rows):
        y = 66 + index * 44
        drawing.write((20, y + 10), name, 13, anchor="start", bold=True)
        drawing.write((20, y + 24), meaning, 10.5, "soft", "start")
        points = []
        for now, cycle in enumerate(cycles):
            level = y if getattr(cycle, name) else y + height
            points += [(left + now * cell, level), (left + (now + 1) * cell, level)]
        drawing.line(points, kind)
    y = 66 + len(rows) * 44
    drawing.write((20, y + 14), "free", 13, anchor="start", bold=True)
    drawing.write((20, y + 28), f"of {depth} places", 10.5, "soft", "start")
    for now, cycle in enumerate(cycles):
        drawing.rect((left + now * cell, y), (cell, 22), "none", 0)
        drawing.write((left + (now + 0.5) * cell, y + 16), str(cycle.free), 12)
        drawing.write((left + (now + 0.5) * cell, 54), str(now), 10, "soft")
    text = "The output stalls from cycle 8 on. room falls when the last place is claimed; what is "
    drawing.write((20, y + 56), text + "inside still finds its place.", 12, "soft", "start")
    return drawing
