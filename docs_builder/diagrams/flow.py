# SPDX-License-Identifier: Apache-2.0
"""The steps of the flow, with what each one proves."""

from __future__ import annotations

from docs_builder.diagrams.svg import Drawing

STEPS = {
    "load": ("clean the QONNX file", "it has quantisers; layers keep their names"),
    "streamline": ("floats become integers", "all outputs equal the integer reference"),
    "map": ("integer nodes become kernels", "equal, each kernel by its golden function"),
    "fold": ("parallelism and memories", "equal; every fold divides its layer"),
    "size": ("FIFOs as deep as needed", "equal; simulated at the pace, nothing stands still"),
    "hls": ("the network as C++", "hls-sim: equal in g++, word for word"),
    "generate": ("RTL of every unit", "equal; illegal parameters are refused"),
    "stitch": ("one top level", "equal; what Verilator and Vivado read is this"),
    "simulate": ("Verilator, whole frames", "equal in RTL, under random stalls and at full rate"),
    "report": ("figures and pictures", "each figure with its origin"),
}
"""What each step does, and what stops the build if it does not hold."""


def draw() -> Drawing:
    """All steps in a column."""
    drawing = Drawing(930, 96 + 48 * len(STEPS), "Steps of the flow")
    text = "After every step the model is executed: one wrong integer stops the build"
    drawing.write((20, 28), text, 16, anchor="start", bold=True)
    drawing.write((110, 56), "step", 12, "soft")
    drawing.write((230, 56), "does", 12, "soft", "start")
    drawing.write((480, 56), "is proven by", 12, "soft", "start")
    for index, (name, (does, proves)) in enumerate(STEPS.items()):
        y = 68 + 48 * index
        kind = "violet" if name == "hls" else "green" if name in ("simulate", "report") else "blue"
        drawing.box((30, y), (160, 34), [name], kind)
        drawing.write((230, y + 22), does, 13, anchor="start")
        drawing.write((480, y + 22), proves, 13, anchor="start")
        if index:
            drawing.arrow([(110, y - 14), (110, y)])
    return drawing
