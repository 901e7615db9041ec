# SPDX-License-Identifier: Apache-2.0
"""A drawing as SVG text: boxes, arrows, texts; readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Point = tuple[float, float]

# name: (light fill, light stroke, dark fill, dark stroke)
KINDS = {
    "plain": ("#f3f5f8", "#7d8794", "#21262d", "#8b949e"),
    "blue": ("#dbeafe", "#2563eb", "#132f55", "#6ea8fe"),
    "green": ("#dcfce7", "#15803d", "#12351f", "#5fd387"),
    "orange": ("#ffedd5", "#c2410c", "#452412", "#f5a46a"),
    "violet": ("#ede9fe", "#6d28d9", "#2e2152", "#b79bfa"),
    "red": ("#fee2e2", "#b91c1c", "#471717", "#f78c8c"),
    "none": ("none", "#7d8794", "none", "#8b949e"),
}
INKS = {"ink": ("#1f2328", "#e6edf3"), "soft": ("#57606a", "#a6b0ba")}
PAPER = ("#ffffff", "#0d1117")


def _style(dark: bool) -> str:
    pick = int(dark)
    rules = [f".paper{{fill:{PAPER[pick]}}}"]
    rules += [f".{name}{{fill:{colours[pick]}}}" for name, colours in INKS.items()]
    for name, colours in KINDS.items():
        fill, stroke = colours[2 * pick : 2 * pick + 2]
        rules.append(f".{name}{{fill:{fill};stroke:{stroke}}}")
        rules.append(f".l-{name}{{stroke:{stroke}}}.h-{name}{{fill:{stroke}}}")
    return "".join(rules)


FIXED = (
    "text{font-family:-apple-system,'Segoe UI',Helvetica,Arial,'DejaVu Sans',sans-serif}"
    ".mono{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,monospace}"
    ".l{fill:none;stroke-width:1.5}"
)


def number(value: float) -> str:
    """Shortest text of a coordinate, to a tenth of a pixel; the same on every machine."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


class Drawing:
    """Shapes in the order in which they were drawn; ``text()`` gives the file."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._shapes: list[str] = []

    def rect(self, at: Point, size: Point, kind: str = "plain", radius: float = 5) -> None:
        """A rectangle; ``at`` is its upper left corner."""
        x, y, w, h = (number(value) for value in (*at, *size))
        corner = f' rx="{number(radius)}"' if radius else ""
        self._shapes.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{w}" height="{h}"{corner}/>'
        )

    def circle(self, at: Point, radius: float, kind: str = "plain") -> None:
        """A disc around ``at``."""
        x, y, r = (number(value) for value in (*at, radius))
        self._shapes.append(f'<circle class="{kind}" cx="{x}" cy="{y}" r="{r}"/>')

    def write(
        self, at: Point, text: str, size: float = 13, ink: str = "ink", anchor: str = "middle",
        bold: bool = False,
    ) -> None:  # fmt: skip
        """One line of text; ``at`` is the end or middle of its base line."""
        x, y = number(at[0]), number(at[1])
        weight = ' font-weight="600"' if bold else ""
        self._shapes.append(
            f'<text class="{ink}" x="{x}" y="{y}" font-size="{number(size)}" '
            f'text-anchor="{anchor}"{weight}>{escape(text)}</text>'
        )

    def box(
        self, at: Point, size: Point, lines: Sequence[str], kind: str = "plain", text: float = 13
    ) -> None:
        """A rectangle with lines in its middle, the first of them bold."""
        self.rect(at, size, kind)
        step = text + 4
        top = at[1] + size[1] / 2 - step * (len(lines) - 1) / 2 + text * 0.36
        for index, line in enumerate(lines):
            ink, small = ("ink", text) if index == 0 else ("soft", text - 1.5)
            self.write((at[0] + size[0] / 2, top + step * index), line, small, ink, bold=index == 0)

    def line(self, points: Iterable[Point], kind: str = "plain", dash: str = "") -> None:
        """A line through points."""
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._shapes.append(f'<polyline class="l l-{kind}" points="{path}"{dashed}/>')

    def arrow(self, points: Sequence[Point], kind: str = "plain", dash: str = "") -> None:
        """A line through points with a head at the last; its last part is level or upright."""
        (x0, y0), (x, y) = points[-2:]
        length = max(abs(x - x0), abs(y - y0)) or 1
        ux, uy = (x - x0) / length, (y - y0) / length
        self.line([*points[:-1], (x - 5 * ux, y - 5 * uy)], kind, dash)
        corners = [(x, y), (x - 8 * ux - 4 * uy, y - 8 * uy + 4 * ux),
                   (x - 8 * ux + 4 * uy, y - 8 * uy - 4 * ux)]  # fmt: skip
        path = " ".join(f"{number(a)},{number(b)}" for a, b in corners)
        self._shapes.append(f'<polygon class="h-{kind}" points="{path}"/>')

    def text(self) -> str:
        """The file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" role="img">'
        )
        style = f"{FIXED}{_style(False)}@media(prefers-color-scheme:dark){{{_style(True)}}}"
        paper = f'<rect class="paper" width="{self.width}" height="{self.height}" rx="8"/>'
        note = (
            "<!-- SPDX-License-Identifier: Apache-2.0; made by python -m docs_builder diagrams -->"
        )
        return "\n".join(
            [head, note, f"<title>{escape(self.title)}</title>", f"<style>{style}</style>", paper,
             *self._shapes, "</svg>", ""]
        )  # fmt: skip
